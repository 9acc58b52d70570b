//! Defaults and refusals compared with what a real server (1.20.2) answered.
//!
//! `tests/admission/*.json` are sequences of requests in a namespace of their own, with the
//! recorded answers. Where current servers differ from that one, a table here says how.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Map, Value, json};
use underpin_sandbox::State;

/// Fields that current servers have and 1.20 did not: the ends of their paths.
const ADDED: &[&str] = &[
    "/matchLabels/batch.kubernetes.io/controller-uid",
    "/labels/batch.kubernetes.io/controller-uid",
    "/labels/batch.kubernetes.io/job-name",
    "/labels/kubernetes.io/metadata.name",
    "/parameters/scope",
    "/rollingUpdate/maxSurge=0",
    "/spec/allocateLoadBalancerNodePorts",
    "/spec/completionMode",
    "/spec/internalTrafficPolicy",
    "/spec/ipFamilies",
    "/spec/ipFamilyPolicy",
    "/spec/persistentVolumeClaimRetentionPolicy",
    "/spec/podReplacementPolicy",
    "/spec/suspend=false",
    "/status/availableReplicas=0",
];

/// Fields that only 1.20 writes, or that its controllers wrote meanwhile.
const REMOVED: &[&str] = &[
    "/annotations/deployment.kubernetes.io/revision",
    "/matchLabels/controller-uid",
    "/spec/nodeName",
    "/status/currentReplicas",
];

/// Wordings that changed since: as it was, as it is.
const REWORDED: &[(&str, &str)] = &[
    (
        "Expected exactly 5 fields, found 1: x",
        "expected exactly 5 fields, found 1: [x]",
    ),
    ("End of range", "end of range"),
    ("\"null\": must not update", "null: must not update"),
    ("name must not be empty", "must not be empty"),
    ("uid must not be empty", "must not be empty"),
    ("(127.0.0.0/8)", "(127.0.0.0/8, ::1/128)"),
    (
        "not a valid CIDR",
        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
    ),
    (
        "at least one letter or number (a-z, 0-9)",
        "at least one letter (a-z)",
    ),
    ("equal to cpu limit", "equal to cpu limit of 1"),
    (
        "\"n.n\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        "\"n.n\": must not contain dots",
    ),
    (
        "\"toolong\": spec.name in body should be at most 5 chars long",
        "may not be more than 5 bytes",
    ),
    (
        "Invalid value: may not be more",
        "Too long: may not be more",
    ),
    ("spec.items.name", "spec.items[2].name"),
    (
        "\"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\"",
        "\"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\"",
    ),
    (
        "except resources.requests for bound claims",
        "except resources.requests and volumeAttributesClassName for bound claims",
    ),
    (
        "'replicas', 'template', and 'updateStrategy' are",
        "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are",
    ),
    ("}: cannot be 0", "}: cannot be 0 when `maxSurge` is 0"),
    (
        "`spec.containers[*].image`, `spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or `spec.tolerations` (only additions to existing tolerations)",
        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    ),
    (
        "[0].matchExpressions.matchExpressions",
        "[0].labelSelector.matchExpressions",
    ),
    ("Ingress.extensions", "Ingress.networking.k8s.io"),
    (
        "must not be set for init containers",
        "may not be set for init containers without restartPolicy=Always",
    ),
];

/// Causes that only 1.20 finds: names of variables have become free.
const GONE: &[&str] = &["a valid environment variable name must consist of alphabetic"];

/// Requests that current servers answer otherwise altogether, and why.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "{\"spec\":{\"clusterIP\":\"\"}}",
        "an update that leaves the address out keeps it; 1.20 refused to unset it",
    ),
    (
        "\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.0.1\"}]",
        "the recorded server's controller was faster: the Service's endpoints existed",
    ),
];

