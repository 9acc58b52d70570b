use clap::Args;
use underpin_deploy::Planned;

use super::{consent, finish};
use crate::{
    Exit,
    cli::{AcceptArgs, RunArgs, TargetArgs, VariableArgs},
    error::CommandError,
    progress::Progress,
    render,
    setup::{self, Extras, deployment, within_deadline},
};

/// Bring an environment to what its stack declares
///
/// Plans and judges as `plan` does, asks, and carries the plan out: in waves, in parallel within a
/// wave, recording each intent before it is acted on. Interrupted anywhere, the next run continues.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
    #[command(flatten)]
    pub(crate) accept: AcceptArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Take over conflicting fields of this object, such as configmap/wallet/app; may be repeated.
    #[arg(long = "adopt", value_name = "SUBJECT")]
    pub(crate) adopt: Vec<String>,
}

pub(crate) async fn up(args: UpArgs) -> Result<Exit, CommandError> {
    let stop = setup::stop(&args.run);
    let extras = Extras {
        accept: Some(&args.accept),
        run: Some(&args.run),
        adopt: args.adopt.iter().cloned().collect(),
        manifests: Some(&args.variables),
        command: "up",
    };
    let deployment = within_deadline(&args.run, deployment(&args.target, extras)).await?;
    let format = args.target.output;
    let progress = Progress::new(format);
    let work = async {
        let confirm =
            |planned: &Planned| consent(&args.run, format, || render::text::plan(planned));
        Ok(underpin_deploy::up(&deployment, &progress, &stop, confirm).await?)
    };
    let outcome = within_deadline(&args.run, work).await?;
    finish("up", format, &outcome, &args.accept)
}
