//! Small kinds: budgets, autoscalers, leases, priority classes, runtime classes, quotas.

use serde_json::Value;

use super::{
    common::{amount, amount_or_percent, at_most_all, is_standard_of_quota, nano, one_of_if_set},
    metadata, names,
};
use crate::{
    admission::{
        causes::Causes,
        path::Path,
        view::{entries, field, flag, integer, list, present, text},
    },
    object,
};

const SPEC: Path<'static> = Path::root("spec");
/// The greatest priority that is not the system's.
const PRIORITY_LIMIT: i64 = 1_000_000_000;

pub(super) fn budget(causes: &mut Causes, new: &Value) {
    const EVICTION: [&str; 2] = ["AlwaysAllow", "IfHealthyBudget"];
    let spec = field(new, "spec");
    let (least, most) = (
        present(spec, "minAvailable"),
        present(spec, "maxUnavailable"),
    );
    if least.is_some() && most.is_some() {
        let detail = "minAvailable and maxUnavailable cannot be both set";
        causes.invalid(&SPEC, spec, detail);
    }
    for (name, value) in [("minAvailable", least), ("maxUnavailable", most)] {
        if let Some(value) = value {
            amount_or_percent(causes, &SPEC.child(name), value);
            at_most_all(causes, &SPEC.child(name), value);
        }
    }
    metadata::selector(causes, &SPEC.child("selector"), field(spec, "selector"));
    one_of_if_set(causes, &SPEC, spec, "unhealthyPodEvictionPolicy", &EVICTION);
}

pub(super) fn autoscaler(causes: &mut Causes, new: &Value) {
    let spec = field(new, "spec");
    let least = integer(spec, "minReplicas");
    let most = integer(spec, "maxReplicas").unwrap_or_default();
    if let Some(least) = least.filter(|least| *least < 1) {
        let detail = "must be greater than or equal to 1";
        causes.invalid(&SPEC.child("minReplicas"), &least, detail);
    }
    if most < 1 {
        causes.invalid(&SPEC.child("maxReplicas"), &most, "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        let detail = "must be greater than or equal to `minReplicas`";
        causes.invalid(&SPEC.child("maxReplicas"), &most, detail);
    }
    let path = SPEC.child("scaleTargetRef");
    let target = field(spec, "scaleTargetRef");
    for name in ["kind", "name"] {
        let found = text(target, name);
        if found.is_empty() {
            causes.required(&path.child(name), "");
        } else {
            causes.invalid_each(&path.child(name), found, &names::path_segment(found));
        }
    }
    let path = SPEC.child("metrics");
    for (at, found) in list(spec, "metrics").iter().enumerate() {
        metric(causes, &path.index(at), found);
    }
    let outside = |metric: &Value| matches!(text(metric, "type"), "Object" | "External");
    if least == Some(0) && !list(spec, "metrics").iter().any(outside) {
        let detail = "must specify at least one Object or External metric to support scaling to zero replicas";
        causes.forbidden(&path, detail);
    }
    let path = SPEC.child("behavior");
    for name in ["scaleUp", "scaleDown"] {
        if let Some(rules) = field(spec, "behavior").get(name) {
            scaling_rules(causes, &path.child(name), rules);
        }
    }
}

/// Types of metrics and the fields that hold them.
const METRICS: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

fn metric(causes: &mut Causes, path: &Path<'_>, metric: &Value) {
    let kind = text(metric, "type");
    let known = METRICS.map(|(kind, _)| kind);
    if kind.is_empty() {
        causes.required(&path.child("type"), "must specify a metric source type");
    }
    let Some((_, name)) = METRICS.iter().find(|(known, _)| *known == kind) else {
        // The server looks twice.
        causes.not_supported(&path.child("type"), kind, &known);
        causes.not_supported(&path.child("type"), kind, &known);
        return;
    };
    match present(metric, name) {
        None => {
            let detail = "must populate information for the given metric source";
            causes.required(&path.child(name), detail);
        }
        Some(source) => metric_target(causes, &path.child(name), kind, source),
    }
    for (_, other) in METRICS.iter().filter(|(_, other)| other != name) {
        if present(metric, other).is_some() {
            let detail = "must populate the given metric source only";
            causes.forbidden(&path.child(other), detail);
        }
    }
}

fn metric_target(causes: &mut Causes, path: &Path<'_>, kind: &str, source: &Value) {
    if kind.ends_with("Resource") && text(source, "name").is_empty() {
        causes.required(&path.child("name"), "must specify a resource name");
    }
    if kind == "ContainerResource" && text(source, "container").is_empty() {
        causes.required(&path.child("container"), "must specify a container");
    }
    let path = path.child("target");
    let target = field(source, "target");
    let target_type = text(target, "type");
    if target_type.is_empty() {
        causes.required(&path.child("type"), "must specify a metric target type");
    }
    if !matches!(target_type, "Utilization" | "Value" | "AverageValue") {
        let detail = "must be either Utilization, Value, or AverageValue";
        causes.invalid(&path.child("type"), target_type, detail);
    }
    for name in ["value", "averageValue"] {
        if let Some(value) = present(target, name).filter(|value| nano(value) <= 0) {
            causes.invalid(&path.child(name), value, "must be positive");
        }
    }
    if let Some(share) = integer(target, "averageUtilization").filter(|share| *share < 1) {
        let detail = "must be greater than 0";
        causes.invalid(&path.child("averageUtilization"), &share, detail);
    }
    if kind.ends_with("Resource") {
        let utilization = present(target, "averageUtilization").is_some();
        let value = present(target, "averageValue").is_some();
        if !utilization && !value {
            let detail = "must set either a target raw value or a target utilization";
            causes.required(&path.child("averageUtilization"), detail);
        }
        if utilization && value {
            let detail = "may not set both a target raw value and a target utilization";
            causes.forbidden(&path.child("averageValue"), detail);
        }
    }
}

fn scaling_rules(causes: &mut Causes, path: &Path<'_>, rules: &Value) {
    const WINDOW_LIMIT: i64 = 3_600;
    const PERIOD_LIMIT: i64 = 1_800;
    let window = path.child("stabilizationWindowSeconds");
    match integer(rules, "stabilizationWindowSeconds") {
        Some(seconds) if seconds < 0 => {
            causes.invalid(&window, &seconds, "must be greater than or equal to zero");
        }
        Some(seconds) if seconds > WINDOW_LIMIT => {
            let detail = format!("must be less than or equal to {WINDOW_LIMIT}");
            causes.invalid(&window, &seconds, &detail);
        }
        _ => {}
    }
    one_of_if_set(
        causes,
        path,
        rules,
        "selectPolicy",
        &["Disabled", "Max", "Min"],
    );
    let path = path.child("policies");
    let policies = list(rules, "policies");
    if policies.is_empty() {
        causes.required(&path, "must specify at least one Policy");
    }
    for (at, policy) in policies.iter().enumerate() {
        let path = path.index(at);
        if !matches!(text(policy, "type"), "Pods" | "Percent") {
            causes.not_supported(
                &path.child("type"),
                text(policy, "type"),
                &["Percent", "Pods"],
            );
        }
        for name in ["value", "periodSeconds"] {
            let number = integer(policy, name).unwrap_or_default();
            if number <= 0 {
                causes.invalid(&path.child(name), &number, "must be greater than zero");
            }
        }
        let period = integer(policy, "periodSeconds").unwrap_or_default();
        if period > PERIOD_LIMIT {
            let detail = format!("must be less than or equal to {PERIOD_LIMIT}");
            causes.invalid(&path.child("periodSeconds"), &period, &detail);
        }
    }
}

pub(super) fn lease(causes: &mut Causes, new: &Value) {
    let spec = field(new, "spec");
    if let Some(seconds) = integer(spec, "leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        causes.invalid(
            &SPEC.child("leaseDurationSeconds"),
            &seconds,
            "must be greater than 0",
        );
    }
    if let Some(number) = integer(spec, "leaseTransitions").filter(|number| *number < 0) {
        let detail = "must be greater than or equal to 0";
        causes.invalid(&SPEC.child("leaseTransitions"), &number, detail);
    }
}

