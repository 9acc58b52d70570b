//! Custom resources: what their definition's structural schema makes of an object.
//!
//! Pruning, defaults and validation follow the schema of the version that the kind is served in.
//! Rules in the Common Expression Language (`x-kubernetes-validations`) are not evaluated.

mod fill;
mod pattern;
mod prune;
mod validate;

use serde_json::{Map, Value, json};

use super::{
    causes::Causes,
    path::Path,
    view::{flag, list},
    wire::{self, shape},
};
use crate::Kind;

/// What a request's body says: the object without what the schema does not know, the unknown
/// fields, and what could not be read at all.
pub(super) fn read(kind: &Kind, value: &Value) -> (Value, Vec<String>, Option<String>) {
    let mut value = value.clone();
    let (mut unknown, mut problem) = (Vec::new(), None);
    if let Some(metadata) = value.get_mut("metadata")
        && let Some(shape) = shape::shape("meta.ObjectMeta")
    {
        let found = wire::read(shape, metadata);
        unknown.extend(
            found
                .unknown
                .into_iter()
                .map(|name| format!("metadata.{name}")),
        );
        problem = found.problem.map(|problem| problem.0);
        *metadata = found.value;
    }
    if let Some(schema) = schema(kind) {
        unknown.extend(prune::prune(&mut value, schema));
    }
    (value, unknown, problem)
}

/// Sets what is missing and has a default, after unknown fields went.
pub(super) fn set_defaults(kind: &Kind, value: &mut Value) {
    if let Some(schema) = schema(kind) {
        prune::prune(value, schema);
        fill::fill(value, schema);
    }
}

/// What the schema finds wrong.
pub(super) fn validate(causes: &mut Causes, kind: &Kind, value: &Value) {
    if let Some(schema) = schema(kind) {
        validate::validate(causes, value, schema);
    }
}

/// What a schema finds wrong with its own default.
pub(super) fn validate_default(
    causes: &mut Causes,
    path: &Path<'_>,
    default: &Value,
    schema: &Value,
) {
    validate::within(causes, path, default, schema);
}

/// The schema of the version in which a kind is served; `None` if everything is preserved.
fn schema(kind: &Kind) -> Option<&Value> {
    let spec = kind.definition.as_ref()?.get("spec")?;
    if flag(spec, "preserveUnknownFields") {
        return None;
    }
    let mut versions = list(spec, "versions").iter();
    let version = versions.find(|version| version.get("name") == Some(&json!(kind.version)))?;
    version.pointer("/schema/openAPIV3Schema")
}

/// The properties of a schema.
fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// Schemas in schemas deeper than any real one.
const DEPTH_LIMIT: usize = 64;
