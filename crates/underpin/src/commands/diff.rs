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

/// Show the difference between what two revisions applied
///
/// Without a number, the newest revision is compared with the one before it that applied something
/// else; with one, that revision with the newest. Values of Secrets and of secret variables are
/// fingerprints. For what an `up` would change now, see `plan`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A revision's number, as `history` shows it.
    #[arg(value_name = "REVISION")]
    pub(crate) from: Option<u64>,
    /// The one to compare it with; the newest unless given.
    #[arg(value_name = "REVISION")]
    pub(crate) to: Option<u64>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

pub(crate) async fn diff(args: DiffArgs) -> Result<Exit, CommandError> {
    let extras = Extras {
        command: "diff",
        ..Extras::default()
    };
    let deployment = deployment(&args.target, extras).await?;
    let compared = underpin_deploy::compare_revisions(&deployment, args.from, args.to).await?;
    let environment = &deployment.environment;
    write(&match args.target.output {
        Format::Text => render::text::diff(environment, &compared),
        Format::Json => render::json::diff(environment, &compared),
    })?;
    Ok(Exit::Done)
}
