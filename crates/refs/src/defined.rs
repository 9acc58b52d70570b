//! What a CustomResourceDefinition (v1, and v1beta1 with its single `version`) defines.

use serde_json::Value;
use underpin_model::{GroupKind, Object, ResourceKind};

/// The kind that a CustomResourceDefinition defines, whether it serves it or not.
pub fn defined_kind(object: &Object) -> Option<GroupKind> {
    let kind = &object.key.kind;
    if !kind.is("apiextensions.k8s.io", "CustomResourceDefinition") {
        return None;
    }
    Some(GroupKind::new(
        object.text("/spec/group")?,
        object.text("/spec/names/kind")?,
    ))
}

/// That kind as it will be served; `None` where no version of it is.
pub fn defined(object: &Object) -> Option<ResourceKind> {
    let kind = defined_kind(object)?;
    let listed = list(object, "/spec/versions");
    let served = |version: &&Value| version.get("served").and_then(Value::as_bool) != Some(false);
    let names = listed.iter().filter(served);
    let mut versions: Vec<String> = names
        .filter_map(|version| Some(version.get("name")?.as_str()?.to_owned()))
        .collect();
    if listed.is_empty() {
        versions.extend(object.text("/spec/version").map(str::to_owned));
    }
    Some(ResourceKind {
        kind,
        version: versions.first()?.clone(),
        versions,
        plural: object.text("/spec/names/plural")?.to_owned(),
        namespaced: object.text("/spec/scope") != Some("Cluster"),
        listable: true,
    })
}

/// Whether the API server accepted a CustomResourceDefinition: it serves the kind, or is about to.
pub fn is_established(object: &Object) -> bool {
    let says = |condition: &Value, key: &str, value: &str| {
        condition.get(key).and_then(Value::as_str) == Some(value)
    };
    list(object, "/status/conditions")
        .iter()
        .any(|one| says(one, "type", "Established") && says(one, "status", "True"))
}

fn list<'o>(object: &'o Object, pointer: &str) -> &'o [Value] {
    let found = object.at(pointer).and_then(Value::as_array);
    found.map_or(&[], Vec::as_slice)
}
