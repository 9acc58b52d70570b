//! What kube-apiserver 1.20.2 did to objects, request by request, and what this crate does.
//!
//! `recorded/managers/*.json` hold the requests (as kubectl 1.32 and plain HTTP sent them) with
//! the object before and after; uids, versions and times are taken out. The schema is that
//! server's own. `openapi-1.20.2.json` is its OpenAPI document, cut to these kinds.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{fs, path::PathBuf, sync::LazyLock};

use serde_json::{Value, json};
use underpin_fieldset::{
    ApplyError, ApplyRequest, Change, ManagedFields, apply, change, compare, conflict_message,
    schema::{KindSchema, crd, openapi, table},
    update,
};

/// Steps in which that server did something else, and why that is right.
const DIFFERENT: [(&str, usize, &str); 13] = [
    ("configmap-finalizers-owners", 1, LIVE_ORDER),
    ("configmap-removal", 2, EMPTY_MAP),
    ("configmap-shared", 2, EMPTY_MAP),
    ("configmap-shared", 3, EMPTY_MAP),
    ("custom-resource", 0, UNKNOWN_ATOMIC),
    ("custom-resource", 2, UNKNOWN_ATOMIC),
    ("deployment-containers", 2, LIVE_ORDER),
    ("deployment-volumes", 0, EMPTY_MAP),
    ("pod-created", 0, ADMISSION),
    (
        "pod-created",
        2,
        "1.20 took an owned map without parts for one that had been atomic",
    ),
    (
        "secret-string-data",
        0,
        "the server folds stringData into data",
    ),
    ("service-created", 0, ADMISSION),
    (
        "statefulset",
        0,
        "the server adds defaults to the items of an atomic list",
    ),
];
const LIVE_ORDER: &str = "1.20 ordered list items as they lived, later servers as applied";
/// Steps after which the order of 1.20 makes us ask.
const LEFT_IN_LIVE_ORDER: [(&str, usize); 2] = [("deployment-containers", 1), ("service-ports", 1)];
const EMPTY_MAP: &str = "1.20 forgot who applied an empty map";
const UNKNOWN_ATOMIC: &str = "1.20 owned preserved unknown fields as one, later servers one by one";
const ADMISSION: &str = "what is filled in after the owners are settled has none";

/// Entries did not name the subresource before 1.22.
const NO_SUBRESOURCE: &str = "";

static OPENAPI: LazyLock<table::Table> = LazyLock::new(|| {
    let text = fs::read(folder().join("openapi-1.20.2.json")).unwrap();
    openapi::of_document(&serde_json::from_slice(&text).unwrap()).unwrap()
});

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "recorded"]
        .iter()
        .collect()
}

fn widget() -> KindSchema {
    let by_name = json!({
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "count": {"type": "integer"},
        }},
    });
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let mut set = texts.clone();
    set["x-kubernetes-list-type"] = json!("set");
    let number = json!({"type": "integer"});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "size": number, "parts": by_name, "tags": set, "notes": texts,
                        "box": {
                            "type": "object", "x-kubernetes-map-type": "atomic",
                            "properties": {"w": number, "h": number},
                        },
                        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    }},
                }},
            }}],
        },
    });
    crd::of_definition(&definition, "v1").unwrap()
}

fn schema_of(object: &Value) -> KindSchema {
    let version = object["apiVersion"].as_str().unwrap();
    let kind = object["kind"].as_str().unwrap();
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    OPENAPI.kind(group, version, kind).unwrap_or_else(widget)
}

/// The entries in a comparable form: sorted by what they are, without times.
fn owners(object: &Value) -> Value {
    let mut managed = ManagedFields::of_object(object).unwrap();
    for entry in &mut managed.0 {
        entry.time = None;
    }
    managed.to_json()
}

fn without_owners(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("managedFields");
    object
}

fn run(step: &Value) -> Result<Value, ApplyError> {
    let before = Some(&step["before"]).filter(|before| !before.is_null());
    let text = |name: &str| step[name].as_str().unwrap();
    if step["op"] == "apply" {
        let request = ApplyRequest {
            config: &step["config"],
            manager: text("manager"),
            force: step["force"].as_bool().unwrap(),
            subresource: NO_SUBRESOURCE,
            now: text("now"),
        };
        return apply(before, request, &schema_of(&step["config"]));
    }
    let mut new = without_owners(&step["after"]);
    if step["reset"] == true {
        new["metadata"]["managedFields"] = json!([{}]);
    }
    let schema = schema_of(&new);
    let (manager, now) = (text("manager"), text("now"));
    Ok(update(before, new, manager, NO_SUBRESOURCE, now, &schema).unwrap())
}

