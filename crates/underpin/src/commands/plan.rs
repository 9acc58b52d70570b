use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use underpin_deploy::{Deployment, Planned};
use underpin_model::{Action, KeepReason, Step, Unvalidated, wording};

use super::{kept_to_the_end, refuse_unused, verdict_exit, write};
use crate::{
    Exit,
    cli::{AcceptArgs, TargetArgs, VariableArgs},
    error::CommandError,
    frozen_file,
    output::{self, Format},
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
    /// Freeze the plan into this file, for `up FILE`, if it is allowed.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<Utf8PathBuf>,
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
    let planned = &*kept_to_the_end(underpin_deploy::plan(&deployment, &progress).await?);
    refuse_unused(&planned.verdict)?;
    let mut exit = verdict_exit(planned, &args.accept);
    let pending = planned.plan.steps.iter().any(|step| {
        !matches!(step.action, Action::Keep(_)) || step.action == Action::Keep(KeepReason::Gone)
    });
    if exit == Exit::Done && args.detailed_exitcode && pending {
        exit = Exit::Pending;
    }
    let frozen = match &args.out {
        Some(file) => frozen(file, &deployment, planned)?,
        None => None,
    };
    write(&match (args.target.output, &args.out, frozen) {
        (Format::Text, ..) => render::text::plan(planned),
        (Format::Json, Some(file), Some(covers_secrets)) => {
            render::json::frozen_plan(exit, planned, file.as_str(), covers_secrets)
        }
        (Format::Json, ..) => render::json::plan(exit, planned),
    })?;
    if let (Format::Text, Some(file)) = (args.target.output, &args.out) {
        output::message(&told(file, frozen, unknown(planned)));
    }
    Ok(exit)
}

/// Freezes a plan that is allowed, and tells whether the file covers secrets.
fn frozen(
    file: &Utf8Path,
    deployment: &Deployment,
    planned: &Planned,
) -> Result<Option<bool>, CommandError> {
    if !planned.plan.problems.is_empty() || planned.verdict.is_blocked() {
        if frozen_file::withdraw(file)? {
            output::message(&format!("the former frozen plan {file} was removed"));
        }
        return Ok(None);
    }
    let (plan, covers_secrets) = underpin_deploy::freeze(deployment, planned)?;
    frozen_file::write(file, &plan)?;
    Ok(Some(covers_secrets))
}

/// How many objects are applied to an effect that could not be told: not seen, or not asked about
/// for want of a right or of an answer.
fn unknown(planned: &Planned) -> usize {
    let is_unknown = |step: &&Step| {
        let asked_early = matches!(step.unvalidated, None | Some(Unvalidated::TooEarly(_)));
        step.action.applies() && (step.unseen.is_some() || !asked_early)
    };
    planned.plan.steps.iter().filter(is_unknown).count()
}

fn told(file: &Utf8Path, frozen: Option<bool>, unknown: usize) -> String {
    let Some(covers_secrets) = frozen else {
        return format!("{file} was not written: this plan is not allowed");
    };
    let mut text = format!("frozen into {file}; `underpin up {file}` does this and nothing else");
    if !covers_secrets {
        text.push_str(
            "\nnote: secrets are not compared: this cluster has no fingerprint key yet, or it may \
             not be read (the first `up` makes it)",
        );
    }
    if unknown > 0 {
        text.push_str(&format!(
            "\nnote: what becomes of {} is not known for certain; the file is refused if it is \
             not what this plan says",
            wording::count(unknown, "object")
        ));
    }
    text
}
