//! Conflicts, in the server's words.

use super::entry::{ManagerEntry, Operation};
use crate::{FieldPath, FieldSet, value};

/// The reason of every cause in the server's Status.
pub const CONFLICT_REASON: &str = "FieldManagerConflict";

/// A field that the apply would change and another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The owner as the server prints it: `"kubectl" using apps/v1`.
    pub manager: String,
    /// The field.
    pub field: FieldPath,
}

impl Conflict {
    /// The message of the server's cause.
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }

    /// The conflicts with one entry.
    pub(super) fn with(entry: &ManagerEntry, fields: &FieldSet) -> Vec<Self> {
        let manager = printed(entry);
        fields
            .iter()
            .map(|field| Self {
                manager: manager.clone(),
                field,
            })
            .collect()
    }
}

fn printed(entry: &ManagerEntry) -> String {
    let mut out = String::new();
    value::write_quoted(&mut out, &entry.manager);
    if !entry.subresource.is_empty() {
        out.push_str(" with subresource ");
        value::write_quoted(&mut out, &entry.subresource);
    }
    if entry.operation == Operation::Update {
        out.push_str(" using ");
        out.push_str(&entry.api_version);
    }
    out
}

/// The message of the server's Status for these conflicts.
pub fn conflict_message(conflicts: &[Conflict]) -> String {
    if let [conflict] = conflicts {
        let Conflict { manager, field } = conflict;
        return format!("Apply failed with 1 conflict: conflict with {manager}: {field}");
    }
    let mut lines = Vec::new();
    let mut last = None;
    for Conflict { manager, field } in conflicts {
        if last != Some(manager) {
            lines.push(format!("conflicts with {manager}:"));
            last = Some(manager);
        }
        lines.push(format!("- {field}"));
    }
    format!(
        "Apply failed with {} conflicts: {}",
        conflicts.len(),
        lines.join("\n")
    )
}
