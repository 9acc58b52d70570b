//! A small schema with every kind of field, objects of it, and their leaves by a plain walk.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use underpin_fieldset::schema::{
    Field, KindSchema, ListRelation, ListType, MapType, Scalar, Schema, Type,
};

pub(crate) fn scalar(kind: Scalar) -> Type {
    Type::Scalar(kind)
}

pub(crate) fn fields<const N: usize>(fields: [(&str, Type); N]) -> Type {
    let fields = fields.map(|(name, value)| {
        (
            name.into(),
            Field {
                value,
                default: None,
            },
        )
    });
    Type::Map(MapType {
        fields: fields.into_iter().collect(),
        ..MapType::default()
    })
}

pub(crate) fn map_of(element: Type, atomic: bool) -> Type {
    Type::Map(MapType {
        element: Some(Box::new(element)),
        atomic,
        ..MapType::default()
    })
}

pub(crate) fn list_of(element: Type, relation: ListRelation) -> Type {
    Type::List(ListType {
        element: Box::new(element),
        relation,
    })
}

/// `spec`: number, texts by name, a set, ports, containers with ports, an atomic list and map.
pub(crate) fn schema() -> KindSchema {
    let text = || scalar(Scalar::String);
    let number = || scalar(Scalar::Number);
    let Type::Map(mut port) = fields([("port", number()), ("name", text())]) else {
        unreachable!()
    };
    let protocol = Field {
        value: text(),
        default: Some(json!("TCP")),
    };
    port.fields.insert("protocol".into(), protocol);
    let keys = |keys: &[&str]| ListRelation::Map(keys.iter().map(|key| Arc::from(*key)).collect());
    let ports = || list_of(Type::Map(port.clone()), keys(&["port", "protocol"]));
    let container = fields([("name", text()), ("image", text()), ("ports", ports())]);
    let metadata = fields([
        ("name", text()),
        ("namespace", text()),
        ("uid", text()),
        ("deletionTimestamp", text()),
        ("creationTimestamp", text()),
        ("labels", map_of(text(), false)),
        ("annotations", map_of(text(), false)),
        (
            "managedFields",
            list_of(Type::Deduced, ListRelation::Atomic),
        ),
    ]);
    let spec = fields([
        ("replicas", number()),
        ("paused", scalar(Scalar::Boolean)),
        ("cpu", scalar(Scalar::Any)),
        ("texts", map_of(text(), false)),
        ("set", list_of(text(), ListRelation::Set)),
        ("ports", ports()),
        (
            "containers",
            list_of(Type::Named("Container".into()), keys(&["name"])),
        ),
        ("list", list_of(number(), ListRelation::Atomic)),
        ("selector", map_of(text(), true)),
        ("any", Type::Deduced),
    ]);
    let root = fields([
        ("apiVersion", text()),
        ("kind", text()),
        ("metadata", metadata),
        ("spec", spec),
        ("status", fields([("ready", number())])),
    ]);
    let mut schema = Schema::new();
    schema.insert("Container", container);
    schema.insert("Thing", root);
    KindSchema {
        schema: Arc::new(schema),
        root: Type::Named("Thing".into()),
    }
}

/// An object of [`schema`].
pub(crate) fn thing(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec})
}

fn distinct(values: Vec<Value>, key: impl Fn(&Value) -> String) -> Value {
    let mut seen = std::collections::BTreeSet::new();
    Value::Array(
        values
            .into_iter()
            .filter(|value| seen.insert(key(value)))
            .collect(),
    )
}

fn ports() -> impl Strategy<Value = Value> {
    let protocol = prop_oneof![Just(None), Just(Some("TCP")), Just(Some("UDP"))];
    let port = (80..82, protocol, prop::option::of("[xy]")).prop_map(|(port, protocol, name)| {
        let mut value = json!({"port": port});
        if let Some(protocol) = protocol {
            value["protocol"] = json!(protocol);
        }
        if let Some(name) = name {
            value["name"] = json!(name);
        }
        value
    });
    prop::collection::vec(port, 1..4).prop_map(|ports| {
        distinct(ports, |port| {
            format!(
                "{} {}",
                port["port"],
                port["protocol"].as_str().unwrap_or("TCP")
            )
        })
    })
}

fn containers() -> impl Strategy<Value = Value> {
    let container = (
        "[abcd]",
        prop::option::of("[12]"),
        prop::option::of(ports()),
    );
    let container = container.prop_map(|(name, image, ports)| {
        let mut value = json!({"name": name});
        if let Some(image) = image {
            value["image"] = json!(image);
        }
        if let Some(ports) = ports {
            value["ports"] = ports;
        }
        value
    });
    prop::collection::vec(container, 1..5)
        .prop_map(|items| distinct(items, |item| item["name"].to_string()))
}

/// Specs without null and without anything empty.
pub(crate) fn spec() -> impl Strategy<Value = Value> {
    let texts =
        || prop::collection::btree_map("[abc]", "[12]", 1..3).prop_map(|texts| json!(texts));
    let set = prop::collection::vec("[abcde]", 1..5).prop_map(|texts| {
        distinct(
            texts.into_iter().map(Value::String).collect(),
            Value::to_string,
        )
    });
    let all = (
        prop::option::of((1..4).prop_map(|number| json!(number))),
        prop::option::of(texts()),
        prop::option::of(set),
        prop::option::of(ports()),
        prop::option::of(containers()),
        prop::option::of(prop::collection::vec(1..3, 1..3).prop_map(|list| json!(list))),
        prop::option::of(texts()),
    );
    all.prop_map(
        |(replicas, texts, set, ports, containers, list, selector)| {
            let named = [
                ("replicas", replicas),
                ("texts", texts),
                ("set", set),
                ("ports", ports),
                ("containers", containers),
                ("list", list),
                ("selector", selector),
            ];
            let spec: Map<String, Value> = named
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect();
            Value::Object(spec)
        },
    )
}

/// The leaves of a spec by their path as text, by a walk that knows this schema by heart.
pub(crate) fn leaves(object: &Value) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    for (name, value) in object["spec"].as_object().into_iter().flatten() {
        let path = format!(".spec.{name}");
        match &**name {
            "texts" => {
                for (key, value) in value.as_object().unwrap() {
                    out.insert(format!("{path}.{key}"), value.clone());
                }
            }
            "set" => {
                for value in value.as_array().unwrap() {
                    out.insert(format!("{path}[={value}]"), value.clone());
                }
            }
            "ports" => port_leaves(&path, value, &mut out),
            "containers" => {
                for item in value.as_array().unwrap() {
                    let path = format!("{path}[name={}]", item["name"]);
                    for (name, value) in item.as_object().unwrap() {
                        let path = format!("{path}.{name}");
                        if name == "ports" {
                            port_leaves(&path, value, &mut out);
                        } else {
                            out.insert(path, value.clone());
                        }
                    }
                }
            }
            _ => {
                out.insert(path, value.clone());
            }
        }
    }
    out
}

fn port_leaves(path: &str, ports: &Value, out: &mut BTreeMap<String, Value>) {
    for port in ports.as_array().unwrap() {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let path = format!("{path}[port={},protocol=\"{protocol}\"]", port["port"]);
        for (name, value) in port.as_object().unwrap() {
            out.insert(format!("{path}.{name}"), value.clone());
        }
    }
}
