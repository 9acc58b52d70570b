//! The parts of an object that the field manager handles apart.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::entry::{ManagedFields, ManagedFieldsError};
use crate::{FieldPath, FieldSet};

/// Fields of metadata that nobody owns.
const UNOWNED_METADATA: [&str; 9] = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
];

static UNOWNED: LazyLock<FieldSet> = LazyLock::new(|| {
    let mut set = FieldSet::new();
    for name in ["apiVersion", "kind", "metadata"] {
        set.insert(&FieldPath::of_fields([name]));
    }
    for name in UNOWNED_METADATA {
        set.insert(&FieldPath::of_fields(["metadata", name]));
    }
    set
});

/// A field set without what nobody owns: `apiVersion`, `kind`, name, uid and the like.
pub fn strip(fields: &FieldSet) -> FieldSet {
    fields.difference(&UNOWNED)
}

/// [`strip`], sparing the copy.
pub(super) fn stripped(mut fields: FieldSet) -> FieldSet {
    fields.subtract(&UNOWNED);
    fields
}

/// A copy of an object without `metadata.managedFields`.
pub(crate) fn without_managed_fields(object: &Value) -> Value {
    let Value::Object(object) = object else {
        return object.clone();
    };
    let all_but = |map: &Map<String, Value>, left_out: &str| -> Map<String, Value> {
        map.iter()
            .filter(|(name, _)| *name != left_out)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let Some(Value::Object(metadata)) = object.get("metadata") else {
        return Value::Object(object.clone());
    };
    let mut result = all_but(object, "metadata");
    let metadata = all_but(metadata, "managedFields");
    result.insert("metadata".to_owned(), Value::Object(metadata));
    Value::Object(result)
}

/// Takes `metadata.managedFields` out of an object.
pub(super) fn take_managed_fields(object: &mut Value) -> Option<Value> {
    object
        .get_mut("metadata")?
        .as_object_mut()?
        .remove("managedFields")
}

/// Writes `metadata.managedFields`; none if there are no entries.
pub(super) fn set_managed_fields(
    object: &mut Value,
    managed: &ManagedFields,
) -> Result<(), ManagedFieldsError> {
    if managed.0.is_empty() {
        take_managed_fields(object);
        return Ok(());
    }
    let malformed = ManagedFieldsError::Object { field: "metadata" };
    let Value::Object(object) = object else {
        return Err(malformed);
    };
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(metadata) = metadata else {
        return Err(malformed);
    };
    metadata.insert("managedFields".to_owned(), managed.to_json());
    Ok(())
}

/// The object's `apiVersion`.
pub(super) fn api_version(object: &Value) -> Result<&str, ManagedFieldsError> {
    object
        .get("apiVersion")
        .and_then(Value::as_str)
        .filter(|version| !version.is_empty())
        .ok_or(ManagedFieldsError::Object {
            field: "apiVersion",
        })
}

/// An annotation's value.
pub(super) fn annotation<'o>(object: &'o Value, name: &str) -> Option<&'o str> {
    object
        .get("metadata")?
        .get("annotations")?
        .get(name)?
        .as_str()
}
