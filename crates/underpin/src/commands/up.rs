use camino::Utf8PathBuf;
use clap::Args;
use underpin_deploy::{Deployment, Outcome, Planned, Stop};
use underpin_plan::{Acceptances, FrozenPlan};

use super::{consent, finish, kept_to_the_end};
use crate::{
    Exit,
    cli::{AcceptArgs, RunArgs, TargetArgs, VariableArgs},
    error::CommandError,
    frozen_file,
    output::{self, Format},
    progress::Progress,
    render,
    setup::{self, Extras, deployment, within_deadline},
};

/// Bring an environment to what its stack declares
///
/// Plans and judges as `plan` does, asks, and carries the plan out: in waves, in parallel within a
/// wave, recording each intent before it is acted on. Interrupted anywhere, the next run continues.
///
/// With a FILE that `plan --out` froze, that plan is carried out and nothing else, without asking:
/// if anything moved since that matters to it, nothing is done.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// A frozen plan; what it accepts and adopts is accepted and adopted.
    #[arg(value_name = "FILE", conflicts_with_all = ["accepted", "adopt"])]
    pub(crate) plan: Option<Utf8PathBuf>,
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

pub(crate) async fn up(mut args: UpArgs) -> Result<Exit, CommandError> {
    let stop = setup::stop(&args.run);
    let frozen = match &args.plan {
        Some(file) => Some(frozen_file::read(file)?),
        None => None,
    };
    if let Some(frozen) = &frozen {
        take_environment(&mut args.target, frozen)?;
    }
    let adopt = match &frozen {
        Some(frozen) => &frozen.adopt,
        None => &args.adopt,
    };
    let extras = Extras {
        accept: Some(&args.accept),
        run: Some(&args.run),
        adopt: adopt.iter().cloned().collect(),
        manifests: Some(&args.variables),
        command: "up",
    };
    let mut deployment = within_deadline(&args.run, deployment(&args.target, extras)).await?;
    if let Some(frozen) = &frozen {
        refuse_other_stack(&deployment, frozen)?;
        deployment.acceptances = Acceptances::of_records(&frozen.accepted);
    }
    let work = run(&args, &deployment, frozen.as_ref(), &stop);
    let outcome = kept_to_the_end(within_deadline(&args.run, work).await?);
    finish("up", args.target.output, &outcome, &args.accept)
}

async fn run(
    args: &UpArgs,
    deployment: &Deployment,
    frozen: Option<&FrozenPlan>,
    stop: &Stop,
) -> Result<Outcome, CommandError> {
    let format = args.target.output;
    let progress = Progress::new(format);
    let outcome = if let Some(frozen) = frozen {
        let show = |planned: &Planned| {
            if format == Format::Text {
                output::message(render::text::plan(planned).trim_end());
            }
        };
        underpin_deploy::up_frozen(deployment, frozen, &progress, stop, show).await
    } else {
        let confirm =
            |planned: &Planned| consent(args.run.yes, format, || render::text::plan(planned));
        underpin_deploy::up(deployment, &progress, stop, confirm).await
    };
    Ok(outcome?)
}

/// The environment is the frozen plan's; whoever names another means another plan.
fn take_environment(target: &mut TargetArgs, frozen: &FrozenPlan) -> Result<(), CommandError> {
    match &target.environment {
        Some(asked) if *asked != frozen.environment => Err(CommandError::usage(
            format!(
                "the frozen plan is for environment {}, not {asked}",
                frozen.environment
            ),
            "leave --environment out, or freeze a plan for the one that is meant",
        )),
        _ => {
            target.environment = Some(frozen.environment.clone());
            Ok(())
        }
    }
}

fn refuse_other_stack(deployment: &Deployment, frozen: &FrozenPlan) -> Result<(), CommandError> {
    let stack = &deployment.environment.stack;
    if *stack == frozen.stack {
        return Ok(());
    }
    Err(CommandError::usage(
        format!("the frozen plan is for stack {}, not {stack}", frozen.stack),
        "name that stack's file with --file",
    ))
}
