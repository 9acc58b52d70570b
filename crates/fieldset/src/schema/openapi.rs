//! Types from OpenAPI, as the API server derives them.
//!
//! The server merges by what its own OpenAPI document says, through the extensions
//! `x-kubernetes-list-type`, `-list-map-keys`, `-map-type` and `-preserve-unknown-fields`, and
//! where a list has no list type, through `x-kubernetes-patch-strategy` and `-patch-merge-key`.
//!
//! The rules are those of Kubernetes 1.27 and later. Earlier servers differ in one thing: what has
//! no type, and the values of an object without known fields, are atomic there and deduced here.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::{Map, Value};
use thiserror::Error;

use super::table::{KindName, Table};
use super::{Field, ListRelation, ListType, MapType, Scalar, Schema, Type};

/// The name of every object's metadata's type.
pub const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// Types that the server treats apart from what their schema says.
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const RAW_EXTENSION: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
/// How deep schemas may stand in one another. A JSON text that `serde_json` reads has at most 64
/// levels, for each takes two of its own.
const DEPTH_LIMIT: usize = 100;

/// A schema that the server would not take.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{path}: {problem}")]
pub struct SchemaError {
    /// Where, from the schema's root; empty for the root itself.
    pub path: SchemaPath,
    /// What is wrong there.
    pub problem: SchemaProblem,
}

/// Fields from a schema's root to a place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchemaPath {
    /// Innermost first.
    steps: Vec<String>,
}

impl fmt::Display for SchemaPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("schema")?;
        for step in self.steps.iter().rev() {
            write!(f, ".{step}")?;
        }
        Ok(())
    }
}

/// What is wrong with a schema.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SchemaProblem {
    /// A schema is an object.
    #[error("expected an object")]
    NotAnObject,
    /// A structural schema gives every field a type.
    #[error("no type, and neither x-kubernetes-int-or-string nor -preserve-unknown-fields")]
    Untyped,
    /// OpenAPI has no such type.
    #[error("unknown type {0}")]
    UnknownType(String),
    /// A list type or map type that the server does not know.
    #[error("unknown {extension}: {value}")]
    UnknownMergeType {
        /// The extension's name.
        extension: &'static str,
        /// Its value.
        value: String,
    },
    /// A list of type `map` without keys.
    #[error("x-kubernetes-list-type is map, and x-kubernetes-list-map-keys names no keys")]
    NoKeys,
    /// Schemas in one another beyond any real one.
    #[error("more than {DEPTH_LIMIT} schemas in one another")]
    TooDeep,
}

impl SchemaError {
    fn here(problem: SchemaProblem) -> Self {
        Self {
            path: SchemaPath::default(),
            problem,
        }
    }

    fn below(mut self, step: &str) -> Self {
        self.path.steps.push(step.to_owned());
        self
    }
}

type Converted<T> = Result<T, SchemaError>;

/// Reads a server's `/openapi/v2` document: all definitions, and the kinds that have metadata.
///
/// Fails where the server itself would. A document without definitions gives an empty table.
pub fn of_document(document: &Value) -> Result<Table, SchemaError> {
    let none = Map::new();
    let definitions = document.get("definitions").and_then(Value::as_object);
    let definitions = definitions.unwrap_or(&none);
    let converter = Converter {
        structural: false,
        definitions,
    };
    let mut schema = Schema::new();
    let mut kinds = BTreeMap::new();
    for (name, node) in definitions {
        let value = match special(name) {
            Some(value) => value,
            None => converter
                .convert(node, false, 0)
                .map_err(|error| error.below(name))?,
        };
        if is_object(&value) {
            let name: Arc<str> = name.as_str().into();
            kinds.extend(kinds_of(node).map(|kind| (kind, Arc::clone(&name))));
        }
        schema.insert(name.as_str(), value);
    }
    Ok(Table {
        sources: Vec::new(),
        kinds,
        schema: Arc::new(schema),
    })
}

/// Whether a type is that of a whole object: it has `apiVersion`, `kind` and [`OBJECT_META`].
pub fn is_object(value: &Type) -> bool {
    let Type::Map(map) = value else {
        return false;
    };
    let metadata = map.fields.get("metadata").map(|field| &field.value);
    map.fields.contains_key("apiVersion")
        && map.fields.contains_key("kind")
        && matches!(metadata, Some(Type::Named(name)) if &**name == OBJECT_META)
}

