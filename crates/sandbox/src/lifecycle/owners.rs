//! Owner references, and the index from an owner to its dependents.
//!
//! Source: Kubernetes API reference, `meta/v1` OwnerReference.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;
use underpin_model::GroupKind;

use crate::{object, state::Change};

/// One object: kind, namespace (empty for cluster-scoped ones) and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: GroupKind,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(kind: GroupKind, namespace: &str, name: &str) -> Self {
        Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The key of an object of a kind.
    pub(crate) fn of(kind: &GroupKind, value: &Value) -> Self {
        Self::new(kind.clone(), object::namespace(value), object::name(value))
    }
}

/// One owner reference, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnerReference<'v> {
    pub(crate) kind: GroupKind,
    pub(crate) version: &'v str,
    pub(crate) name: &'v str,
    pub(crate) uid: &'v str,
    /// Whether the owner, deleted in the foreground, waits for this dependent.
    pub(crate) blocks: bool,
    /// Whether the owner manages this object.
    pub(crate) controls: bool,
}

/// The owner references of an object; what is not one is passed over.
pub(crate) fn owner_references(value: &Value) -> Vec<OwnerReference<'_>> {
    let references = value
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    let flag = |reference: &Value, name: &str| reference.get(name) == Some(&Value::Bool(true));
    references
        .into_iter()
        .flatten()
        .map(|reference| {
            let api_version = object::text(reference, "/apiVersion");
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            OwnerReference {
                kind: GroupKind::new(group, object::text(reference, "/kind")),
                version,
                name: object::text(reference, "/name"),
                uid: object::text(reference, "/uid"),
                blocks: flag(reference, "blockOwnerDeletion"),
                controls: flag(reference, "controller"),
            }
        })
        .collect()
}

/// The owner that manages an object, if one does.
pub(crate) fn controller_of(value: &Value) -> Option<OwnerReference<'_>> {
    owner_references(value)
        .into_iter()
        .find(|owner| owner.controls)
}

/// Dependents by the uid of their owner, whether it exists or not. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dependents {
    by_owner: Arc<BTreeMap<String, BTreeSet<Key>>>,
}

impl Dependents {
    /// All objects that name an owner, in the order of their keys.
    pub(crate) fn of(&self, uid: &str) -> impl Iterator<Item = &Key> {
        self.by_owner.get(uid).into_iter().flatten()
    }

    /// Follows one change.
    pub(super) fn observe(&mut self, change: &Change) {
        let before = change.before.as_deref().map_or_else(Vec::new, owner_uids);
        let after = if change.deleted {
            Vec::new()
        } else {
            owner_uids(&change.object)
        };
        if before == after {
            return;
        }
        let key = Key::of(&change.kind, &change.object);
        let by_owner = Arc::make_mut(&mut self.by_owner);
        for uid in before.iter().filter(|uid| !after.contains(uid)) {
            if let Some(dependents) = by_owner.get_mut(*uid) {
                dependents.remove(&key);
                if dependents.is_empty() {
                    by_owner.remove(*uid);
                }
            }
        }
        for uid in after.iter().filter(|uid| !before.contains(uid)) {
            by_owner
                .entry((*uid).to_owned())
                .or_default()
                .insert(key.clone());
        }
    }
}

fn owner_uids(value: &Value) -> Vec<&str> {
    owner_references(value)
        .into_iter()
        .map(|owner| owner.uid)
        .collect()
}
