//! Where a pod wants to run, and next to which others.

use serde_json::Value;

use super::{metadata, names};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{field, integer, list, present, text},
};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// A pod's affinity.
pub(super) fn affinity(causes: &mut Causes, path: &Path<'_>, affinity: &Value) {
    if let Some(node) = present(affinity, "nodeAffinity") {
        let path = path.child("nodeAffinity");
        if let Some(selector) = present(node, REQUIRED) {
            node_selector(causes, &path.child(REQUIRED), selector);
        }
        let path = path.child(PREFERRED);
        for (at, preferred) in list(node, PREFERRED).iter().enumerate() {
            let path = path.index(at);
            weight(causes, &path, preferred);
            term(
                causes,
                &path.child("preference"),
                field(preferred, "preference"),
            );
        }
    }
    for name in ["podAffinity", "podAntiAffinity"] {
        let Some(pods) = present(affinity, name) else {
            continue;
        };
        let path = path.child(name);
        let required = path.child(REQUIRED);
        for (at, wanted) in list(pods, REQUIRED).iter().enumerate() {
            pod_term(causes, &required.index(at), wanted);
        }
        let preferred = path.child(PREFERRED);
        for (at, wanted) in list(pods, PREFERRED).iter().enumerate() {
            let path = preferred.index(at);
            weight(causes, &path, wanted);
            pod_term(
                causes,
                &path.child("podAffinityTerm"),
                field(wanted, "podAffinityTerm"),
            );
        }
    }
}

fn weight(causes: &mut Causes, path: &Path<'_>, value: &Value) {
    let weight = integer(value, "weight").unwrap_or_default();
    if !(1..=100).contains(&weight) {
        causes.invalid(&path.child("weight"), &weight, "must be in the range 1-100");
    }
}

/// A selector of nodes.
pub(super) fn node_selector(causes: &mut Causes, path: &Path<'_>, selector: &Value) {
    let path = path.child("nodeSelectorTerms");
    let terms = list(selector, "nodeSelectorTerms");
    if terms.is_empty() {
        causes.required(&path, "must have at least one node selector term");
    }
    for (at, found) in terms.iter().enumerate() {
        term(causes, &path.index(at), found);
    }
}

fn term(causes: &mut Causes, path: &Path<'_>, term: &Value) {
    let expressions = path.child("matchExpressions");
    for (at, expression) in list(term, "matchExpressions").iter().enumerate() {
        let path = expressions.index(at);
        let values = list(expression, "values");
        match text(expression, "operator") {
            "In" | "NotIn" if values.is_empty() => causes.required(
                &path.child("values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => causes.forbidden(
                &path.child("values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            "Gt" | "Lt" if values.len() != 1 => causes.required(
                &path.child("values"),
                "must be specified single value when `operator` is 'Lt' or 'Gt'",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            other => causes.invalid(
                &path.child("operator"),
                other,
                "not a valid selector operator",
            ),
        }
        let key = text(expression, "key");
        causes.invalid_each(&path.child("key"), key, &names::qualified(key));
    }
    let fields = path.child("matchFields");
    for (at, expression) in list(term, "matchFields").iter().enumerate() {
        let path = fields.index(at);
        match text(expression, "operator") {
            "In" | "NotIn" if list(expression, "values").len() != 1 => causes.required(
                &path.child("values"),
                "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            ),
            "In" | "NotIn" => {}
            other => causes.invalid(
                &path.child("operator"),
                other,
                "not a valid selector operator",
            ),
        }
        let key = text(expression, "key");
        if key != "metadata.name" {
            causes.invalid(&path.child("key"), key, "not a valid field selector key");
        }
    }
}

fn pod_term(causes: &mut Causes, path: &Path<'_>, term: &Value) {
    for name in ["labelSelector", "namespaceSelector"] {
        if let Some(selector) = present(term, name) {
            metadata::selector(causes, &path.child(name), selector);
        }
    }
    for namespace in list(term, "namespaces").iter().filter_map(Value::as_str) {
        causes.invalid_each(
            &path.child("namespace"),
            namespace,
            &names::label(namespace),
        );
    }
    let key = text(term, "topologyKey");
    if key.is_empty() {
        causes.required(&path.child("topologyKey"), "can not be empty");
    }
    causes.invalid_each(&path.child("topologyKey"), key, &names::qualified(key));
}