/// The types that the server treats apart: a quantity may be a number too, an extension is one
/// object whatever is in it.
pub fn special(name: &str) -> Option<Type> {
    match name {
        QUANTITY => Some(Type::Scalar(Scalar::Any)),
        RAW_EXTENSION => Some(opaque()),
        _ => None,
    }
}

/// An object of unknown fields that is owned and replaced as one.
pub fn opaque() -> Type {
    Type::Map(MapType {
        fields: BTreeMap::new(),
        element: Some(Box::new(Type::Deduced)),
        atomic: true,
    })
}

/// The kinds that a definition says it describes.
fn kinds_of(node: &Value) -> impl Iterator<Item = KindName> {
    let list = node.get("x-kubernetes-group-version-kind");
    let entries = list.and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| {
        let part = |name: &str| entry.get(name).and_then(Value::as_str).map(Arc::from);
        Some(KindName {
            group: part("group")?,
            version: part("version")?,
            kind: part("kind")?,
        })
    })
}

/// Converts schemas of one document.
pub(super) struct Converter<'d> {
    /// Whether a field without type is an error.
    pub(super) structural: bool,
    /// What a `$ref` may name.
    pub(super) definitions: &'d Map<String, Value>,
}

impl Converter<'_> {
    /// Converts one schema. `preserve` says that an enclosing schema preserves unknown fields.
    pub(super) fn convert(&self, node: &Value, preserve: bool, depth: usize) -> Converted<Type> {
        if depth > DEPTH_LIMIT {
            return Err(SchemaError::here(SchemaProblem::TooDeep));
        }
        let Some(node) = node.as_object() else {
            return Err(SchemaError::here(SchemaProblem::NotAnObject));
        };
        if let Some(name) = reference(node) {
            return self.named(node, name, depth);
        }
        let own = is_true(node, "x-kubernetes-preserve-unknown-fields");
        let preserve = preserve || own;
        match node.get("type").and_then(Value::as_str).unwrap_or("") {
            "" if is_true(node, "x-kubernetes-int-or-string") => Ok(Type::Scalar(Scalar::Any)),
            "" if self.structural && !own => Err(SchemaError::here(SchemaProblem::Untyped)),
            "" => self.untyped(node, preserve, depth),
            "object" => self.object(node, preserve, depth),
            "array" => self.list(node, preserve, depth),
            "integer" | "number" => Ok(Type::Scalar(Scalar::Number)),
            "boolean" => Ok(Type::Scalar(Scalar::Boolean)),
            "string" => Ok(Type::Scalar(
                match node.get("format").and_then(Value::as_str) {
                    None | Some("" | "byte") => Scalar::String,
                    Some(_) => Scalar::Any,
                },
            )),
            other => Err(SchemaError::here(SchemaProblem::UnknownType(
                other.to_owned(),
            ))),
        }
    }

    /// A reference; a map type beside it overrides that of what it names.
    fn named(&self, node: &Map<String, Value>, name: &str, depth: usize) -> Converted<Type> {
        let named = Type::Named(name.into());
        let Some(atomic) = map_type(node)? else {
            return Ok(named);
        };
        let Some(definition) = self.definitions.get(name) else {
            return Ok(named);
        };
        // References within it stay references, so that a circle ends here.
        let plain = Converter {
            definitions: &Map::new(),
            ..*self
        };
        Ok(match plain.convert(definition, false, depth + 1)? {
            Type::Map(map) => Type::Map(MapType { atomic, ..map }),
            other => other,
        })
    }

    /// The server takes any value here, and merges it by the form that it has. Of several forms
    /// the schema describes at most one, and that one counts.
    fn untyped(&self, node: &Map<String, Value>, preserve: bool, depth: usize) -> Converted<Type> {
        let described = ["properties", "additionalProperties"]
            .iter()
            .any(|name| node.contains_key(*name));
        let embedded = is_true(node, "x-kubernetes-embedded-resource");
        if described || embedded || map_type(node)? == Some(true) {
            self.object(node, preserve, depth)
        } else if node.contains_key("items") {
            self.list(node, preserve, depth)
        } else {
            Ok(Type::Deduced)
        }
    }

    fn object(&self, node: &Map<String, Value>, preserve: bool, depth: usize) -> Converted<Type> {
        let mut fields = BTreeMap::new();
        let properties = node.get("properties").and_then(Value::as_object);
        for (name, member) in properties.into_iter().flatten() {
            let value = self
                .convert(member, preserve, depth + 1)
                .map_err(|error| error.below(name))?;
            let default = member.get("default").filter(|value| !value.is_null());
            let default = default.cloned();
            fields.insert(name.as_str().into(), Field { value, default });
        }
        if is_true(node, "x-kubernetes-embedded-resource") {
            add_object_fields(&mut fields);
        }
        let element = match node.get("additionalProperties") {
            Some(schema @ Value::Object(_)) => {
                let value = self.convert(schema, preserve, depth + 1);
                Some(value.map_err(|error| error.below("*"))?)
            }
            Some(Value::Bool(allowed)) => allowed.then_some(Type::Deduced),
            _ => (preserve || fields.is_empty()).then_some(Type::Deduced),
        };
        Ok(Type::Map(MapType {
            fields,
            element: element.map(Box::new),
            atomic: map_type(node)?.unwrap_or(false),
        }))
    }

    fn list(&self, node: &Map<String, Value>, preserve: bool, depth: usize) -> Converted<Type> {
        let element = match node.get("items") {
            Some(items) => self
                .convert(items, preserve, depth + 1)
                .map_err(|error| error.below("[]"))?,
            None => Type::Deduced,
        };
        Ok(Type::List(ListType {
            element: Box::new(element),
            relation: relation(node)?,
        }))
    }
}

