//! The normal form of built-in objects: what reading and writing them through Go's types changes,
//! and what the conversion between served and stored form does besides.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::wire::{self, Found, shape};
use crate::{Kind, object::child};

/// Reads an object of a built-in kind; `None` if its types are not known.
pub(super) fn read(kind: &Kind, value: &Value) -> Option<Found> {
    let shape = shape::of_kind(&kind.kind, &kind.version)?;
    let mut found = wire::read(shape, value);
    convert(kind, &mut found.value);
    Some(found)
}

/// Brings an object into normal form; what cannot be read is left out.
pub(super) fn normalise(kind: &Kind, value: &mut Value) {
    if let Some(found) = read(kind, value) {
        *value = found.value;
    }
}

fn convert(kind: &Kind, value: &mut Value) {
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.remove("selfLink");
    }
    let group = kind.kind.group.as_str();
    match (group, kind.kind.kind.as_str()) {
        ("", "Secret") => string_data(value),
        ("", "Pod") => service_account(value, "/spec"),
        ("", "PodTemplate") => service_account(value, "/template/spec"),
        ("batch", "CronJob") => {
            service_account(value, "/spec/jobTemplate/spec/template/spec");
        }
        ("" | "apps" | "batch", _) => service_account(value, "/spec/template/spec"),
        _ => {}
    }
}

/// Plain strings of a Secret win over its data.
fn string_data(value: &mut Value) {
    let Value::Object(map) = value else { return };
    let Some(Value::Object(plain)) = map.remove("stringData") else {
        return;
    };
    let data = child(map, "data");
    for (key, text) in plain {
        let text = text.as_str().unwrap_or_default();
        data.insert(key, json!(STANDARD.encode(text)));
    }
}

/// The old name of the field says what the new one does.
fn service_account(object: &mut Value, spec: &str) {
    let Some(Value::Object(spec)) = object.pointer_mut(spec) else {
        return;
    };
    let text = |spec: &Map<String, Value>, name: &str| {
        let text = spec.get(name).and_then(Value::as_str).unwrap_or_default();
        text.to_owned()
    };
    let mut name = text(spec, "serviceAccountName");
    if name.is_empty() {
        name = text(spec, "serviceAccount");
    }
    if name.is_empty() {
        spec.remove("serviceAccount");
    } else {
        spec.insert("serviceAccountName".to_owned(), json!(name));
        spec.insert("serviceAccount".to_owned(), json!(name));
    }
}
