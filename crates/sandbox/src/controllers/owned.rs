//! What a workload controller owns: adoption, release, owner references, template hashes.
//!
//! Source: Kubernetes documentation, "Owners and Dependents"; the workload controllers' rules for
//! claiming by selector.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use underpin_model::{GroupKind, LabelSelector};

use super::{Writer, client};
use crate::{
    State,
    lifecycle::{Key, controller_of},
    object,
};

/// The labels of an object; what is not text is no label.
pub(super) fn labels(value: &Value) -> BTreeMap<&str, &str> {
    text_map(value.pointer("/metadata/labels"))
}

/// A map of texts.
pub(super) fn text_map(value: Option<&Value>) -> BTreeMap<&str, &str> {
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect()
}

/// The selector of a workload; `None` if it has none, or one that nobody understands. An empty one
/// would select everything: it counts as none.
pub(super) fn selector(workload: &Value) -> Option<LabelSelector> {
    let found = workload.pointer("/spec/selector")?;
    let structured = found.get("matchLabels").is_some_and(Value::is_object)
        || found.get("matchExpressions").is_some_and(Value::is_array);
    let selector = if structured {
        LabelSelector::from_structured(found)?
    } else {
        LabelSelector::from_map(found)?
    };
    (!selector.0.is_empty()).then_some(selector)
}

/// An integer in an object.
pub(super) fn integer(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

/// The objects of a kind that a workload manages. Those that match its selector and that nobody
/// manages are adopted first; those of its own that no longer match are released.
pub(super) fn claim(
    state: &mut State,
    owner_kind: &GroupKind,
    owner: &Value,
    kind: &GroupKind,
) -> Vec<Arc<Value>> {
    let uid = object::uid(owner);
    let namespace = object::namespace(owner);
    let selector = selector(owner);
    let matches = |value: &Value| {
        selector
            .as_ref()
            .is_some_and(|selector| selector.matches(&labels(value)))
    };
    if !object::is_deleting(owner) {
        for found in client::list(state, kind, namespace) {
            let theirs = controller_of(&found).map(|controller| controller.uid == uid);
            match theirs {
                None if matches(&found) && !object::is_deleting(&found) => {
                    let adopted = with_owner(&found, owner_kind, owner);
                    client::update(state, Writer::ControllerManager, kind, adopted);
                }
                Some(true) if !matches(&found) => {
                    let released = without_owner(&found, uid);
                    client::update(state, Writer::ControllerManager, kind, released);
                }
                _ => {}
            }
        }
    }
    owned(state, uid, kind)
}

/// The objects of a kind that an owner manages, by name.
pub(super) fn owned(state: &State, uid: &str, kind: &GroupKind) -> Vec<Arc<Value>> {
    let keys = state.dependents.of(uid).filter(|key| key.kind == *kind);
    keys.filter_map(|key| client::get(state, key))
        .filter(|found| controller_of(found).is_some_and(|controller| controller.uid == uid))
        .collect()
}

/// A reference to the object that manages another one.
pub(super) fn reference(kind: &GroupKind, owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": kind.kind,
        "name": object::name(owner),
        "uid": object::uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

fn with_owner(found: &Value, kind: &GroupKind, owner: &Value) -> Value {
    let mut adopted = found.clone();
    if let Some(metadata) = object::metadata(&mut adopted)
        && let Some(references) = metadata
            .entry("ownerReferences")
            .or_insert_with(|| json!([]))
            .as_array_mut()
    {
        references.retain(|one| object::text(one, "/uid") != object::uid(owner));
        references.push(reference(kind, owner));
    }
    adopted
}

fn without_owner(found: &Value, uid: &str) -> Value {
    let mut released = found.clone();
    if let Some(metadata) = object::metadata(&mut released)
        && let Some(references) = metadata
            .get_mut("ownerReferences")
            .and_then(Value::as_array_mut)
    {
        references.retain(|one| object::text(one, "/uid") != uid);
        if references.is_empty() {
            metadata.remove("ownerReferences");
        }
    }
    released
}

/// A short hash of a template, in the letters that names may have (FNV-1a over its JSON).
pub(super) fn hash(template: &Value) -> String {
    const OFFSET: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut hash = OFFSET;
    for byte in template.to_string().bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(PRIME);
    }
    hash.to_string()
        .bytes()
        .map(|digit| char::from(LETTERS[usize::from(digit % 27)]))
        .collect()
}

/// A pod from a workload's template: its labels, annotations and spec, and who manages it.
pub(super) fn pod(
    owner_kind: &GroupKind,
    owner: &Value,
    name: Name<'_>,
    more_labels: &[(&str, &str)],
) -> Value {
    let template = &owner["spec"]["template"];
    let mut metadata = Map::new();
    for field in ["labels", "annotations", "finalizers"] {
        if let Some(value) = template["metadata"].get(field) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let labels = object::child(&mut metadata, "labels");
    for (key, value) in more_labels {
        labels.insert((*key).to_owned(), json!(value));
    }
    if labels.is_empty() {
        metadata.remove("labels");
    }
    match name {
        Name::Exact(name) => metadata.insert("name".to_owned(), json!(name)),
        Name::Prefix(prefix) => metadata.insert("generateName".to_owned(), json!(prefix)),
    };
    metadata.insert("namespace".to_owned(), json!(object::namespace(owner)));
    let reference = reference(owner_kind, owner);
    metadata.insert("ownerReferences".to_owned(), json!([reference]));
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template["spec"],
    })
}

/// How an object comes by its name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'n> {
    Exact(&'n str),
    Prefix(&'n str),
}

/// The key of the object that manages another one, if it is of a kind.
pub(super) fn controller_key(value: &Value, kind: &GroupKind) -> Option<Key> {
    let owner = controller_of(value).filter(|owner| owner.kind == *kind)?;
    Some(Key::new(kind.clone(), object::namespace(value), owner.name))
}

/// Writes numbers into a status: those in `always` even when they are 0.
pub(super) fn set_counts(value: &mut Value, always: &[(&str, i64)], others: &[(&str, i64)]) {
    let Some(root) = value.as_object_mut() else {
        return;
    };
    let status = object::child(root, "status");
    for (name, count) in always {
        status.insert((*name).to_owned(), json!(count));
    }
    for (name, count) in others {
        if *count == 0 {
            status.remove(*name);
        } else {
            status.insert((*name).to_owned(), json!(count));
        }
    }
}

/// A length as the API counts.
pub(super) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
