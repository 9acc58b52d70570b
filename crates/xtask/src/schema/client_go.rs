//! The schema that client-go carries for its apply configurations.
//!
//! It stands as YAML in a Go string, in the form of Kubernetes' structured-merge-diff library:
//! each type is a scalar, a list, a map, or (without schema) all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use underpin_fieldset::schema::openapi::{is_object, opaque, special};
use underpin_fieldset::schema::table::Table;
use underpin_fieldset::schema::{Field, ListRelation, ListType, MapType, Scalar, Schema, Type};
use underpin_source::yaml;

use super::groups;

/// The file within the package, from the root of the file system.
pub(super) const PATH: &str =
    "./usr/share/gocode/src/k8s.io/client-go/applyconfigurations/internal/internal.go";
/// What the string's text stands between.
const BEGIN: &str = "typed.YAMLObject(`";
const END: &str = "`)";
/// Types of the library itself.
const ATOMIC: &str = "__untyped_atomic_";
const DEDUCED: &str = "__untyped_deduced_";
/// How deep types may stand in one another.
const DEPTH_LIMIT: usize = 32;

/// Reads the Go file's text.
///
/// Fails on anything that the known form does not have, rather than leaving it out.
pub(super) fn read(go: &str) -> Result<Table> {
    let (_, rest) = go.split_once(BEGIN).context("no schema in the Go file")?;
    let (text, _) = rest
        .split_once(END)
        .context("the schema in the Go file has no end")?;
    let (documents, diagnostics) = yaml::parse("internal.go", text);
    if let Some(first) = diagnostics.first() {
        bail!("the schema is no YAML: {first:?}");
    }
    let [document] = documents.as_slice() else {
        bail!("{} YAML documents instead of one", documents.len());
    };
    let list = document.value["types"].as_array().context("no types")?;
    let mut definitions = BTreeMap::new();
    for definition in list {
        let name = definition["name"].as_str().context("a type without name")?;
        definitions.insert(name, definition);
    }
    let reader = Reader { definitions };
    let mut schema = Schema::new();
    let mut kinds = BTreeMap::new();
    for (name, definition) in &reader.definitions {
        if [ATOMIC, DEDUCED].contains(name) {
            continue;
        }
        let value = reader.named(name, definition)?;
        if is_object(&value) {
            kinds.insert(groups::kind_of(name)?, Arc::from(*name));
        }
        schema.insert(*name, value);
    }
    Ok(Table {
        sources: Vec::new(),
        kinds,
        schema: Arc::new(schema),
    })
}

struct Reader<'v> {
    definitions: BTreeMap<&'v str, &'v Value>,
}

impl Reader<'_> {
    fn named(&self, name: &str, definition: &Value) -> Result<Type> {
        if let Some(value) = special(name) {
            return Ok(value);
        }
        self.atom(definition, &["name"], 0)
            .with_context(|| format!("type {name}"))
    }

    /// A use of a type: its name, perhaps with another relationship, or the type itself.
    fn reference(&self, node: &Value, depth: usize) -> Result<Type> {
        ensure!(
            depth <= DEPTH_LIMIT,
            "more than {DEPTH_LIMIT} types in one another"
        );
        let Some(name) = node["namedType"].as_str() else {
            return self.atom(node, &[], depth);
        };
        only(node, &["namedType", "elementRelationship"])?;
        let value = match name {
            ATOMIC => opaque(),
            DEDUCED => Type::Deduced,
            _ => Type::Named(name.into()),
        };
        let Some(relationship) = node.get("elementRelationship") else {
            return Ok(value);
        };
        let definition = self.definitions.get(name);
        let definition = definition.with_context(|| format!("no type {name}"))?;
        Ok(match self.atom(definition, &["name"], depth + 1)? {
            Type::Map(map) => Type::Map(MapType {
                atomic: atomic(Some(relationship))?,
                ..map
            }),
            other => other,
        })
    }

    fn atom(&self, node: &Value, besides: &[&str], depth: usize) -> Result<Type> {
        only(node, &[&["scalar", "list", "map"], besides].concat())?;
        match (node.get("scalar"), node.get("list"), node.get("map")) {
            (Some(scalar), None, None) => Ok(Type::Scalar(match scalar.as_str() {
                Some("string") => Scalar::String,
                Some("numeric") => Scalar::Number,
                Some("boolean") => Scalar::Boolean,
                Some("untyped") => Scalar::Any,
                _ => bail!("unknown scalar {scalar}"),
            })),
            (None, Some(list), None) => self.list(list, depth),
            (None, None, Some(map)) => self.map(map, depth),
            (Some(_), Some(list), Some(map)) => {
                let element = |node: &Value| node["elementType"]["namedType"] == *DEDUCED;
                ensure!(
                    element(map) && !atomic(map.get("elementRelationship"))?,
                    "a type of several forms that is not deduced: {node}"
                );
                ensure!(
                    atomic(list.get("elementRelationship"))?,
                    "a deduced list that is not atomic: {node}"
                );
                Ok(Type::Deduced)
            }
            _ => bail!("a type of no known form: {node}"),
        }
    }

    fn list(&self, node: &Value, depth: usize) -> Result<Type> {
        only(node, &["elementType", "elementRelationship", "keys"])?;
        let keys = node.get("keys").and_then(Value::as_array);
        let relation = match (node["elementRelationship"].as_str(), keys) {
            (Some("atomic"), None) => ListRelation::Atomic,
            (Some("associative"), None) => ListRelation::Set,
            (Some("associative"), Some(keys)) => {
                let names = keys.iter().map(|key| key.as_str().map(Arc::from));
                ListRelation::Map(names.collect::<Option<_>>().context("a key is no string")?)
            }
            _ => bail!("a list of no known relationship: {node}"),
        };
        Ok(Type::List(ListType {
            element: Box::new(self.reference(&node["elementType"], depth + 1)?),
            relation,
        }))
    }

    /// Unions are left out: servers ignore them.
    fn map(&self, node: &Value, depth: usize) -> Result<Type> {
        only(
            node,
            &["fields", "elementType", "elementRelationship", "unions"],
        )?;
        let mut fields = BTreeMap::new();
        for field in node["fields"].as_array().into_iter().flatten() {
            only(field, &["name", "type", "default"])?;
            let name = field["name"].as_str().context("a field without name")?;
            let value = self
                .reference(&field["type"], depth + 1)
                .with_context(|| format!("field {name}"))?;
            let default = field.get("default").cloned();
            fields.insert(name.into(), Field { value, default });
        }
        let element = match node.get("elementType") {
            Some(element) => Some(Box::new(self.reference(element, depth + 1)?)),
            None => None,
        };
        Ok(Type::Map(MapType {
            fields,
            element,
            atomic: atomic(node.get("elementRelationship"))?,
        }))
    }
}

fn atomic(relationship: Option<&Value>) -> Result<bool> {
    match relationship.map(Value::as_str) {
        None | Some(Some("separable")) => Ok(false),
        Some(Some("atomic")) => Ok(true),
        Some(_) => bail!("unknown relationship {relationship:?}"),
    }
}

/// Fails on keys that this reader does not know, for they might change the meaning.
fn only(node: &Value, known: &[&str]) -> Result<()> {
    let object = node
        .as_object()
        .with_context(|| format!("expected an object, found {node}"))?;
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => bail!("unknown key {key} in {node}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
