//! How each kind of a plan is addressed, kinds that the plan itself defines included.

use std::collections::BTreeMap;

use serde_json::Value;
use underpin_model::{GroupKind, Object, ObjectKey, ResourceKind, World};

/// Kinds that the cluster serves, and those it will serve once the plan's definitions are applied.
#[derive(Clone, Debug)]
pub(crate) struct Kinds(BTreeMap<GroupKind, ResourceKind>);

impl Kinds {
    pub(crate) fn new<'o>(world: &World, declared: impl Iterator<Item = &'o Object>) -> Self {
        let mut kinds = world.kinds.clone();
        for definition in declared.filter_map(defined) {
            kinds
                .entry(definition.kind.clone())
                .and_modify(|served| extend(served, &definition))
                .or_insert(definition);
        }
        Self(kinds)
    }

    pub(crate) fn get(&self, kind: &GroupKind) -> Option<&ResourceKind> {
        self.0.get(kind)
    }
}

/// A definition may add versions to a kind that is served already.
fn extend(served: &mut ResourceKind, definition: &ResourceKind) {
    for version in &definition.versions {
        if !served.versions.contains(version) {
            served.versions.push(version.clone());
        }
    }
}

/// What a CustomResourceDefinition (v1, or v1beta1 with its single `version`) will serve.
fn defined(object: &Object) -> Option<ResourceKind> {
    if !object
        .key
        .kind
        .is("apiextensions.k8s.io", "CustomResourceDefinition")
    {
        return None;
    }
    let listed = object.at("/spec/versions").and_then(Value::as_array);
    let served = |version: &&Value| version.get("served").and_then(Value::as_bool) != Some(false);
    let mut versions: Vec<String> = listed
        .into_iter()
        .flatten()
        .filter(served)
        .filter_map(|version| Some(version.get("name")?.as_str()?.to_owned()))
        .collect();
    if versions.is_empty() {
        versions.extend(object.text("/spec/version").map(str::to_owned));
    }
    Some(ResourceKind {
        kind: GroupKind::new(
            object.text("/spec/group")?,
            object.text("/spec/names/kind")?,
        ),
        version: versions.first()?.clone(),
        versions,
        plural: object.text("/spec/names/plural")?.to_owned(),
        namespaced: object.text("/spec/scope") != Some("Cluster"),
        listable: true,
    })
}

/// Where an object lives that names no namespace of its own: in `namespace`.
pub(crate) fn placed(object: &Object, world: &World, namespace: &str) -> ObjectKey {
    let mut key = object.key.clone();
    key.namespace = match world.is_namespaced(&key.kind) {
        Some(false) => None,
        _ => Some(key.namespace.unwrap_or_else(|| namespace.to_owned())),
    };
    key
}
