//! The annotation of client-side apply, which `kubectl apply --server-side` succeeds.

use serde_json::Value;

use super::{
    conflict::Conflict,
    object::{annotation, api_version},
};
use crate::{
    FieldSet,
    schema::KindSchema,
    typed::{compare, fields_of, validate},
    value,
};

/// Where client-side apply keeps what it applied.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The only manager that the server reads and writes the annotation for.
const KUBECTL: &str = "kubectl";
/// Bytes of all annotations of an object, names included.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// The conflicts that remain when those with the manager's own former client-side apply do not
/// count.
pub(super) fn left_over(
    live: &Value,
    manager: &str,
    conflicts: Vec<Conflict>,
    schema: &KindSchema,
) -> Vec<Conflict> {
    if manager != KUBECTL {
        return conflicts;
    }
    let Some(allowed) = allowed(live, schema) else {
        return conflicts;
    };
    conflicts
        .into_iter()
        .filter(|conflict| !allowed.contains(&conflict.field))
        .collect()
}

/// What client-side apply last applied and is still so; `None` if that cannot be told.
fn allowed(live: &Value, schema: &KindSchema) -> Option<FieldSet> {
    let text = annotation(live, LAST_APPLIED).filter(|text| !text.is_empty())?;
    let applied: Value = serde_json::from_str(text).ok()?;
    if api_version(&applied).ok()? != api_version(live).ok()? {
        return None;
    }
    validate(live, schema).ok()?;
    let fields = fields_of(&applied, schema).ok()?;
    let changes = compare(&applied, live, schema);
    Some(
        fields
            .difference(&changes.modified)
            .difference(&changes.added)
            .difference(&changes.removed),
    )
}

/// Writes the annotation anew if the object has it, for tools that still apply client-side.
pub(super) fn refresh(object: &mut Value, manager: &str, config: &Value) {
    let present = annotation(object, LAST_APPLIED).is_some_and(|text| !text.is_empty());
    if manager != KUBECTL || !present {
        return;
    }
    let mut config = config.clone();
    if let Some(Value::Object(annotations)) = config.pointer_mut("/metadata/annotations") {
        annotations.remove(LAST_APPLIED);
    }
    let mut text = String::new();
    value::write_json(&mut text, &config);
    text.push('\n');
    let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") else {
        return;
    };
    annotations.insert(LAST_APPLIED.to_owned(), Value::String(text));
    let size: usize = annotations
        .iter()
        .map(|(name, value)| name.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > ANNOTATIONS_LIMIT {
        annotations.remove(LAST_APPLIED);
    }
}
