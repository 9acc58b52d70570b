//! For programs.

use schemars::JsonSchema;
use serde::Serialize;
use underpin_model::Place;

use super::Checked;
use crate::render::documents::{FindingDocument, PlaceDocument, ProblemDocument, text};

/// What is wrong in files, as far as that shows without a cluster.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckDocument {
    /// How many stack files were checked.
    stack_files: usize,
    /// How many objects the files declare.
    objects: usize,
    /// What is wrong in them.
    diagnostics: Vec<ProblemDocument>,
    /// What the rules found.
    findings: Vec<FindingDocument>,
    /// What comments in the files suppress.
    suppressed: Vec<SuppressedDocument>,
    /// What may declare objects and was not looked into, such as charts.
    not_looked_into: Vec<OpaqueDocument>,
    /// The commit that the files were compared with, with `--changed-since`.
    changed_since: Option<String>,
    /// What else is good to know; absent where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// A finding that a comment suppresses.
#[derive(Serialize, JsonSchema)]
struct SuppressedDocument {
    /// The finding.
    finding: FindingDocument,
    /// Where the comment stands.
    place: PlaceDocument,
    /// The reason that it gives.
    reason: String,
}

/// Something that may declare objects.
#[derive(Serialize, JsonSchema)]
struct OpaqueDocument {
    /// Where it is, or is referred to.
    place: PlaceDocument,
    /// What it is, and why it is not looked into.
    what: String,
}

impl From<&(Place, String)> for OpaqueDocument {
    fn from((place, what): &(Place, String)) -> Self {
        Self {
            place: place.into(),
            what: what.clone(),
        }
    }
}

/// The document.
pub(crate) fn json(checked: &Checked) -> String {
    let suppressed = checked.suppressed.iter().map(|one| SuppressedDocument {
        finding: (&one.finding).into(),
        place: (&one.by.place).into(),
        reason: one.by.reason.clone(),
    });
    let document = CheckDocument {
        stack_files: checked.stack_files,
        objects: checked.objects,
        diagnostics: checked.diagnostics.iter().map(Into::into).collect(),
        findings: checked.findings.iter().map(Into::into).collect(),
        suppressed: suppressed.collect(),
        not_looked_into: checked.opaque.iter().map(Into::into).collect(),
        changed_since: checked.since.clone(),
        notes: checked.notes.clone(),
    };
    text(checked.command, checked.exit, document)
}