/// Adds what every object has. Replaces what a schema says of these fields, as the server does.
pub(super) fn add_object_fields(fields: &mut BTreeMap<Arc<str>, Field>) {
    let mut add = |name: &str, value| {
        let default = None;
        fields.insert(name.into(), Field { value, default });
    };
    add("apiVersion", Type::Scalar(Scalar::String));
    add("kind", Type::Scalar(Scalar::String));
    add("metadata", Type::Named(OBJECT_META.into()));
}

/// The name that a `$ref` refers to, also where it stands alone in an `allOf`.
fn reference(node: &Map<String, Value>) -> Option<&str> {
    let target = node.get("$ref").and_then(Value::as_str).or_else(|| {
        match node.get("allOf").and_then(Value::as_array)?.as_slice() {
            [only] => only.get("$ref")?.as_str(),
            _ => None,
        }
    })?;
    target.rsplit('/').next().filter(|name| !name.is_empty())
}

fn is_true(node: &Map<String, Value>, name: &str) -> bool {
    node.get(name) == Some(&Value::Bool(true))
}

/// Whether an object is declared atomic; `None` if nothing is declared.
fn map_type(node: &Map<String, Value>) -> Converted<Option<bool>> {
    let extension = "x-kubernetes-map-type";
    match node.get(extension) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if value == "atomic" => Ok(Some(true)),
        Some(Value::String(value)) if value == "granular" => Ok(Some(false)),
        Some(value) => Err(unknown(extension, value)),
    }
}

fn relation(node: &Map<String, Value>) -> Converted<ListRelation> {
    let extension = "x-kubernetes-list-type";
    let value = match node.get(extension) {
        None | Some(Value::Null) => return patch_relation(node),
        Some(value) => value,
    };
    match value.as_str() {
        Some("atomic") => Ok(ListRelation::Atomic),
        Some("set") => Ok(ListRelation::Set),
        Some("map") => {
            let keys = node.get("x-kubernetes-list-map-keys");
            let keys = keys.and_then(Value::as_array).into_iter().flatten();
            let keys: Vec<_> = keys.filter_map(Value::as_str).map(Arc::from).collect();
            if keys.is_empty() {
                return Err(SchemaError::here(SchemaProblem::NoKeys));
            }
            Ok(ListRelation::Map(keys))
        }
        _ => Err(unknown(extension, value)),
    }
}

/// What the older extensions say; they count where there is no list type.
fn patch_relation(node: &Map<String, Value>) -> Converted<ListRelation> {
    let extension = "x-kubernetes-patch-strategy";
    let Some(value) = node.get(extension) else {
        return Ok(ListRelation::Atomic);
    };
    match value.as_str() {
        Some("merge" | "merge,retainKeys") => {
            let key = node.get("x-kubernetes-patch-merge-key");
            Ok(match key.and_then(Value::as_str) {
                Some(key) => ListRelation::Map(vec![key.into()]),
                None => ListRelation::Set,
            })
        }
        Some("retainKeys") => Ok(ListRelation::Atomic),
        _ => Err(unknown(extension, value)),
    }
}

fn unknown(extension: &'static str, value: &Value) -> SchemaError {
    let value = value.to_string();
    SchemaError::here(SchemaProblem::UnknownMergeType { extension, value })
}

#[cfg(test)]
mod tests;