#[track_caller]
fn check(recorded: &str) {
    let steps: Vec<Value> = serde_json::from_str(recorded).unwrap();
    let mut state = support::cluster();
    let namespace = json!({"metadata": {"name": "recorded"}});
    support::send(&mut state, "POST", "/api/v1/namespaces", &namespace);
    settle(&mut state);
    let mut wrong = Vec::new();
    for step in &steps {
        if step.get("wait").is_some() {
            settle(&mut state);
            continue;
        }
        let method = match step["method"].as_str().unwrap() {
            "PATCH" => "PATCH merge",
            method => method,
        };
        let path = step["path"].as_str().unwrap();
        let (code, answer) = support::send(&mut state, method, path, &step["body"]);
        let body = step["body"].to_string();
        if OTHERWISE.iter().any(|(part, _)| body.contains(part)) {
            continue;
        }
        let expected = comparable(&reworded(&step["answer"]), step);
        let found = comparable(&answer, step);
        if step["code"] != code || !is_same(&expected, &found) {
            let was = &step["code"];
            wrong.push(format!(
                "{method} {path} {body}\n  recorded {was} {expected}\n  found    {code} {found}",
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn settle(state: &mut State) {
    let later = state.now() + std::time::Duration::from_secs(5);
    state.advance_to(later);
}

/// The recorded answer in today's words.
fn reworded(answer: &Value) -> Value {
    match answer {
        Value::String(text) => {
            // What differed in the objects is no longer told.
            let mut text = text.split('\n').next().unwrap_or_default().to_owned();
            for (was, is) in REWORDED {
                let is_done = is.contains(was) && text.contains(is);
                if !is_done {
                    text = text.replace(was, is);
                }
            }
            json!(text)
        }
        Value::Array(items) => {
            let is_gone = |item: &&Value| GONE.iter().any(|gone| item.to_string().contains(gone));
            items
                .iter()
                .filter(|item| !is_gone(item))
                .map(reworded)
                .collect()
        }
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(name, value)| (name.clone(), reworded(value)));
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}

/// Without what no two servers have in common.
fn comparable(answer: &Value, step: &Value) -> Value {
    let mut answer = answer.clone();
    if answer["kind"] == "Status" {
        return answer;
    }
    if let Value::Object(map) = &mut answer {
        if step["method"] == "PATCH" && !step["path"].as_str().unwrap().ends_with("/status") {
            // Controllers of the recorded server may have been at work.
            map.remove("status");
        }
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            for name in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "managedFields",
                "selfLink",
            ] {
                metadata.remove(name);
            }
            if map["kind"] == "Job" || map["kind"] == "CronJob" {
                map["metadata"]
                    .as_object_mut()
                    .unwrap()
                    .remove("generation");
            }
        }
    }
    clean(&mut answer, "");
    answer
}

fn clean(value: &mut Value, path: &str) {
    match value {
        Value::Object(map) => clean_map(map, path),
        Value::Array(items) => items.iter_mut().for_each(|item| clean(item, path)),
        Value::String(text)
            if (path.ends_with("/clusterIP") || path.ends_with("/clusterIPs"))
                && text != "None" =>
        {
            *value = json!("an address");
        }
        Value::String(_) if path.ends_with("controller-uid") => *value = json!("a uid"),
        Value::Number(_) if path.ends_with("/nodePort") => *value = json!("a port"),
        _ => {}
    }
}

fn clean_map(map: &mut Map<String, Value>, path: &str) {
    map.retain(|name, value| {
        let path = format!("{path}/{name}");
        clean(value, &path);
        let exact = format!("{path}={value}");
        let mut free = ADDED.iter().chain(REMOVED);
        let is_free = free.any(|end| path.ends_with(end) || exact.ends_with(end));
        let is_empty = (name == "annotations" || name == "labels")
            && value.as_object().is_some_and(Map::is_empty);
        !value.is_null() && !is_free && !is_empty
    });
}

fn is_same(expected: &Value, found: &Value) -> bool {
    if expected["kind"] != "Status" || found["kind"] != "Status" {
        return expected == found;
    }
    let causes = |status: &Value| -> Vec<Value> {
        let causes = status["details"]["causes"].as_array();
        let mut causes = causes.cloned().unwrap_or_default();
        // The server goes through maps in no order.
        causes.sort_by_key(|cause| format!("{}{}", cause["field"], cause["reason"]));
        causes
    };
    let (was, is) = (causes(expected), causes(found));
    let all_same = was.len() == is.len()
        && was.iter().zip(&is).all(|(was, is)| {
            let message = |cause: &Value| cause["message"].as_str().unwrap().to_owned();
            let reasons = (was["reason"].clone(), is["reason"].clone());
            let typed = message(is).contains("in body must be of type")
                || message(is).starts_with("Too long");
            was["field"] == is["field"]
                && (reasons.0 == reasons.1 || typed)
                && is_same_message(&message(was), &message(is))
        });
    let head = |status: &Value| {
        let details = &status["details"];
        let group = if details["group"] == "extensions" {
            json!("networking.k8s.io")
        } else {
            details["group"].clone()
        };
        json!([
            status["reason"],
            status["code"],
            status["status"],
            details["name"],
            details["kind"],
            group
        ])
    };
    let messages = [expected, found].map(|status| status["message"].as_str().unwrap().to_owned());
    let is_plain = !was.is_empty() || is_same_message(&messages[0], &messages[1]);
    all_same && head(expected) == head(found) && is_plain
}

/// Old servers show structures as Go does, and errors of their decoder with its surroundings.
fn is_same_message(was: &str, is: &str) -> bool {
    if let Some((before, _)) = was.split_once(" cannot be handled as a ") {
        return is.starts_with(before);
    }
    let kind = |text: &str| text.split(": ").next().unwrap_or_default().to_owned();
    let ends = ["}: ", "): "];
    let shown = was.split_once(": ").map_or("", |(_, rest)| rest);
    let is_go = !shown.starts_with(['"', '-', 't', 'f'])
        && !shown.starts_with(|c: char| c.is_ascii_digit());
    let detail = ends
        .iter()
        .filter_map(|end| was.rfind(end).map(|at| &was[at + 3..]))
        .min_by_key(|detail| detail.len());
    match detail {
        Some(detail) if is_go => kind(was) == kind(is) && is.ends_with(detail),
        None if is_go && shown.ends_with('}') => kind(was) == kind(is),
        _ => was == is,
    }
}

macro_rules! recorded {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                check(include_str!(concat!("admission/", stringify!($name), ".json")));
            }
        )*
    };
}

recorded!(
    configuration,
    updates,
    pods,
    workloads,
    batch,
    networking,
    policy,
    storage,
    custom
);
