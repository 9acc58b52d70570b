//! The schemas against what kube-apiserver 1.20.2 recorded in `managedFields` for objects applied
//! to it: the division into fields must be the same.
//!
//! The fields are collected here by a walk of its own, which shares nothing with the crate's.

#![allow(clippy::panic, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use underpin_fieldset::schema::crd::of_definition;
use underpin_fieldset::schema::{KindSchema, ListRelation, Schema, Type, builtin};

const RECORDED: &str = include_str!("recorded/applied-1.20.2.json");
/// What every manager leaves out.
const STRIPPED: [&str; 2] = ["name", "namespace"];
/// Where that server and those since 1.27 differ: the values of an object without known fields.
const ATOMIC_BEFORE: &str = "/f:spec/f:anything/f:deep";

/// Fields as `FieldsV1` nests them; whether the place itself is one, and what is below it.
#[derive(Default)]
struct Fields {
    itself: bool,
    below: BTreeMap<String, Fields>,
}

impl Fields {
    fn json(&self) -> Value {
        let mut map = Map::new();
        if self.itself && !self.below.is_empty() {
            map.insert(".".to_owned(), json!({}));
        }
        for (name, fields) in &self.below {
            let below = fields.json();
            if fields.itself || below != json!({}) {
                map.insert(name.clone(), below);
            }
        }
        Value::Object(map)
    }
}

fn collect(schema: &Schema, value_type: &Type, value: &Value, fields: &mut Fields) {
    match (schema.resolve(value_type), value) {
        (Type::Map(map), Value::Object(members)) if !map.atomic => {
            for (name, member) in members {
                let below = fields.below.entry(format!("f:{name}")).or_default();
                let known = map.fields.get(&**name).map(|field| &field.value);
                let member_type = known.or(map.element.as_deref());
                let member_type = member_type.unwrap_or_else(|| panic!("unknown field {name}"));
                collect(schema, member_type, member, below);
                // Later servers own an empty object of a known field too.
                below.itself |= known.is_none();
            }
        }
        (Type::Deduced, Value::Object(members)) => {
            for (name, member) in members {
                let below = fields.below.entry(format!("f:{name}")).or_default();
                collect(schema, &Type::Deduced, member, below);
                below.itself = true;
            }
        }
        (Type::List(list), Value::Array(items)) if list.relation != ListRelation::Atomic => {
            for item in items {
                let name = match &list.relation {
                    ListRelation::Map(keys) => format!("k:{}", key(schema, list, keys, item)),
                    _ => format!("v:{item}"),
                };
                let below = fields.below.entry(name).or_default();
                collect(schema, &list.element, item, below);
                below.itself = true;
            }
        }
        _ => fields.itself = true,
    }
}

fn key(
    schema: &Schema,
    list: &underpin_fieldset::schema::ListType,
    keys: &[std::sync::Arc<str>],
    item: &Value,
) -> Value {
    let Type::Map(map) = schema.resolve(&list.element) else {
        panic!("a keyed list of no objects")
    };
    let found = keys.iter().filter_map(|key| {
        let default = || map.fields.get(key)?.default.clone();
        Some((key.to_string(), item.get(&**key).cloned().or_else(default)?))
    });
    Value::Object(found.collect())
}

#[track_caller]
fn check(kind: &KindSchema, object: &Value, recorded: &Value) {
    let mut fields = Fields::default();
    collect(&kind.schema, &kind.root, object, &mut fields);
    fields.below.remove("f:apiVersion");
    fields.below.remove("f:kind");
    if let Some(metadata) = fields.below.get_mut("f:metadata") {
        for name in STRIPPED {
            metadata.below.remove(&format!("f:{name}"));
        }
    }
    let mut found = fields.json();
    if let Some(place) = found.pointer_mut(ATOMIC_BEFORE) {
        assert_ne!(*place, json!({}), "{ATOMIC_BEFORE} is deduced");
        *place = json!({});
    }
    assert_eq!(
        found, *recorded,
        "{} {}",
        object["kind"], object["metadata"]["name"]
    );
}

#[test]
fn objects_are_divided_as_the_server_recorded() {
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).unwrap();
    assert_eq!(recorded.len(), 13);
    let definition = recorded
        .iter()
        .map(|entry| &entry["object"])
        .find(|object| object["kind"] == "CustomResourceDefinition")
        .unwrap();
    for entry in &recorded {
        let object = &entry["object"];
        let api_version = object["apiVersion"].as_str().unwrap();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = object["kind"].as_str().unwrap();
        let schema = if group == "example.com" {
            of_definition(definition, version).unwrap()
        } else {
            builtin(group, version, kind).unwrap_or_else(|| panic!("no {kind}"))
        };
        check(&schema, object, &entry["fieldsV1"]);
    }
}
