//! Objects as servers return them, and the state that each is in. The cases are data, a file per
//! group of kinds: `object` (with `generation` 2 unless it says otherwise), `classes` around it,
//! and the `state`, with a part of its text.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use serde_json::{Value, json};
use underpin_model::{Depth, GroupKind, Object, Origin};
use underpin_readiness::{State, Surroundings, completion, state};

fn object(value: &Value) -> Object {
    let mut value = value.clone();
    if value["metadata"]["name"].is_null() {
        value["metadata"]["name"] = json!("web");
    }
    if value["metadata"]["generation"].is_null() {
        value["metadata"]["generation"] = json!(2);
    }
    Object::from_value(value, Depth::Full, Origin::Live).unwrap()
}

fn classes(case: &Value) -> Surroundings {
    let classes: Vec<Object> = case["classes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, mode)| {
            object(&json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": name}, "volumeBindingMode": mode,
            }))
        })
        .collect();
    assert!(
        classes
            .iter()
            .all(|class| class.key.kind == GroupKind::new("storage.k8s.io", "StorageClass"))
    );
    Surroundings::of(classes.iter())
}

#[track_caller]
fn check(file: &str) {
    let cases: Vec<Value> = serde_json::from_str(file).unwrap();
    assert!(!cases.is_empty());
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let (object, surroundings) = (object(&case["object"]), classes(case));
        let judge = if case["until"] == "complete" {
            completion
        } else {
            state
        };
        let found = judge(&object, &surroundings);
        assert_eq!(found.name(), case["state"], "{name}: {found:?}");
        let says = case["says"].as_str().unwrap_or_default();
        assert!(found.to_string().contains(says), "{name}: {found:?}");
        let explained = matches!(found, State::Current | State::Terminating);
        assert_eq!(
            explained,
            says.is_empty(),
            "{name}: say what the text holds"
        );
        // A kind that is judged here is judged, whatever else stands in it.
        check_malformed(name, &case["object"]);
    }
}

/// Whatever type a field has, there is a state: no panic, and no other than its kinds.
fn check_malformed(name: &str, value: &Value) {
    for wrong in [
        json!(null),
        json!("text"),
        json!(-1),
        json!([1]),
        json!({"a": 1}),
    ] {
        for field in ["status", "spec"] {
            let mut broken = value.clone();
            broken[field] = wrong.clone();
            let found = state(&object(&broken), &Surroundings::default());
            assert!(!found.to_string().is_empty(), "{name}");
            let children: Vec<String> = match value[field].as_object() {
                Some(fields) => fields.keys().cloned().collect(),
                None => Vec::new(),
            };
            for child in children {
                let mut broken = value.clone();
                broken[field][child] = wrong.clone();
                let found = state(&object(&broken), &Surroundings::default());
                assert!(!found.to_string().is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn workloads() {
    check(include_str!("states/workloads.json"));
}

#[test]
fn pods_and_jobs() {
    check(include_str!("states/pods_and_jobs.json"));
}

#[test]
fn other_built_in_kinds() {
    check(include_str!("states/others.json"));
}

#[test]
fn custom_kinds() {
    check(include_str!("states/custom.json"));
}
