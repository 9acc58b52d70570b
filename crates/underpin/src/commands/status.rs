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

/// Show what is recorded for a stack: environments, what of them is there, what was kept
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Only namespaces that a former `down` kept, with who is in them.
    #[arg(long)]
    pub(crate) kept: bool,
}

pub(crate) async fn status(mut args: StatusArgs) -> Result<Exit, CommandError> {
    if args.target.environment.is_none() {
        // Status is about the stack; any of its environments tells the cluster.
        let stack = crate::setup::load_stack(&args.target.file)?;
        args.target.environment = stack.file.spec.environments.keys().next().cloned();
    }
    let extras = Extras {
        command: "status",
        ..Extras::default()
    };
    let deployment = deployment(&args.target, extras).await?;
    let status = underpin_deploy::status(&deployment).await?;
    write(&match args.target.output {
        Format::Text => render::text::status(&status, args.kept),
        Format::Json => render::json::status(&status),
    })?;
    Ok(Exit::Done)
}
