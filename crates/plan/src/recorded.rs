//! Objects as the state of another tool holds them.

use underpin_model::{Object, ObjectKey, Owner};

/// What is known of other tools' states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The objects in the states that could be read.
    pub objects: Vec<RecordedObject>,
    /// The states that are there, or may be, and could not be read.
    pub unread: Vec<UnreadRecord>,
}

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

/// Another tool's state that could not be read: what it records is unknown, not absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadRecord {
    /// The tool, as [`underpin_refs::Protection::tool`] names it.
    pub tool: &'static str,
    /// The unit whose state it is; `None` when not even the units are known.
    pub unit: Option<String>,
    /// The namespace in which the state is kept.
    pub namespace: String,
    /// Why it could not be read.
    pub reason: String,
}

impl UnreadRecord {
    /// The unit that the live object's marks name, if its record is this unread one.
    pub(crate) fn unit_of(&self, object: &Object) -> Option<String> {
        let Owner::Tool { tool, name } = underpin_refs::tool_owner(object) else {
            return None;
        };
        // A mark without a namespace is about the object's own.
        let (namespace, unit) = match name.split_once('/') {
            Some((namespace, unit)) => (Some(namespace), unit),
            None => (object.key.namespace.as_deref(), name.as_str()),
        };
        let same = tool == self.tool
            && namespace == Some(self.namespace.as_str())
            && self.unit.as_deref().is_none_or(|own| own == unit);
        same.then(|| unit.to_owned())
    }
}
