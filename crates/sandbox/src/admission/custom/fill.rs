//! Defaults of a structural schema.

use serde_json::{Map, Value};

use super::{DEPTH_LIMIT, properties};
use crate::admission::view::flag;

/// Sets missing fields that have a default, also within what is set. A null where none may be is
/// as good as missing.
pub(super) fn fill(value: &mut Value, schema: &Value) {
    walk(value, schema, 0);
}

fn walk(value: &mut Value, schema: &Value, depth: usize) {
    if depth > DEPTH_LIMIT {
        return;
    }
    match value {
        Value::Object(map) => object(map, schema, depth),
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    walk(item, schema, depth + 1);
                }
            }
        }
        _ => {}
    }
}

fn object(map: &mut Map<String, Value>, schema: &Value, depth: usize) {
    let known = properties(schema);
    let others = schema
        .get("additionalProperties")
        .filter(|schema| schema.is_object());
    map.retain(|name, value| {
        let schema = known.and_then(|known| known.get(name)).or(others);
        !value.is_null() || schema.is_none_or(may_be_null)
    });
    for (name, schema) in known.into_iter().flatten() {
        let Some(default) = schema.get("default") else {
            continue;
        };
        if !map.contains_key(name) {
            map.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in map.iter_mut() {
        let of_name = known.and_then(|known| known.get(name));
        if let Some(schema) = of_name.or(others) {
            walk(value, schema, depth + 1);
        }
    }
}

fn may_be_null(schema: &Value) -> bool {
    let is_typed = schema.get("type").is_some() || flag(schema, "x-kubernetes-int-or-string");
    flag(schema, "nullable") || !is_typed
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "cases are written as values")]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(given: Value, expected: Value) {
        let schema = json!({"type": "object", "properties": {"spec": {
        "type": "object", "default": {}, "properties": {
            "size": {"type": "integer", "default": 3},
            "null": {"type": "string", "nullable": true, "default": "x"},
            "list": {"type": "array", "items": {"type": "object",
                     "properties": {"p": {"type": "string", "default": "TCP"}}}},
        }}}});
        let mut value = given;
        fill(&mut value, &schema);
        assert_eq!(value, expected);
    }

    #[test]
    fn defaults() {
        check(json!({}), json!({"spec": {"size": 3, "null": "x"}}));
        check(
            json!({"spec": {"size": null, "null": null, "list": [{}]}}),
            json!({"spec": {"size": 3, "null": null, "list": [{"p": "TCP"}]}}),
        );
    }
}
