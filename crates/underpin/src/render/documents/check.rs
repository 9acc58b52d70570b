use schemars::JsonSchema;
use serde::Serialize;
use underpin_model::Finding;
use underpin_source::Diagnostic;

use super::{ProblemDocument, finding::FindingDocument};

/// What is wrong in files, as far as that shows without a cluster.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckDocument {
    /// How many stack files were checked.
    stack_files: usize,
    /// What is wrong in them.
    diagnostics: Vec<ProblemDocument>,
    /// What the rules found.
    findings: Vec<FindingDocument>,
}

impl CheckDocument {
    pub(crate) fn of(files: usize, diagnostics: &[Diagnostic], findings: &[Finding]) -> Self {
        Self {
            stack_files: files,
            diagnostics: diagnostics.iter().map(Into::into).collect(),
            findings: findings.iter().map(Into::into).collect(),
        }
    }
}
