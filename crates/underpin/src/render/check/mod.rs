//! What `check` found: for people, for programs, for code review and for GitHub's log.

mod excerpt;
mod github;
mod json;
mod sarif;
mod text;

pub(crate) use excerpt::Excerpts;
pub(crate) use github::github;
pub(crate) use json::{CheckDocument, json};
pub(crate) use sarif::sarif;
pub(crate) use text::text;

use underpin_model::{Finding, Place, Severity};
use underpin_plan::suppression::Suppressed;
use underpin_source::Diagnostic;

use crate::Exit;

/// What came of a check.
pub(crate) struct Checked {
    /// The command, as its documents name it.
    pub(crate) command: &'static str,
    /// How it ends.
    pub(crate) exit: Exit,
    /// How many stack files were read.
    pub(crate) stack_files: usize,
    /// How many objects the files declare.
    pub(crate) objects: usize,
    /// How many of them no stack file names.
    pub(crate) loose: usize,
    /// What else was looked at, in words such as `1 configuration`.
    pub(crate) besides: Vec<String>,
    /// What else is good to know.
    pub(crate) notes: Vec<String>,
    /// What is wrong with the files.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What the rules found.
    pub(crate) findings: Vec<Finding>,
    /// What comments suppress.
    pub(crate) suppressed: Vec<Suppressed>,
    /// Whether people see what is suppressed.
    pub(crate) show_suppressed: bool,
    /// What may declare objects and was not looked into.
    pub(crate) opaque: Vec<(Place, String)>,
    /// The commit that was compared with: only what changed since is told.
    pub(crate) since: Option<String>,
    /// The lines that are shown.
    pub(crate) excerpts: Excerpts,
}

/// The name by which problems of files go where every result needs a rule.
const PROBLEM: &str = "declared-file-error";

/// A finding's code as it is printed: with a `?` where it is unknown.
fn code(finding: &Finding) -> String {
    let unknown = if finding.unknown { "?" } else { "" };
    format!("{}{unknown}", finding.code)
}

/// What other systems call a severity: SARIF's levels, and with `notice` for `note`, GitHub's.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Block => "error",
        Severity::Warn => "warning",
        Severity::Note => "note",
    }
}
