//! What the server puts where something is missing.
//!
//! Simple defaults are a table by type; those that depend on other fields are functions by type.
//! Every structure of an object is visited from the outside in, as the server's own do.

mod core;
mod workloads;

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::{Map, Value, json};

use super::wire::shape::{Shape, Type, shape};

/// Defaults that depend on other fields.
type Rule = fn(&mut Map<String, Value>);

const TEXT: &str = include_str!("table.txt");

static TABLE: LazyLock<BTreeMap<&'static str, Vec<(&'static str, Value)>>> =
    LazyLock::new(|| parse(TEXT));

/// By type; each runs before the table does.
const RULES: &[(&str, Rule)] = &[
    ("apiextensions.CustomResourceDefinition", definition),
    ("apps.DaemonSet", workloads::daemon_set),
    (
        "apps.DaemonSetUpdateStrategy",
        workloads::daemon_set_strategy,
    ),
    ("apps.DeploymentStrategy", workloads::deployment_strategy),
    (
        "apps.StatefulSetUpdateStrategy",
        workloads::stateful_set_strategy,
    ),
    (
        "autoscaling.HorizontalPodAutoscalerSpec",
        workloads::autoscaler,
    ),
    ("batch.Job", workloads::job),
    ("core.Container", core::container),
    ("core.EphemeralContainer", core::container),
    ("core.LimitRangeItem", core::limit_range_item),
    ("core.NodeStatus", core::node_status),
    ("core.Pod", core::pod),
    ("core.ReplicationController", core::replication_controller),
    ("core.ServiceSpec", core::service),
    ("core.Volume", core::volume),
    ("networking.NetworkPolicySpec", network_policy),
    ("rbac.Subject", subject),
];

/// Fills in an object of a type, or a part of one.
pub(super) fn fill(shape: &'static Shape, map: &mut Map<String, Value>) {
    if let Ok(at) = RULES.binary_search_by(|(name, _)| (*name).cmp(shape.name)) {
        RULES[at].1(map);
    }
    if let Some(defaults) = TABLE.get(shape.name) {
        for (field, value) in defaults {
            set_missing(map, field, || value.clone());
        }
    }
    for (name, value) in map.iter_mut() {
        if let Some(field) = shape.fields.get(name.as_str()) {
            descend(&field.value, value);
        }
    }
}

fn descend(expected: &Type, value: &mut Value) {
    match (expected, value) {
        (Type::Pointer(inner), value) => descend(inner, value),
        (Type::Struct(name), Value::Object(map)) => {
            if let Some(shape) = shape(name) {
                fill(shape, map);
            }
        }
        (Type::List(inner), Value::Array(items)) if has_structures(inner) => {
            for item in items {
                descend(inner, item);
            }
        }
        (Type::Map(inner), Value::Object(map)) if has_structures(inner) => {
            for item in map.values_mut() {
                descend(inner, item);
            }
        }
        _ => {}
    }
}

fn has_structures(expected: &Type) -> bool {
    match expected {
        Type::Struct(_) => true,
        Type::Pointer(inner) | Type::List(inner) | Type::Map(inner) => has_structures(inner),
        _ => false,
    }
}

/// Sets a field that is missing, null or an empty string.
fn set_missing(map: &mut Map<String, Value>, field: &str, value: impl FnOnce() -> Value) {
    match map.get_mut(field) {
        None => {
            map.insert(field.to_owned(), value());
        }
        Some(found) if found.is_null() || found.as_str() == Some("") => *found = value(),
        Some(_) => {}
    }
}

fn text<'m>(map: &'m Map<String, Value>, field: &str) -> &'m str {
    map.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn parse(text: &'static str) -> BTreeMap<&'static str, Vec<(&'static str, Value)>> {
    let mut table: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(3, ' ');
        if let (Some(of), Some(field), Some(value)) = (parts.next(), parts.next(), parts.next())
            && let Ok(value) = serde_json::from_str(value)
        {
            table.entry(of).or_default().push((field, value));
        }
    }
    table
}

fn network_policy(map: &mut Map<String, Value>) {
    let has_egress = map
        .get("egress")
        .and_then(Value::as_array)
        .is_some_and(|rules| !rules.is_empty());
    let types = if has_egress {
        json!(["Ingress", "Egress"])
    } else {
        json!(["Ingress"])
    };
    set_missing(map, "policyTypes", || types);
}

fn subject(map: &mut Map<String, Value>) {
    if matches!(text(map, "kind"), "User" | "Group") {
        set_missing(map, "apiGroup", || json!("rbac.authorization.k8s.io"));
    }
}

fn definition(map: &mut Map<String, Value>) {
    if let Some(Value::Object(names)) = map.get_mut("spec").and_then(|spec| spec.get_mut("names")) {
        let kind = text(names, "kind").to_owned();
        set_missing(names, "singular", || json!(kind.to_lowercase()));
        if !kind.is_empty() {
            set_missing(names, "listKind", || json!(format!("{kind}List")));
        }
    }
    let versions = map.get("spec").and_then(|spec| spec.get("versions"));
    let stored = versions
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|version| version.get("storage") == Some(&json!(true)))
        .and_then(|version| version.get("name"))
        .cloned();
    if let (Some(stored), Some(Value::Object(status))) = (stored, map.get_mut("status")) {
        let is_empty = status
            .get("storedVersions")
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty);
        if is_empty {
            status.insert("storedVersions".to_owned(), json!([stored]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_table_speak_of_known_types() {
        assert!(RULES.is_sorted_by_key(|(name, _)| *name));
        for (name, _) in RULES {
            assert!(shape(name).is_some(), "{name}");
        }
        let lines = TEXT.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(TABLE.values().map(Vec::len).sum::<usize>(), lines);
        for (name, fields) in TABLE.iter() {
            let shape = shape(name).unwrap_or_else(|| panic!("{name}"));
            for (field, _) in fields {
                assert!(shape.fields.contains_key(field), "{name}.{field}");
            }
        }
    }
}
