//! The JSON documents of `--output json`: types that are written and that the schemas are made
//! from. A field is never renamed, and none goes, within a version.

mod error;
mod explain;
mod failure;
mod finding;
mod history;
mod import;
mod place;
mod plan;
mod rbac;
mod result;
mod sandbox;
mod schemas;
mod status;
mod step;

pub(crate) use error::ErrorDocument;
pub(crate) use explain::RulesDocument;
pub(crate) use finding::{EvidenceDocument, FindingDocument, GroupDocument};
pub(crate) use history::{DiffDocument, HistoryDocument};
pub(crate) use import::ImportDocument;
pub(crate) use place::{PlaceDocument, ProblemDocument};
pub(crate) use plan::{DownDocument, FrozenDocument, RunDocument, ShownPlanDocument};
pub(crate) use rbac::RbacDocument;
pub(crate) use result::{NothingRecordedDocument, ResultDocument};
pub(crate) use sandbox::SandboxDocument;
pub use schemas::{CommandSchema, command_schemas};
pub(crate) use schemas::{stream, text};
pub(crate) use status::StatusDocument;

/// Things by the names in which findings and options call them.
fn names<T: ToString>(things: &[T]) -> Vec<String> {
    things.iter().map(ToString::to_string).collect()
}
