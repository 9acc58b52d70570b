//! Reading fields of values that may be missing or of another type.

use serde_json::{Map, Value};

static NULL: Value = Value::Null;

/// A field; null if there is none.
pub(crate) fn field<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&NULL)
}

/// What is at a JSON pointer; null if nothing.
pub(crate) fn at<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&NULL)
}

/// A field that is there and not null.
pub(crate) fn present<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).filter(|value| !value.is_null())
}

/// A string field; empty if there is none.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    field(value, name).as_str().unwrap_or_default()
}

/// An integer field.
pub(crate) fn integer(value: &Value, name: &str) -> Option<i64> {
    field(value, name).as_i64()
}

/// Whether a boolean field is true.
pub(crate) fn flag(value: &Value, name: &str) -> bool {
    field(value, name) == &Value::Bool(true)
}

/// The items of a list field.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    items(field(value, name))
}

/// The items of a list.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The entries of a map field.
pub(crate) fn entries<'v>(
    value: &'v Value,
    name: &str,
) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value
        .get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// Number of entries of a map field.
pub(crate) fn count(value: &Value, name: &str) -> usize {
    value
        .get(name)
        .and_then(Value::as_object)
        .map_or(0, Map::len)
}
