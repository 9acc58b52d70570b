use clap::Args;
use underpin_deploy::{DeployError, Observer, Outcome, Planned, Stop};
use underpin_plan::Environment;

use super::{consent, finish, write};
use crate::{
    Exit,
    cli::{AcceptArgs, RunArgs, TargetArgs},
    error::CommandError,
    output::Format,
    progress::Progress,
    render,
    setup::{self, Extras, deployment, within_deadline},
};

/// Tear an environment down: exactly what it owns
///
/// Deletes the objects that the environment's claim records, and its namespace only when it
/// created it and nothing is left in it. A namespace that others still use is kept, and reported
/// with who is in it; `status --kept` shows it later.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) accept: AcceptArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Delete the namespace that a former `down` kept, if nobody is in it any more.
    #[arg(long)]
    pub(crate) kept: bool,
}

pub(crate) async fn down(args: DownArgs) -> Result<Exit, CommandError> {
    let stop = setup::stop(&args.run);
    let extras = Extras {
        accept: Some(&args.accept),
        run: Some(&args.run),
        command: "down",
        ..Extras::default()
    };
    let deployment = within_deadline(&args.run, deployment(&args.target, extras)).await?;
    let format = args.target.output;
    let progress = Progress::new(format);
    let work = run(&args, &deployment, &progress, &stop, format);
    let outcome = match within_deadline(&args.run, work).await {
        // Torn down before, by this command: running it again is no error.
        Err(CommandError::Deploy(DeployError::NothingRecorded(_))) => {
            return nothing_recorded(&deployment.environment, format);
        }
        ended => ended?,
    };
    finish("down", format, &outcome, &args.accept)
}

fn nothing_recorded(environment: &Environment, format: Format) -> Result<Exit, CommandError> {
    write(&match format {
        Format::Text => render::text::nothing_recorded(environment),
        Format::Json => render::json::nothing_recorded(environment),
    })?;
    Ok(Exit::Done)
}

async fn run(
    args: &DownArgs,
    deployment: &underpin_deploy::Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    format: Format,
) -> Result<Outcome, CommandError> {
    let confirm = |planned: &Planned| consent(args.run.yes, format, || render::text::plan(planned));
    let outcome = if args.kept {
        underpin_deploy::reclaim_kept(deployment, observer, stop, confirm).await
    } else {
        underpin_deploy::down(deployment, observer, stop, confirm).await
    };
    Ok(outcome?)
}
