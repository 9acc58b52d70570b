//! Which values of an object must not be shown, and the object without them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use underpin_model::{Object, names};
use underpin_refs::ENTRY_ANNOTATIONS;

use crate::{Fingerprints, fingerprint::HIDDEN};

/// The type of Secrets that hold a ServiceAccount's token; beside it they name its namespace and the
/// cluster's authority, which everybody knows.
const ACCOUNT_TOKEN: &str = "kubernetes.io/service-account-token";

/// Parts of a variable's name that say that its value is a secret.
const SENSITIVE_NAMES: [&str; 6] = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "APIKEY", "API_KEY"];

/// The object's value in the same shape, with every secret leaf replaced by its fingerprint: all
/// of a Secret's data, sensitive annotations, literal values of variables (in `env` lists and
/// ConfigMaps) whose name says that they are secret, and every text that holds the value of a secret
/// variable. Such a variable cannot stand in names and metadata: there it is chance.
pub fn redacted(object: &Object, fingerprints: &Fingerprints) -> Value {
    let mut value = (*object.value).clone();
    visit_secrets(object, &mut value, &mut |leaf| {
        *leaf = fingerprints.shown(leaf);
    });
    for (field, child) in value.as_object_mut().into_iter().flatten() {
        if !["apiVersion", "kind", "metadata"].contains(&field.as_str()) {
            visit_leaves(child, &mut |leaf| {
                let hidden = leaf
                    .as_str()
                    .is_some_and(|text| fingerprints.mask().hides(text));
                if hidden {
                    *leaf = fingerprints.shown(leaf);
                }
            });
        }
    }
    value
}

/// A value with every leaf replaced by its fingerprint.
pub(crate) fn hide_leaves(value: &mut Value, fingerprints: &Fingerprints) {
    visit_leaves(value, &mut |leaf| *leaf = fingerprints.shown(leaf));
}

/// The texts that [`redacted`] would replace, Secret data decoded as well: what must not be shown
/// where it turns up elsewhere, as in a log.
pub fn secret_values(object: &Object) -> Vec<String> {
    let mut values = Vec::new();
    let encoded = object.key.kind.is("", "Secret");
    let mut value = (*object.value).clone();
    if encoded && object.text("/type") == Some(ACCOUNT_TOKEN) {
        let data = value.get_mut("data").and_then(Value::as_object_mut);
        for (_, data) in data
            .into_iter()
            .flatten()
            .filter(|(key, _)| ["namespace", "ca.crt"].contains(&key.as_str()))
        {
            *data = Value::Null;
        }
    }
    visit_secrets(object, &mut value, &mut |leaf| {
        let Some(text) = leaf.as_str() else { return };
        let decoded = STANDARD.decode(text).ok().filter(|_| encoded);
        values.extend(decoded.and_then(|bytes| String::from_utf8(bytes).ok()));
        values.push(text.to_owned());
    });
    values
}

/// Calls `visit` with every secret leaf of `value`, which is the value of `object`.
fn visit_secrets(object: &Object, value: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let data = ["data", "stringData", "binaryData"];
    if object.key.kind.is("", "Secret") {
        for field in data {
            if let Some(data) = value.get_mut(field) {
                visit_leaves(data, visit);
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
                visit_leaves(entry, visit);
            }
        }
    }
    visit_nested(value, visit);
}

/// Whether a text in the value holds the value of a secret variable.
pub(crate) fn holds_secret(value: &Value, fingerprints: &Fingerprints) -> bool {
    match value {
        Value::Object(map) => map.values().any(|child| holds_secret(child, fingerprints)),
        Value::Array(items) => items.iter().any(|item| holds_secret(item, fingerprints)),
        Value::String(text) => fingerprints.mask().hides(text),
        _ => false,
    }
}

/// A redacted value with its other texts hidden too.
pub(crate) fn hide_texts(value: &mut Value, fingerprints: &Fingerprints) {
    visit_leaves(value, &mut |leaf| {
        let plain = leaf
            .as_str()
            .is_some_and(|text| text != HIDDEN && !is_fingerprint(text));
        if plain {
            *leaf = fingerprints.shown(leaf);
        }
    });
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
fn visit_nested(value: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Object(map) => {
            let sensitive = map
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(is_sensitive);
            if sensitive && let Some(literal @ Value::String(_)) = map.get_mut("value") {
                visit(literal);
            }
            for (key, child) in map.iter_mut() {
                // Their text may hold credentials (R3.6): client-side apply keeps the whole manifest.
                if key == names::LAST_APPLIED_ANNOTATION
                    || ENTRY_ANNOTATIONS.contains(&key.as_str())
                {
                    visit_leaves(child, visit);
                } else {
                    visit_nested(child, visit);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit_nested(item, visit)),
        _ => {}
    }
}

fn visit_leaves(value: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Object(map) => map
            .values_mut()
            .for_each(|child| visit_leaves(child, visit)),
        Value::Array(items) => items.iter_mut().for_each(|item| visit_leaves(item, visit)),
        Value::Null => {}
        leaf => visit(leaf),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    #[track_caller]
    fn check(value: Value, expect: &[&str]) {
        let object = Object::from_value(value, Depth::Full, Origin::Live).unwrap();
        assert_eq!(secret_values(&object), expect);
    }

    #[test]
    fn secret_values_are_data_and_variables_that_are_called_so() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
            "data": {"password": "aHVudGVyMg=="}, "stringData": {"user": "bob!"},
        });
        check(secret, &["hunter2", "aHVudGVyMg==", "bob!"]);
        // What stands beside a token is known to everybody.
        let token = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "default-token"},
            "type": ACCOUNT_TOKEN,
            "data": {"namespace": "c2hvcA==", "ca.crt": "Y2E=", "token": "aHVudGVyMg==",
                "password": "Ym9iIQ=="},
        });
        check(token, &["bob!", "Ym9iIQ==", "hunter2", "aHVudGVyMg=="]);
        let env = json!([{"name": "API_TOKEN", "value": "t0ken"}, {"name": "PORT", "value": "80"}]);
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "a", "env": env}]},
        });
        check(pod, &["t0ken"]);
    }
}
