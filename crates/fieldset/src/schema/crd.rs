//! The schema of a custom resource, from its CustomResourceDefinition.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};
use thiserror::Error;

use super::openapi::{Converter, SchemaError, SchemaProblem, add_object_fields};
use super::{KindSchema, MapType, Type, builtin_table};

/// Why a definition gives no schema. The kind may still be served; only the server knows how
/// its fields merge.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// It has no `spec.versions`, or no version of the name.
    #[error("the CustomResourceDefinition has no version {0}")]
    NoVersion(String),
    /// The server would not take its schema.
    #[error("version {version}: {error}")]
    Schema {
        /// The version.
        version: String,
        /// Where and why.
        error: SchemaError,
    },
}

/// The schema of one version of a CustomResourceDefinition (`apiextensions.k8s.io/v1`, or
/// `v1beta1` with its schema in `spec.validation`).
///
/// As the server sees it: `apiVersion`, `kind` and `metadata` are those of every object, whatever
/// the definition says of them; a version without schema, or with one that is not structural (a
/// field without type), is deduced altogether. Kubernetes 1.20 differs: there a schema with a single
/// `x-kubernetes-int-or-string` is deduced altogether too.
///
/// Fails when the version is missing, and on what the server refuses: unknown types, unknown
/// list and map types, map lists without keys.
pub fn of_definition(crd: &Value, version: &str) -> Result<KindSchema, DefinitionError> {
    let missing = || DefinitionError::NoVersion(version.to_owned());
    let spec = crd.get("spec").ok_or_else(missing)?;
    let versions = spec.get("versions").and_then(Value::as_array);
    let listed = versions.into_iter().flatten().find(|entry| {
        let name = entry.get("name").and_then(Value::as_str);
        name == Some(version)
    });
    // In v1beta1 a single version may stand in spec.version alone.
    if listed.is_none() && spec.get("version").and_then(Value::as_str) != Some(version) {
        return Err(missing());
    }
    let own = listed.and_then(|entry| entry.pointer("/schema/openAPIV3Schema"));
    let common = || spec.pointer("/validation/openAPIV3Schema");
    let Some(node) = own.or_else(common).filter(|node| !node.is_null()) else {
        return Ok(KindSchema::deduced());
    };
    let preserve = spec.get("preserveUnknownFields") == Some(&Value::Bool(true));
    convert(node, preserve).or_else(|error| match error.problem {
        SchemaProblem::Untyped => Ok(KindSchema::deduced()),
        _ => Err(DefinitionError::Schema {
            version: version.to_owned(),
            error,
        }),
    })
}

fn convert(node: &Value, preserve: bool) -> Result<KindSchema, SchemaError> {
    // A structural schema refers to nothing.
    let definitions = Map::new();
    let converter = Converter {
        structural: true,
        definitions: &definitions,
    };
    let mut map = match converter.convert(node, preserve, 0)? {
        Type::Map(map) => map,
        // The root preserves everything without saying that it is an object.
        _ => MapType {
            fields: BTreeMap::new(),
            element: Some(Box::new(Type::Deduced)),
            atomic: false,
        },
    };
    // An object without known fields takes any; the three below do not change that.
    add_object_fields(&mut map.fields);
    Ok(KindSchema {
        // For ObjectMeta.
        schema: Arc::clone(&builtin_table().schema),
        root: Type::Map(map),
    })
}

#[cfg(test)]
mod tests;