/// What differs between what the server did and what we do, in words.
fn differences(step: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut note = |what: &str, ours: &Value, theirs: &Value| {
        if ours != theirs {
            found.push(format!("{what}:\n  ours   {ours}\n  theirs {theirs}"));
        }
    };
    match (run(step), step.get("status")) {
        (Ok(ours), None) => {
            let theirs = &step["after"];
            note("managed fields", &owners(&ours), &owners(theirs));
            let (ours, theirs) = (without_owners(&ours), without_owners(theirs));
            let changes = compare(&ours, &theirs, &schema_of(&ours));
            note("lost", &changes.removed.to_fields_v1(), &json!({}));
            note("modified", &changes.modified.to_fields_v1(), &json!({}));
            // Defaults are the server's business; they come where something is created.
            if step["before"].is_object() && changes.added.is_empty() && changes.removed.is_empty()
            {
                note("value", &ours, &theirs);
            }
        }
        (Err(ApplyError::Conflicts(conflicts)), Some(status)) => {
            note(
                "message",
                &json!(conflict_message(&conflicts)),
                &status["message"],
            );
            let causes: Vec<_> = conflicts
                .iter()
                .map(|conflict| {
                    json!({
                        "reason": underpin_fieldset::managers::CONFLICT_REASON,
                        "message": conflict.message(),
                        "field": conflict.field.to_string(),
                    })
                })
                .collect();
            note("causes", &json!(causes), &status["causes"]);
        }
        (ours, theirs) => found.push(format!("ours {ours:?}\n  theirs {theirs:?}")),
    }
    found
}

fn scenarios() -> Vec<(String, Value)> {
    let mut scenarios: Vec<(String, Value)> = fs::read_dir(folder().join("managers"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let scenario: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            (name, scenario["steps"].clone())
        })
        .collect();
    scenarios.sort_by(|left, right| left.0.cmp(&right.0));
    scenarios
}

#[test]
fn objects_and_owners_are_as_the_server_left_them() {
    let mut found = String::new();
    let mut steps = 0;
    for (name, scenario) in scenarios() {
        for (index, step) in scenario.as_array().unwrap().iter().enumerate() {
            steps += 1;
            let differences = differences(step);
            let different = DIFFERENT
                .iter()
                .any(|(file, place, _)| (*file, *place) == (&*name, index));
            if different == differences.is_empty() {
                found += &format!("{name} {index}\n  {}\n", differences.join("\n  "));
            }
        }
    }
    assert!(found.is_empty(), "{found}");
    assert!(steps > 90, "{steps}");
}

/// What is taken for unchanged is what the server left unchanged; and what was just applied is
/// taken for unchanged.
#[test]
fn no_change_is_said_only_where_the_server_changed_nothing() {
    let mut proven = 0;
    for (name, scenario) in scenarios() {
        for (index, step) in scenario.as_array().unwrap().iter().enumerate() {
            if step["op"] != "apply" {
                continue;
            }
            let manager = step["manager"].as_str().unwrap();
            let schema = schema_of(&step["config"]);
            let says = |live: &Value| change(&step["config"], live, manager, Some(&schema));
            if step["before"].is_object() && says(&step["before"]) == Change::None {
                assert_eq!(step["before"], step["after"], "{name} {index}");
                proven += 1;
            }
            let different = DIFFERENT
                .iter()
                .any(|(file, place, _)| (*file, *place) == (&*name, index));
            let owns = ManagedFields::of_object(&step["after"])
                .is_ok_and(|managed| managed.applied_by(manager, "").is_some());
            let reordered = LEFT_IN_LIVE_ORDER.contains(&(&*name, index));
            if owns && !different && !reordered && manager != "kubectl" {
                assert_eq!(says(&step["after"]), Change::None, "{name} {index}");
                proven += 1;
            }
        }
    }
    assert!(proven > 30, "{proven}");
}
