//! Reading and changing the fields that every object has.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What is at a JSON pointer without escapes. (`Value::pointer` copies every token to resolve
/// escapes; this is read many times a request.)
pub(crate) fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    let mut tokens = pointer.split('/').skip(1);
    tokens.try_fold(value, |at, token| match at {
        Value::Object(fields) => fields.get(token),
        Value::Array(items) => items.get(token.parse::<usize>().ok()?),
        _ => None,
    })
}

/// A string at a pointer without escapes; empty if there is none.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    at(value, pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn name(value: &Value) -> &str {
    text(value, "/metadata/name")
}

pub(crate) fn namespace(value: &Value) -> &str {
    text(value, "/metadata/namespace")
}

pub(crate) fn uid(value: &Value) -> &str {
    text(value, "/metadata/uid")
}

pub(crate) fn resource_version(value: &Value) -> &str {
    text(value, "/metadata/resourceVersion")
}

pub(crate) fn is_deleting(value: &Value) -> bool {
    at(value, "/metadata/deletionTimestamp").is_some()
}

/// The finalizers, those of a namespace's spec not among them.
pub(crate) fn finalizers(value: &Value) -> impl Iterator<Item = &str> {
    at(value, "/metadata/finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The child object of that name, made where it is missing or something else.
pub(crate) fn child<'v>(
    value: &'v mut Map<String, Value>,
    name: &str,
) -> &'v mut Map<String, Value> {
    let child = value
        .entry(name)
        .or_insert_with(|| Value::Object(Map::new()));
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    match child {
        Value::Object(map) => map,
        _ => unreachable!("made an object just above"),
    }
}

/// The child object of that name of an object; whatever else the value is becomes an object.
pub(crate) fn child_of<'v>(value: &'v mut Value, name: &str) -> &'v mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => child(map, name),
        _ => unreachable!("made an object just above"),
    }
}

/// A time as the API writes it: UTC, whole seconds.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The metadata, to change it.
pub(crate) fn metadata(value: &mut Value) -> Option<&mut Map<String, Value>> {
    value.get_mut("metadata").and_then(Value::as_object_mut)
}
