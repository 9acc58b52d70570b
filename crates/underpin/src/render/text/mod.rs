//! Text for people.

mod failure;
pub(crate) mod findings;
mod history;
mod import;
mod plan;
mod run;
mod sandbox;
mod status;
mod why;

pub(crate) use history::{diff, history};
pub(crate) use import::{import_plan, imported};
pub(crate) use plan::plan;
pub(crate) use run::outcome;
pub(crate) use sandbox::sandbox;
pub(crate) use status::status;
pub(crate) use why::why;

use underpin_plan::Environment;
use underpin_source::Diagnostic;

use super::style::{self, BOLD, paint};
use crate::error::CommandError;

/// An error: what happened, each place that is to blame, and the way out.
pub(crate) fn error(error: &CommandError) -> String {
    let mut text = format!("{} {error}\n", style::error("error:"));
    for diagnostic in error.diagnostics() {
        text.push_str(&one_diagnostic(diagnostic));
    }
    for movement in error.movements() {
        text.push_str(&format!("  {}: {}\n", movement.subject, movement.message));
    }
    if let Some(help) = error.help() {
        text.push_str(&format!("{} {help}\n", paint(BOLD, "help:")));
    }
    text
}

/// A teardown of what is not there.
pub(crate) fn nothing_recorded(environment: &Environment) -> String {
    format!(
        "nothing is recorded for {} in this cluster; there is nothing to tear down\n\
         `underpin status` shows what is recorded, `underpin import` records what is there\n",
        environment.display_name()
    )
}

/// A problem in a file, with the way out.
pub(crate) fn one_diagnostic(diagnostic: &Diagnostic) -> String {
    let mut text = format!(
        "{}: {} {}\n",
        diagnostic.place,
        style::error("error:"),
        diagnostic.message
    );
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!("    {} {help}\n", paint(BOLD, "help:")));
    }
    text
}
