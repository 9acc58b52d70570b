//! A cluster's objects as the oracle sees them: nothing but their JSON.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use underpin_sandbox::State;

/// Kind, namespace (empty for none) and name. Kinds of the simulation have names of their own, so
/// the group tells nothing more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    /// Kind.
    pub kind: String,
    /// Namespace, empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
    }
}

/// Every object at a moment.
pub type Snapshot = BTreeMap<Id, Arc<Value>>;

/// The identity that an object has by its own fields.
pub fn id_of(object: &Value) -> Id {
    Id {
        kind: text(object, "/kind").to_owned(),
        namespace: text(object, "/metadata/namespace").to_owned(),
        name: text(object, "/metadata/name").to_owned(),
    }
}

/// Every object of a state.
pub fn snapshot(state: &State) -> Snapshot {
    state
        .all()
        .map(|(kind, object)| {
            let mut id = id_of(object);
            id.kind.clone_from(&kind.kind);
            (id, object.clone())
        })
        .collect()
}

/// A string at a pointer without escapes; empty if there is none.
pub fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    let mut names = pointer.split('/').skip(1);
    names
        .try_fold(object, |at, name| at.get(name))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The uid.
pub fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// Whether it is being deleted.
pub fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// What people mean by an object: everything but identities, counters, times, the status, and who
/// wrote which field.
pub fn essence(object: &Value) -> Value {
    let mut essence = object.clone();
    if let Some(whole) = essence.as_object_mut() {
        whole.remove("status");
    }
    if let Some(metadata) = essence.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
        ] {
            metadata.remove(field);
        }
    }
    essence
}
