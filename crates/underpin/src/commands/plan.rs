use clap::Args;
use underpin_model::{Action, KeepReason};

use super::{refuse_unused, verdict_exit, write};
use crate::{
    Exit,
    cli::{AcceptArgs, TargetArgs, VariableArgs},
    error::CommandError,
    output::Format,
    progress::Progress,
    render,
    setup::{Extras, deployment},
};

/// Show what `up` would do and whether it is allowed; change nothing
///
/// Reads the whole cluster, asks the server by dry run what each apply would do, and judges the
/// plan. Sends no request that changes anything.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) variables: VariableArgs,
    #[command(flatten)]
    pub(crate) accept: AcceptArgs,
    /// Take over conflicting fields of this object, such as configmap/wallet/app; may be repeated.
    #[arg(long = "adopt", value_name = "SUBJECT")]
    pub(crate) adopt: Vec<String>,
    /// Exit with 6 when changes are pending.
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
}

pub(crate) async fn plan(args: PlanArgs) -> Result<Exit, CommandError> {
    let extras = Extras {
        accept: Some(&args.accept),
        adopt: args.adopt.iter().cloned().collect(),
        manifests: Some(&args.variables),
        command: "plan",
        ..Extras::default()
    };
    let deployment = deployment(&args.target, extras).await?;
    let progress = Progress::new(args.target.output);
    let planned = underpin_deploy::plan(&deployment, &progress).await?;
    refuse_unused(&planned.verdict)?;
    let mut exit = verdict_exit(&planned, &args.accept);
    let pending = planned.plan.steps.iter().any(|step| {
        !matches!(step.action, Action::Keep(_)) || step.action == Action::Keep(KeepReason::Gone)
    });
    if exit == Exit::Done && args.detailed_exitcode && pending {
        exit = Exit::Pending;
    }
    write(&match args.target.output {
        Format::Text => render::text::plan(&planned),
        Format::Json => render::json::plan("plan", exit, &planned),
    })?;
    Ok(exit)
}
