//! Which values of an object must not be shown, and the object without them.

use serde_json::Value;
use underpin_model::Object;

use crate::Fingerprints;

/// Annotations whose text may hold credentials: client-side apply keeps the whole manifest there,
/// Secret data included; proxy entries may hold passwords (R3.6).
const SENSITIVE_ANNOTATIONS: [&str; 3] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "simple-container.com/caddyfile-entry",
    "underpin.dev/route",
];

/// Parts of a variable's name that say that its value is a secret.
const SENSITIVE_NAMES: [&str; 6] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY"];

/// The object's value in the same shape, with every secret leaf replaced by its fingerprint: all
/// of a Secret's data, sensitive annotations, literal values of variables (in `env` lists and
/// ConfigMaps) whose name says that they are secret, and every text that holds the value of a secret
/// variable. Such a variable cannot stand in names and metadata: there it is chance.
pub fn redacted(object: &Object, fingerprints: &Fingerprints) -> Value {
    let mut value = (*object.value).clone();
    let data = ["data", "stringData", "binaryData"];
    if object.key.kind.is("", "Secret") {
        for field in data {
            if let Some(data) = value.get_mut(field) {
                hide_leaves(data, fingerprints);
            }
        }
    } else if object.key.kind.is("", "ConfigMap") {
        for field in data {
            let entries = value.get_mut(field).and_then(Value::as_object_mut);
            for (_, entry) in entries
                .into_iter()
                .flatten()
                .filter(|(key, _)| is_sensitive(key))
            {
                hide_leaves(entry, fingerprints);
            }
        }
    }
    hide_nested(&mut value, fingerprints);
    for (field, child) in value.as_object_mut().into_iter().flatten() {
        if !["apiVersion", "kind", "metadata"].contains(&field.as_str()) {
            hide_substituted(child, fingerprints);
        }
    }
    value
}

/// Texts that hold the value of a secret variable.
fn hide_substituted(value: &mut Value, fingerprints: &Fingerprints) {
    match value {
        Value::Object(map) => map
            .values_mut()
            .for_each(|child| hide_substituted(child, fingerprints)),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| hide_substituted(item, fingerprints)),
        Value::String(text) if fingerprints.is_secret(text) => *value = fingerprints.shown(value),
        _ => {}
    }
}

/// A redacted value as it would be without a key.
pub(crate) fn without_fingerprints(value: Value) -> Value {
    match value {
        Value::String(text) if is_fingerprint(&text) => Fingerprints::default().shown(&Value::Null),
        Value::Array(items) => items.into_iter().map(without_fingerprints).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, child)| (key, without_fingerprints(child)))
            .collect(),
        other => other,
    }
}

fn is_fingerprint(text: &str) -> bool {
    text.starts_with("(secret ") && text.ends_with(')')
}

fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace('-', "_");
    SENSITIVE_NAMES.iter().any(|part| name.contains(part))
}

/// Annotations and variables wherever they stand: pod templates hold both.
fn hide_nested(value: &mut Value, fingerprints: &Fingerprints) {
    match value {
        Value::Object(map) => {
            let sensitive = map
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(is_sensitive);
            if sensitive && let Some(literal @ Value::String(_)) = map.get_mut("value") {
                *literal = fingerprints.shown(literal);
            }
            for (key, child) in map.iter_mut() {
                if SENSITIVE_ANNOTATIONS.contains(&key.as_str()) {
                    hide_leaves(child, fingerprints);
                } else {
                    hide_nested(child, fingerprints);
                }
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| hide_nested(item, fingerprints)),
        _ => {}
    }
}

pub(crate) fn hide_leaves(value: &mut Value, fingerprints: &Fingerprints) {
    match value {
        Value::Object(map) => map
            .values_mut()
            .for_each(|child| hide_leaves(child, fingerprints)),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| hide_leaves(item, fingerprints)),
        Value::Null => {}
        leaf => *leaf = fingerprints.shown(leaf),
    }
}