pub(super) fn priority_class(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    const POLICIES: [&str; 2] = ["PreemptLowerPriority", "Never"];
    let name = object::name(new);
    let value = integer(new, "value").unwrap_or_default();
    let known = [
        ("system-node-critical", 2_000_001_000),
        ("system-cluster-critical", 2_000_000_000),
    ];
    if name.starts_with("system-") {
        let is_known = known.contains(&(name, value)) && !flag(new, "globalDefault");
        if !is_known {
            let detail = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {name} is not a known system priority class"
            );
            let path = Path::root("metadata");
            causes.forbidden(&path.child("name"), &detail);
        }
    } else if value > PRIORITY_LIMIT {
        let detail =
            format!("maximum allowed value of a user defined priority is {PRIORITY_LIMIT}");
        causes.forbidden(&Path::root("value"), &detail);
    }
    if let Some(policy) = present(new, "preemptionPolicy")
        && !policy
            .as_str()
            .is_some_and(|policy| POLICIES.contains(&policy))
    {
        causes.not_supported(&Path::root("preemptionPolicy"), policy, &POLICIES);
    }
    let Some(old) = old else { return };
    let before = integer(old, "value").unwrap_or_default();
    if before != value {
        // The capital is the server's.
        causes.forbidden(&Path::root("Value"), "may not be changed in an update.");
    }
    let name = "preemptionPolicy";
    causes.immutable(&Path::root(name), old.get(name), new.get(name));
}

pub(super) fn runtime_class(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let path = Path::root("handler");
    let handler = text(new, "handler");
    causes.invalid_each(&path, handler, &names::label(handler));
    if let Some(old) = old {
        causes.immutable(&path, old.get("handler"), new.get("handler"));
    }
}

pub(super) fn resource_quota(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let spec = field(new, "spec");
    let path = SPEC.child("hard");
    for (name, value) in entries(spec, "hard") {
        causes.invalid_each(
            &path.key(name),
            name,
            &names::qualified(&name.replace("count/", "count-")),
        );
        if !name.contains('/') && !is_standard_of_quota(name) {
            let detail = "must be a standard resource for quota";
            causes.invalid(&path.key(name), name, detail);
        }
        amount(causes, &path.key(name), name, value);
    }
    if let Some(old) = old {
        let fields = (field(old, "spec").get("scopes"), spec.get("scopes"));
        causes.immutable(&SPEC.child("scopes"), fields.0, fields.1);
    }
}

pub(super) fn limit_range(causes: &mut Causes, new: &Value) {
    let path = SPEC.child("limits");
    for (at, item) in list(field(new, "spec"), "limits").iter().enumerate() {
        let path = path.index(at);
        let kind = text(item, "type");
        causes.invalid_each(&path.child("type"), kind, &names::qualified(kind));
        let bound = |which: &str, name: &str| field(item, which).get(name).cloned();
        for (name, least) in entries(item, "min") {
            let most = bound("max", name);
            if let Some(most) = most.filter(|most| nano(least) > nano(most)) {
                let most = most.as_str().unwrap_or_default().to_owned();
                let detail = format!(
                    "min value {} is greater than max value {most}",
                    least.as_str().unwrap_or_default()
                );
                let path = path.child("min");
                causes.invalid(&path.key(name), least, &detail);
            }
        }
    }
}
