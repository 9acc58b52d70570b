//! Objects as the state of another tool holds them.

use underpin_model::ObjectKey;

/// One object in another tool's state: what the tool will read when it deletes, whatever the
/// program or the live object says meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedObject {
    /// The object.
    pub key: ObjectKey,
    /// The tool, as [`underpin_refs::Protection::tool`] names it: `Helm`.
    pub tool: &'static str,
    /// Its unit: a release or a stack.
    pub unit: String,
    /// Protection keys in the recorded manifest, as [`underpin_refs::Protection::key`] writes them.
    pub protections: Vec<String>,
}
