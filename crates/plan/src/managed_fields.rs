//! Who owns which field: what adoption must clean up after itself.
//!
//! A field that our apply takes over from `kubectl create`, client-side apply or Helm stays in that
//! manager's entry too. Left there, it is co-owned, and when we later drop it the server keeps it.
//! So the fields we own are taken out of the former deployer's entries; what we do not declare
//! stays theirs and nothing vanishes.

use serde_json::{Map, Value};
use underpin_model::{Object, names};
use underpin_refs::is_deployer_manager;

/// The object's `metadata.managedFields` without the fields that both our apply and a former
/// deployer own, or `None` if there are none.
pub fn without_co_owned(object: &Object) -> Option<Value> {
    let entries = object.at("/metadata/managedFields")?.as_array()?;
    let ours = our_apply(object)?.get("fieldsV1")?;
    let mut changed = false;
    let mut kept = Vec::with_capacity(entries.len());
    for entry in entries {
        if is_former_deployer(entry)
            && let Some(fields) = entry.get("fieldsV1")
        {
            let rest = difference(fields, ours);
            if rest != *fields {
                changed = true;
                if rest.as_object().is_some_and(Map::is_empty) {
                    continue;
                }
                let mut entry = entry.clone();
                entry["fieldsV1"] = rest;
                kept.push(entry);
                continue;
            }
        }
        kept.push(entry.clone());
    }
    changed.then_some(Value::Array(kept))
}

/// The entry of our own apply on an object.
pub(crate) fn our_apply(object: &Object) -> Option<&Value> {
    let entries = object.at("/metadata/managedFields")?.as_array()?;
    entries.iter().find(|entry| {
        text(entry, "manager") == names::FIELD_MANAGER
            && text(entry, "operation") == "Apply"
            && text(entry, "subresource").is_empty()
    })
}

fn is_former_deployer(entry: &Value) -> bool {
    is_deployer_manager(text(entry, "manager")) && text(entry, "subresource").is_empty()
}

/// A field of an entry; empty where it has none.
pub(crate) fn text<'v>(entry: &'v Value, field: &str) -> &'v str {
    entry.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Fields of `theirs` that `ours` does not own (FieldsV1, KEP-555). An item or map that we own in
/// part keeps the rest; `.` marks the item itself and goes when nothing else of it is left.
fn difference(theirs: &Value, ours: &Value) -> Value {
    let (Value::Object(theirs), Value::Object(ours)) = (theirs, ours) else {
        return theirs.clone();
    };
    let mut rest = Map::new();
    for (key, children) in theirs.iter().filter(|(key, _)| *key != ".") {
        let Some(own) = ours.get(key) else {
            rest.insert(key.clone(), children.clone());
            continue;
        };
        let is_leaf = |value: &Value| value.as_object().is_none_or(Map::is_empty);
        if is_leaf(children) || is_leaf(own) && !key.starts_with("k:") {
            continue;
        }
        let below = difference(children, own);
        if below.as_object().is_some_and(|map| !map.is_empty()) {
            rest.insert(key.clone(), below);
        }
    }
    if let (Some(mark), false) = (theirs.get("."), rest.is_empty()) {
        rest.insert(".".to_owned(), mark.clone());
    }
    Value::Object(rest)
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "tests pass literals")]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    fn object(managed_fields: Value) -> Object {
        let value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "x", "managedFields": managed_fields},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "fieldsV1": fields})
    }

    #[track_caller]
    fn check(theirs: Value, ours: Value, expect: Option<Value>) {
        let with = |fields: Option<Value>| {
            let ours = entry(names::FIELD_MANAGER, "Apply", ours.clone());
            let theirs = fields.map(|fields| entry("kubectl-create", "Update", fields));
            Value::Array(theirs.into_iter().chain([ours]).collect())
        };
        let found = without_co_owned(&object(with(Some(theirs))));
        assert_eq!(
            found,
            expect.map(|fields| with((fields != json!({})).then_some(fields)))
        );
    }

    /// What we own leaves the former deployer's entry; what we do not declare stays theirs.
    #[test]
    fn co_owned_fields_leave_the_former_deployer() {
        let ours = json!({"f:data": {"f:a": {}}});
        check(
            json!({"f:data": {".": {}, "f:a": {}}}),
            ours.clone(),
            Some(json!({})),
        );
        check(
            json!({"f:data": {".": {}, "f:a": {}, "f:b": {}}}),
            ours.clone(),
            Some(json!({"f:data": {".": {}, "f:b": {}}})),
        );
        check(json!({"f:data": {"f:b": {}}}), ours, None);
        check(
            json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}, "f:tty": {}}}}}),
            json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}}),
            Some(
                json!({"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {"f:tty": {}, ".": {}}}}}),
            ),
        );
    }

    #[test]
    fn controllers_keep_their_fields() {
        let fields = json!({"f:data": {"f:a": {}}});
        let object = object(json!([
            entry("kube-controller-manager", "Update", fields.clone()),
            entry(names::FIELD_MANAGER, "Apply", fields),
        ]));
        assert_eq!(without_co_owned(&object), None);
    }
}
