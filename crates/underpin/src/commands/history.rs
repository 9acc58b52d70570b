use clap::Args;

use super::write;
use crate::{
    Exit,
    cli::TargetArgs,
    error::CommandError,
    output::Format,
    render,
    setup::{Extras, deployment},
};

/// Show what was done to an environment: when, by whom, what came of it, what was accepted
///
/// Newest first. The newest 50 runs are kept, and of the newest 5 what they applied: `diff` compares
/// that.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Show only the newest so many runs.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) limit: Option<u16>,
}

pub(crate) async fn history(args: HistoryArgs) -> Result<Exit, CommandError> {
    let extras = Extras {
        command: "history",
        ..Extras::default()
    };
    let deployment = deployment(&args.target, extras).await?;
    let history = underpin_deploy::history(&deployment).await?;
    let limit = args.limit.map_or(usize::MAX, usize::from);
    let environment = &deployment.environment;
    write(&match args.target.output {
        Format::Text => render::text::history(environment, &history, limit),
        Format::Json => render::json::history(environment, &history, limit),
    })?;
    Ok(Exit::Done)
}
