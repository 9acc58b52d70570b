//! Makes two ends comparable: what may differ between two runs with the same result is left out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::oracle::{CLAIMS_NAMESPACE, Id, Snapshot, StoredClaim, claims, essence, text};

/// Kinds that controllers make and name at random, or that follow from others.
const DERIVED: [&str; 7] = [
    "Pod",
    "ReplicaSet",
    "Endpoints",
    "EndpointSlice",
    "ControllerRevision",
    "Event",
    "PersistentVolume",
];

/// The end of a run, comparable by `==`.
pub type End = BTreeMap<String, Value>;

/// What stands in the cluster, without identities, times and counters.
pub fn end(world: &Snapshot) -> End {
    let mut end = End::new();
    for (id, object) in world {
        if DERIVED.contains(&id.kind.as_str()) || id.namespace == CLAIMS_NAMESPACE {
            continue;
        }
        end.insert(id.to_string(), normalised(object));
    }
    for claim in claims(world).filter(|claim| !is_of_nothing(claim, world)) {
        end.insert(format!("claim {}", claim.name), of_claim(&claim, world));
    }
    end
}

/// Whether a retired claim is left of nothing but what is gone by now, and a namespace that was
/// there before.
fn is_of_nothing(claim: &StoredClaim, world: &Snapshot) -> bool {
    let was_there = |entry: &Value| {
        text(entry, "/key/kind") == "Namespace" && entry.get("created") == Some(&json!(false))
    };
    let mut entries = claim.entries.as_object().into_iter().flatten();
    claim.is_retired() && entries.all(|(_, entry)| is_gone(entry, world) || was_there(entry))
}

/// Whoever waits for what it deletes to go drops its entry, whoever does not leaves that to the
/// next run.
fn is_gone(entry: &Value, world: &Snapshot) -> bool {
    !world.contains_key(&Id {
        kind: text(entry, "/key/kind").to_owned(),
        namespace: text(entry, "/key/namespace").to_owned(),
        name: text(entry, "/key/name").to_owned(),
    })
}

/// The differences between two ends, one a line.
pub fn differences(expected: &End, found: &End) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in expected {
        match found.get(key) {
            None => lines.push(format!("{key} is missing")),
            Some(other) if other != value => {
                lines.push(format!("{key} is {other}\n        and not {value}"));
            }
            Some(_) => {}
        }
    }
    let surplus = found.keys().filter(|key| !expected.contains_key(*key));
    lines.extend(surplus.map(|key| format!("{key} is there and should not be")));
    lines
}

fn normalised(object: &Value) -> Value {
    let owned = owned_fields(object);
    let mut normal = essence(object);
    if let Some(annotations) = normal
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        if let Some(stamp) = annotations.get_mut("underpin.dev/claim") {
            *stamp = json!("STAMP");
        }
        annotations.remove("underpin.dev/last-up");
        annotations.remove("deployment.kubernetes.io/revision");
        annotations.retain(|key, _| !key.starts_with("pv.kubernetes.io/"));
        annotations.retain(|key, _| !key.starts_with("volume."));
    }
    let empty = normal.pointer("/metadata/annotations") == Some(&json!({}));
    if empty && let Some(metadata) = normal.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("annotations");
    }
    if let Some(labels) = normal
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.retain(|key, _| !key.ends_with("controller-uid"));
    }
    let kind = text(object, "/kind").to_owned();
    if let Some(spec) = normal.get_mut("spec").and_then(Value::as_object_mut) {
        for drawn in ["clusterIP", "clusterIPs", "volumeName"] {
            spec.remove(drawn);
        }
        if kind == "Job" {
            // Both hold the Job's own uid.
            spec.remove("selector");
            if let Some(template) = spec.get_mut("template").and_then(Value::as_object_mut) {
                template.remove("metadata");
            }
        }
    }
    if let Some(owners) = normal
        .pointer_mut("/metadata/ownerReferences")
        .and_then(Value::as_array_mut)
    {
        for owner in owners {
            owner["uid"] = json!("UID");
        }
    }
    json!({"object": normal, "owned": owned})
}

/// Which fields the product owns by its applies.
fn owned_fields(object: &Value) -> Vec<Value> {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let own = entries.into_iter().flatten().filter(|entry| {
        text(entry, "/manager").starts_with("underpin") && text(entry, "/operation") == "Apply"
    });
    own.map(|entry| entry.get("fieldsV1").cloned().unwrap_or_default())
        .collect()
}

fn of_claim(stored: &StoredClaim, world: &Snapshot) -> Value {
    let mut entries = Map::new();
    let stored_entries = stored.entries.as_object().into_iter().flatten();
    for (logical, entry) in stored_entries.filter(|(_, entry)| !is_gone(entry, world)) {
        let mut entry = entry.clone();
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("nonce");
            entry.remove("digest");
            let uid = entry.remove("uid");
            entry.insert("hasUid".to_owned(), json!(uid.is_some()));
        }
        entries.insert(logical.clone(), entry);
    }
    let mut placement = stored.claim.get("placement").cloned();
    if let Some(placement) = placement.as_mut().and_then(Value::as_object_mut) {
        placement.remove("uid");
    }
    json!({
        "placement": placement,
        "retired": stored.is_retired(),
        "locked": stored.lock.is_some(),
        "entries": entries,
    })
}
