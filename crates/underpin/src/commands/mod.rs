//! One file per command: its arguments, whose doc comment is the help, then what it does.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod down;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod man;
pub(crate) mod plan;
pub(crate) mod rbac;
pub(crate) mod reach;
pub(crate) mod routes;
pub(crate) mod sandbox;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod why;

use std::mem::ManuallyDrop;

use underpin_deploy::{DeployError, Outcome, Planned};
use underpin_plan::Verdict;

use crate::{
    Exit,
    cli::AcceptArgs,
    error::CommandError,
    output::{self, Format},
    render,
};

/// Writes the one result of a command.
pub(crate) fn write(text: &str) -> Result<(), CommandError> {
    output::result(text).map_err(|source| CommandError::Io {
        what: "cannot write the result".to_owned(),
        source,
    })
}

/// Asks for consent to a plan, after showing it. `--yes` is consent; without it and without a
/// terminal nothing is changed. Nobody is asked about a plan that was not shown, whatever the
/// format of the result.
pub(crate) fn consent(yes: bool, format: Format, shown: impl FnOnce() -> String) -> bool {
    if format == Format::Text || !yes {
        output::message(shown().trim_end());
    }
    yes || output::ask("Go ahead?").unwrap_or(false)
}

/// What is not freed, for the program ends with it: taking a world apart piece by piece takes longer
/// than many a rule.
pub(crate) fn kept_to_the_end<T>(value: T) -> ManuallyDrop<T> {
    ManuallyDrop::new(value)
}

/// The exit code of a plan that was judged.
pub(crate) fn verdict_exit(planned: &Planned, accept: &AcceptArgs) -> Exit {
    if !planned.plan.problems.is_empty() {
        Exit::Error
    } else if planned.verdict.is_blocked() {
        Exit::Blocked
    } else if accept.strict && planned.verdict.has_warnings() {
        Exit::Warnings
    } else {
        Exit::Done
    }
}

/// The exit code of a run.
pub(crate) fn outcome_exit(outcome: &Outcome, accept: &AcceptArgs) -> Exit {
    match outcome {
        Outcome::Refused(planned) | Outcome::Settled(planned) => verdict_exit(planned, accept),
        Outcome::Ran(_, summary) if summary.stopped.is_some() => Exit::Stopped,
        Outcome::Ran(_, summary) if !summary.is_complete() => Exit::Error,
        Outcome::Ran(planned, _) => verdict_exit(planned, accept),
    }
}

/// Acceptances that match nothing are an error also where nothing is carried out.
pub(crate) fn refuse_unused(verdict: &Verdict) -> Result<(), CommandError> {
    if verdict.unused.is_empty() {
        Ok(())
    } else {
        Err(DeployError::UnusedAcceptance(verdict.unused.clone()).into())
    }
}

/// Renders an outcome and returns its exit code.
pub(crate) fn finish(
    command: &'static str,
    format: Format,
    outcome: &Outcome,
    accept: &AcceptArgs,
) -> Result<Exit, CommandError> {
    let exit = outcome_exit(outcome, accept);
    let (judged, ended) = render::ended(outcome);
    write(&match format {
        Format::Text => render::text::outcome(command, judged, ended),
        Format::Json => render::json::outcome(command, exit, judged, ended),
    })?;
    Ok(exit)
}
