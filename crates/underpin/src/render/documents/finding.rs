use schemars::JsonSchema;
use serde::Serialize;
use underpin_model::{CascadeGroup, Evidence, Finding, Severity};

use super::{PlaceDocument, names};

/// What a rule found.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FindingDocument {
    /// The rule, such as `UP101`.
    code: String,
    /// How much it weighs.
    severity: SeverityDocument,
    /// Whether the rule could not be decided because something was not read completely.
    unknown: bool,
    /// What it is about, as `--accept CODE:SUBJECT` names it.
    subject: String,
    /// What happens, to what, and why that is bad.
    message: String,
    /// Where it is declared, if a file is to blame.
    place: Option<PlaceDocument>,
    /// Facts that can be checked.
    evidence: Vec<EvidenceDocument>,
    /// Everything that would be deleted along with it, by owner.
    cascade: Vec<GroupDocument>,
    /// The object whose step it concerns.
    step: Option<String>,
    /// What to do: one way out each.
    help: Vec<String>,
    /// The reason that was given with `--accept`; null unless it was accepted.
    accepted: Option<String>,
}

impl From<&Finding> for FindingDocument {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code.to_string(),
            severity: finding.severity.into(),
            unknown: finding.unknown,
            subject: finding.subject.clone(),
            message: finding.message.clone(),
            place: finding.place.as_ref().map(Into::into),
            evidence: finding.evidence.iter().map(Into::into).collect(),
            cascade: finding.cascade.iter().map(Into::into).collect(),
            step: finding.step.as_ref().map(ToString::to_string),
            help: finding.help.clone(),
            accepted: finding.accepted.clone(),
        }
    }
}

/// How much a finding weighs.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum SeverityDocument {
    /// Worth knowing.
    Note,
    /// A standing risk, or something that was already so.
    Warn,
    /// The plan is refused, unless the finding is accepted.
    Block,
}

impl From<Severity> for SeverityDocument {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Note => Self::Note,
            Severity::Warn => Self::Warn,
            Severity::Block => Self::Block,
        }
    }
}

/// A fact that can be checked.
#[derive(Serialize, JsonSchema)]
pub(crate) struct EvidenceDocument {
    /// The object.
    object: String,
    /// The field; empty for the object as a whole.
    path: String,
    /// Where it is written, in a file.
    place: Option<PlaceDocument>,
    /// What it says.
    note: String,
}

impl From<&Evidence> for EvidenceDocument {
    fn from(evidence: &Evidence) -> Self {
        Self {
            object: evidence.object.to_string(),
            path: evidence.path.as_str().to_owned(),
            place: evidence.place.as_ref().map(Into::into),
            note: evidence.note.clone(),
        }
    }
}

/// Objects of one owner.
#[derive(Serialize, JsonSchema)]
pub(crate) struct GroupDocument {
    /// Whose they are.
    owner: String,
    /// The objects.
    objects: Vec<String>,
}

impl From<&CascadeGroup> for GroupDocument {
    fn from(group: &CascadeGroup) -> Self {
        Self {
            owner: group.owner.to_string(),
            objects: names(&group.objects),
        }
    }
}
