use clap::Args;
use underpin_source::stack::Stack;

use super::write;
use crate::{
    Exit,
    cli::TargetArgs,
    error::CommandError,
    output::Format,
    render,
    setup::{self, Extras, deployment},
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
        let stack = setup::load_stack(&args.target.file)?;
        args.target.environment = Some(in_the_one_cluster(&stack, &args.target)?);
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

/// Any environment of the cluster that is asked about: status is about the stack. Environments in
/// several clusters leave the choice open.
fn in_the_one_cluster(stack: &Stack, target: &TargetArgs) -> Result<String, CommandError> {
    let environments = &stack.file.spec.environments;
    let asked = target.context.as_deref();
    let mut fitting = environments.iter().filter(|(_, environment)| {
        asked.is_none() || environment.context.is_none() || environment.context.as_deref() == asked
    });
    let first = fitting.next();
    let same = |context: Option<&String>| {
        asked.is_some() || first.is_some_and(|(_, one)| one.context.as_ref() == context)
    };
    match first {
        Some((name, _)) if fitting.all(|(_, other)| same(other.context.as_ref())) => {
            Ok(name.clone())
        }
        _ => {
            let contexts: Vec<String> = environments
                .iter()
                .map(|(name, environment)| match &environment.context {
                    Some(context) => format!("{name} in {context}"),
                    None => format!("{name} in the current one"),
                })
                .collect();
            let message = match asked {
                Some(asked) => format!("{} has no environment in context {asked}", stack.path),
                None => format!("the environments of {} are in several contexts", stack.path),
            };
            Err(CommandError::usage(
                message,
                format!(
                    "choose one with --environment or --context: {}",
                    contexts.join(", ")
                ),
            ))
        }
    }
}
