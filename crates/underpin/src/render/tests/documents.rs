//! What is written keeps to its schema: every document of a snapshot, and those that have none.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use underpin_plan::{Movement, Purpose, rules::RULES};

use super::samples::Sample;
use crate::{
    Exit,
    commands::sandbox::Running,
    error::CommandError,
    render::{command_schemas, json},
};

/// Keywords that say nothing of what fits.
const SILENT: [&str; 8] = [
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "default",
    "title",
    "description",
    "format",
];

/// The fields of `value` that the schema speaks of, if it fits: as much of JSON Schema as the
/// documents' types generate and SARIF's own schema is written in, and no more.
fn fits(root: &Value, schema: &Value, value: &Value) -> Result<BTreeSet<String>, String> {
    let mut known = BTreeSet::new();
    let keywords = schema.as_object().filter(|keywords| {
        let mut keywords = keywords.keys();
        keywords.any(|keyword| !SILENT.contains(&keyword.as_str()))
    });
    // Anything is right.
    let Some(keywords) = keywords else {
        let all = value.as_object().into_iter().flatten();
        known.extend(all.map(|(key, _)| key.clone()));
        return Ok(known);
    };
    for (keyword, says) in keywords {
        let says_list = || says.as_array().into_iter().flatten();
        let right = match keyword.as_str() {
            "$ref" => {
                let pointer = says.as_str().unwrap().trim_start_matches('#');
                known.extend(fits(root, root.pointer(pointer).unwrap(), value)?);
                true
            }
            "anyOf" | "oneOf" => {
                let tried: Vec<_> = says_list().map(|one| fits(root, one, value)).collect();
                if !tried.iter().any(Result::is_ok) {
                    return Err(format!("{tried:?}"));
                }
                known.extend(tried.into_iter().flatten().flatten());
                true
            }
            "allOf" => {
                for one in says_list() {
                    known.extend(fits(root, one, value)?);
                }
                true
            }
            "const" => says == value,
            "enum" => says_list().any(|one| one == value),
            "type" => match says {
                Value::Array(several) => several.iter().any(|one| is_of(one, value)),
                one => is_of(one, value),
            },
            "required" => says_list().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "properties" => {
                for (key, schema) in says.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        whole(root, schema, value).map_err(|why| format!("{key}: {why}"))?;
                        known.insert(key.clone());
                    }
                }
                true
            }
            "additionalProperties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if keywords
                        .get("properties")
                        .is_none_or(|of| of.get(key).is_none())
                    {
                        if *says == Value::Bool(false) {
                            return Err(format!("{key} is not allowed"));
                        }
                        whole(root, says, value).map_err(|why| format!("{key}: {why}"))?;
                        known.insert(key.clone());
                    }
                }
                true
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    whole(root, says, item)?;
                }
                true
            }
            "minimum" => value
                .as_f64()
                .is_none_or(|number| Some(number) >= says.as_f64()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| Some(number) <= says.as_f64()),
            "minItems" => {
                let items = value.as_array().map(|items| items.len() as u64);
                items.is_none_or(|items| Some(items) >= says.as_u64())
            }
            "uniqueItems" => {
                let items = value.as_array().into_iter().flatten();
                let mut seen = Vec::new();
                items.into_iter().all(|item| {
                    let is_new = !seen.contains(&item);
                    seen.push(item);
                    is_new
                })
            }
            "pattern" => {
                let pattern = regex::Regex::new(says.as_str().unwrap()).unwrap();
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            other => SILENT.contains(&other),
        };
        if !right {
            return Err(format!("{keyword} {says}: {value}"));
        }
    }
    Ok(known)
}

/// It fits, and there is no field of which the schema does not speak.
pub(super) fn whole(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let known = fits(root, schema, value)?;
    let mut keys = value.as_object().into_iter().flatten().map(|(key, _)| key);
    match keys.find(|key| !known.contains(*key)) {
        Some(key) => Err(format!("no schema speaks of {key}")),
        None => Ok(()),
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other}"),
    }
}

/// Holds a document against the schema that it names, and returns whose that is.
#[track_caller]
fn check(text: &str) -> Result<&'static str, String> {
    let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let named = |schema: &Value| schema["properties"]["schema"]["const"] == document["schema"];
    for one in command_schemas() {
        let schema = one.json_schema();
        if named(&schema) {
            return whole(&schema, &schema, &document).map(|()| one.command);
        }
    }
    Err(format!("there is no schema {}", document["schema"]))
}

/// The documents in a snapshot.
fn documents(snapshot: &str) -> Vec<String> {
    let lines: Vec<&str> = snapshot.lines().collect();
    let begins = lines.iter().enumerate().filter(|(_, line)| **line == "{");
    let found = begins.filter_map(|(from, _)| {
        let length = lines[from..].iter().position(|line| *line == "}")?;
        Some(lines[from..=from + length].join("\n"))
    });
    found
        .filter(|text| text.contains("\"schema\": \"underpin.dev/"))
        .collect()
}

#[test]
fn what_snapshots_hold_keeps_to_its_schema() {
    let mut commands = BTreeSet::new();
    for folder in ["src/render/tests/snapshots", "tests/cli/snapshots"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            for document in documents(&fs::read_to_string(&path).unwrap()) {
                let command = check(&document);
                let command =
                    command.unwrap_or_else(|why| panic!("{}: {why:.2000}", path.display()));
                commands.insert(command);
            }
        }
    }
    // What `sandbox` answers has an address that is never the same.
    let all = command_schemas().iter().map(|one| one.command);
    let all: BTreeSet<_> = all.filter(|command| *command != "sandbox").collect();
    assert_eq!(commands, all);
}

#[test]
fn what_has_no_snapshot_keeps_to_its_schema() {
    let running = Running {
        address: "https://127.0.0.1:6443".into(),
        kubeconfig: "kubeconfig".into(),
        users: vec!["admin".into(), "viewer".into()],
        nodes: 3,
    };
    let sample = Sample::new(Purpose::Up, Vec::new());
    let moved = underpin_deploy::DeployError::Moved {
        at: "2026-01-02T03:04:05Z".into(),
        movements: vec![Movement {
            subject: "configmap/shop/app".into(),
            message: "it was changed in the cluster since".into(),
        }],
    };
    for (command, document) in [
        ("sandbox", json::sandbox(&running)),
        ("explain", json::rules(&RULES.iter().collect::<Vec<_>>())),
        (
            "plan",
            json::frozen_plan(Exit::Done, sample.judged(), "a", true),
        ),
        ("up", json::error("up", &CommandError::Deploy(moved))),
    ] {
        assert_eq!(check(&document), Ok(command), "{document}");
    }
}

/// The check itself notices what does not fit.
#[test]
fn what_does_not_fit_is_refused() {
    let running = Running {
        address: "a".into(),
        kubeconfig: "k".into(),
        users: Vec::new(),
        nodes: 1,
    };
    let right: Value = serde_json::from_str(&json::sandbox(&running)).unwrap();
    for (field, value) in [
        ("nodes", Value::from("1")),
        ("server", Value::Null),
        ("contexts", Value::from(vec!["admin"])),
        ("schema", Value::from("underpin.dev/sandbox/v0")),
        ("unheard", Value::from(1)),
    ] {
        let mut wrong = right.clone();
        wrong[field] = value;
        assert!(check(&wrong.to_string()).is_err(), "{wrong}");
    }
    let mut wrong = right;
    wrong.as_object_mut().unwrap().remove("kubeconfig");
    assert!(check(&wrong.to_string()).is_err());
}
