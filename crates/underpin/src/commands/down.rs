use clap::Args;
use underpin_deploy::{Observer, Outcome, Planned, Stop};

use super::{consent, finish};
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
    let outcome = within_deadline(&args.run, work).await?;
    finish("down", format, &outcome, &args.accept)
}

async fn run(
    args: &DownArgs,
    deployment: &underpin_deploy::Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    format: Format,
) -> Result<Outcome, CommandError> {
    let confirm = |planned: &Planned| consent(&args.run, format, || render::text::plan(planned));
    let outcome = if args.kept {
        underpin_deploy::reclaim_kept(deployment, observer, stop, confirm).await
    } else {
        underpin_deploy::down(deployment, observer, stop, confirm).await
    };
    Ok(outcome?)
}
