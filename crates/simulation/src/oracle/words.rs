//! What an object says, and whether it still says it.

use serde_json::Value;

use super::{PROTECT, essence};

/// Whether everything that was said before is still said: more may be.
pub(super) fn keeps(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => old
            .iter()
            .all(|(name, old)| new.get(name).is_some_and(|new| keeps(new, old))),
        (Value::Array(new), Value::Array(old)) => {
            old.iter().all(|old| new.iter().any(|new| keeps(new, old)))
        }
        (new, old) => new == old,
    }
}

/// What an object says, its metadata and status left out.
pub(super) fn payload(object: &Value) -> Value {
    let mut payload = object.clone();
    if let Some(whole) = payload.as_object_mut() {
        whole.remove("metadata");
        whole.remove("status");
    }
    payload
}

/// What whoever made an object has said in it: no word of the controllers'.
pub(super) fn words(object: &Value) -> Value {
    let mut words = essence(object);
    if let Some(metadata) = words.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("finalizers");
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.retain(|key, _| !key.contains("kubernetes.io/"));
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    if let Some(spec) = words.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("volumeName");
    }
    words
}

/// What a namespace says, but for the marks and stamps of those who live in it.
pub(super) fn lived_in(namespace: &Value) -> Value {
    let mut words = words(namespace);
    if let Some(metadata) = words.get_mut("metadata").and_then(Value::as_object_mut)
        && let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
    {
        annotations.retain(|key, _| !key.starts_with("underpin.dev/") || key == PROTECT);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    words
}
