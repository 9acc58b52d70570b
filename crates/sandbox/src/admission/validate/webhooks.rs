//! Configurations of admission webhooks.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{common, metadata, names};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{field, integer, list, present, text},
};

const REVIEW_VERSIONS: [&str; 2] = ["v1", "v1beta1"];

pub(super) fn configuration(causes: &mut Causes, new: &Value) {
    let path = Path::root("webhooks");
    let mut seen = BTreeSet::new();
    for (at, hook) in list(new, "webhooks").iter().enumerate() {
        let path = path.index(at);
        webhook(causes, &path, hook);
        review_versions(causes, &path.child("admissionReviewVersions"), hook);
        let name = text(hook, "name");
        if !name.is_empty() && !seen.insert(name) {
            causes.duplicate(&path.child("name"), name);
        }
    }
}

fn webhook(causes: &mut Causes, path: &Path<'_>, hook: &Value) {
    const REINVOCATION: [&str; 2] = ["IfNeeded", "Never"];
    const SIDE_EFFECTS: [&str; 2] = ["None", "NoneOnDryRun"];
    let name = text(hook, "name");
    let name_path = path.child("name");
    let found = names::subdomain(name);
    if name.is_empty() {
        causes.required(&name_path, "");
    } else if !found.is_empty() {
        causes.invalid(&name_path, name, &found.join(","));
    } else if name.split('.').count() < 3 {
        let detail = "should be a domain with at least three segments separated by dots";
        causes.invalid(&name_path, name, detail);
    }
    let rules = path.child("rules");
    for (at, found) in list(hook, "rules").iter().enumerate() {
        rule(causes, &rules.index(at), found);
    }
    common::one_of_if_set(causes, path, hook, "failurePolicy", &["Fail", "Ignore"]);
    common::one_of_if_set(causes, path, hook, "matchPolicy", &["Equivalent", "Exact"]);
    match present(hook, "sideEffects") {
        None => {
            let detail = format!("must specify one of {}", SIDE_EFFECTS.join(", "));
            causes.required(&path.child("sideEffects"), &detail);
        }
        Some(_) => common::one_of_if_set(causes, path, hook, "sideEffects", &SIDE_EFFECTS),
    }
    if let Some(seconds) = integer(hook, "timeoutSeconds").filter(|s| !(1..=30).contains(s)) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        causes.invalid(&path.child("timeoutSeconds"), &seconds, detail);
    }
    for name in ["namespaceSelector", "objectSelector"] {
        metadata::selector(causes, &path.child(name), field(hook, name));
    }
    client(
        causes,
        &path.child("clientConfig"),
        field(hook, "clientConfig"),
    );
    common::one_of_if_set(causes, path, hook, "reinvocationPolicy", &REINVOCATION);
}

fn client(causes: &mut Causes, path: &Path<'_>, config: &Value) {
    match (present(config, "url"), present(config, "service")) {
        (Some(_), Some(_)) | (None, None) => {
            causes.required(path, "exactly one of url or service is required");
        }
        (Some(url), None) => {
            let url = url.as_str().unwrap_or_default();
            if !url.starts_with("https://") {
                let detail =
                    "'https' is the only allowed URL scheme; desired format: https://host[/path]";
                causes.invalid(
                    &path.child("url"),
                    url.split("://").next().unwrap_or_default(),
                    detail,
                );
            }
        }
        (None, Some(service)) => {
            let path = path.child("service");
            for (name, detail) in [
                ("name", "service name is required"),
                ("namespace", "service namespace is required"),
            ] {
                if text(service, name).is_empty() {
                    causes.required(&path.child(name), detail);
                }
            }
            if let Some(port) = integer(service, "port")
                && !names::port_number(port).is_empty()
            {
                let detail = format!("port is not valid: {}", names::between(1, 65_535));
                causes.invalid(&path.child("port"), &port, &detail);
            }
        }
    }
}

fn rule(causes: &mut Causes, path: &Path<'_>, rule: &Value) {
    const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    let operations = list(rule, "operations");
    let operations_path = path.child("operations");
    if operations.is_empty() {
        causes.required(&operations_path, "");
    }
    if operations.len() > 1 && operations.iter().any(|operation| operation == "*") {
        let detail = "if '*' is present, must not specify other operations";
        causes.invalid(&operations_path, field(rule, "operations"), detail);
    }
    for (at, operation) in operations.iter().enumerate() {
        if !operation
            .as_str()
            .is_some_and(|operation| OPERATIONS.contains(&operation))
        {
            causes.not_supported(&operations_path.index(at), operation, &OPERATIONS);
        }
    }
    for (name, what) in [("apiGroups", "API groups"), ("apiVersions", "API versions")] {
        let all = list(rule, name);
        if all.is_empty() {
            causes.required(&path.child(name), "");
        }
        if all.len() > 1 && all.iter().any(|one| one == "*") {
            let detail = format!("if '*' is present, must not specify other {what}");
            causes.invalid(&path.child(name), field(rule, name), &detail);
        }
    }
    if list(rule, "resources").is_empty() {
        causes.required(&path.child("resources"), "");
    }
    common::one_of_if_set(causes, path, rule, "scope", &["*", "Cluster", "Namespaced"]);
}

fn review_versions(causes: &mut Causes, path: &Path<'_>, hook: &Value) {
    let versions = list(hook, "admissionReviewVersions");
    if versions.is_empty() {
        let detail = format!("must specify one of {}", REVIEW_VERSIONS.join(", "));
        causes.required(path, &detail);
        return;
    }
    let mut seen = BTreeSet::new();
    for (at, version) in versions.iter().filter_map(Value::as_str).enumerate() {
        if !seen.insert(version) {
            causes.invalid(&path.index(at), version, "duplicate version");
        }
    }
    if !REVIEW_VERSIONS.iter().any(|version| seen.contains(version)) {
        let detail = format!(
            "must include at least one of {}",
            REVIEW_VERSIONS.join(", ")
        );
        causes.invalid(path, field(hook, "admissionReviewVersions"), &detail);
    }
}
