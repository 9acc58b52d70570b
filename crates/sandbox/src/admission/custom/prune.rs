//! Dropping what a structural schema does not know.

use serde_json::{Map, Value};

use super::{DEPTH_LIMIT, properties};
use crate::admission::{
    path::Path,
    view::flag,
    wire::{self, shape},
};

/// Drops unknown fields and says which they were. The object's own kind and metadata stay.
pub(super) fn prune(value: &mut Value, schema: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Value::Object(map) = value {
        object(map, schema, None, true, &mut unknown, 0);
    }
    unknown
}

fn object(
    map: &mut Map<String, Value>,
    schema: &Value,
    path: Option<&Path<'_>>,
    is_resource: bool,
    unknown: &mut Vec<String>,
    depth: usize,
) {
    if depth > DEPTH_LIMIT {
        return;
    }
    let known = properties(schema);
    let others = schema.get("additionalProperties");
    let preserve = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let is_own = |name: &str| is_resource && matches!(name, "apiVersion" | "kind" | "metadata");
    map.retain(|name, _| {
        let keep = is_own(name)
            || known.is_some_and(|known| known.contains_key(name))
            || others.is_some_and(|others| others != &Value::Bool(false))
            || preserve;
        if !keep {
            let path = path.map_or(Path::root(name), |path| path.child(name));
            unknown.push(path.to_string());
        }
        keep
    });
    for (name, value) in map.iter_mut().filter(|(name, _)| !is_own(name)) {
        let of_name = known.and_then(|known| known.get(name));
        let Some(schema) = of_name.or(others.filter(|others| others.is_object())) else {
            continue;
        };
        let path = path.map_or(Path::root(name), |path| path.child(name));
        self::value(value, schema, &path, unknown, depth + 1);
    }
}

fn value(
    value: &mut Value,
    schema: &Value,
    path: &Path<'_>,
    unknown: &mut Vec<String>,
    depth: usize,
) {
    match value {
        Value::Object(map) => {
            let is_resource = flag(schema, "x-kubernetes-embedded-resource");
            if is_resource {
                embedded_metadata(map, path, unknown);
            }
            object(map, schema, Some(path), is_resource, unknown, depth);
        }
        Value::Array(items) if depth <= DEPTH_LIMIT => {
            let Some(schema) = schema.get("items") else {
                return;
            };
            for (at, item) in items.iter_mut().enumerate() {
                self::value(item, schema, &path.index(at), unknown, depth + 1);
            }
        }
        _ => {}
    }
}

/// The metadata of an object in an object is metadata, too: what that does not know goes.
fn embedded_metadata(map: &mut Map<String, Value>, path: &Path<'_>, unknown: &mut Vec<String>) {
    let Some(metadata @ Value::Object(_)) = map.get_mut("metadata") else {
        return;
    };
    let Some(shape) = shape::shape("meta.ObjectMeta") else {
        return;
    };
    let found = wire::read(shape, metadata);
    let path = path.child("metadata");
    unknown.extend(found.unknown.iter().map(|name| format!("{path}.{name}")));
    *metadata = found.value;
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "cases are written as values")]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: Value, given: Value, expected: Value, dropped: &[&str]) {
        let mut value = given;
        let unknown = prune(&mut value, &schema);
        assert_eq!(value, expected);
        assert_eq!(unknown, dropped);
    }

    #[test]
    fn unknown_fields_go() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "a": {"type": "string"},
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "object"}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                     "properties": {"inner": {"type": "object"}}},
        }}}});
        check(
            schema,
            json!({"kind": "K", "metadata": {"x": 1}, "extra": 1, "spec": {
                "a": "b", "b": 1, "list": [{"n": 1, "m": 2}], "map": {"k": {"z": 1}},
                "free": {"any": 1, "inner": {"gone": 1}}}}),
            json!({"kind": "K", "metadata": {"x": 1}, "spec": {
                "a": "b", "list": [{"n": 1}], "map": {"k": {}}, "free": {"any": 1, "inner": {}}}}),
            &[
                "extra",
                "spec.b",
                "spec.free.inner.gone",
                "spec.list[0].m",
                "spec.map.k.z",
            ],
        );
    }
}
