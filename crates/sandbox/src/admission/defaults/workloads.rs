//! The groups apps, batch and autoscaling.

use serde_json::{Map, Value, json};

use super::{set_missing, text};

pub(super) fn deployment_strategy(map: &mut Map<String, Value>) {
    set_missing(map, "type", || json!("RollingUpdate"));
    if text(map, "type") == "RollingUpdate" {
        let rolling = crate::object::child(map, "rollingUpdate");
        set_missing(rolling, "maxUnavailable", || json!("25%"));
        set_missing(rolling, "maxSurge", || json!("25%"));
    }
}

pub(super) fn daemon_set_strategy(map: &mut Map<String, Value>) {
    set_missing(map, "type", || json!("RollingUpdate"));
    if text(map, "type") == "RollingUpdate" {
        let rolling = crate::object::child(map, "rollingUpdate");
        set_missing(rolling, "maxUnavailable", || json!(1));
        set_missing(rolling, "maxSurge", || json!(0));
    }
}

/// A strategy that names its type keeps `rollingUpdate` as it is, missing too.
pub(super) fn stateful_set_strategy(map: &mut Map<String, Value>) {
    if text(map, "type").is_empty() {
        map.insert("type".to_owned(), json!("RollingUpdate"));
        crate::object::child(map, "rollingUpdate");
    }
    if text(map, "type") == "RollingUpdate"
        && let Some(Value::Object(rolling)) = map.get_mut("rollingUpdate")
    {
        set_missing(rolling, "partition", || json!(0));
    }
}

/// A job itself, not a cron job's template.
pub(super) fn job(map: &mut Map<String, Value>) {
    let Some(Value::Object(spec)) = map.get_mut("spec") else {
        return;
    };
    let indexed = text(spec, "completionMode") == "Indexed";
    if !indexed && spec.get("parallelism").is_none() {
        set_missing(spec, "completions", || json!(1));
    }
    set_missing(spec, "parallelism", || json!(1));
    let backoff_limit = if spec.contains_key("backoffLimitPerIndex") {
        i32::MAX
    } else {
        6
    };
    set_missing(spec, "backoffLimit", || json!(backoff_limit));
    set_missing(spec, "completionMode", || json!("NonIndexed"));
    set_missing(spec, "suspend", || json!(false));
    let replacement = if spec.contains_key("podFailurePolicy") {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    set_missing(spec, "podReplacementPolicy", || json!(replacement));
    let labels = spec
        .get("template")
        .and_then(|template| template.pointer("/metadata/labels"))
        .cloned();
    if let (Some(labels), Some(Value::Object(metadata))) = (labels, map.get_mut("metadata")) {
        set_missing(metadata, "labels", || labels);
    }
}

/// Without metrics, processor use of 80 per cent; a behaviour that is given is filled in whole.
pub(super) fn autoscaler(map: &mut Map<String, Value>) {
    let has_metrics = map
        .get("metrics")
        .and_then(Value::as_array)
        .is_some_and(|metrics| !metrics.is_empty());
    if !has_metrics {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        map.insert("metrics".to_owned(), json!([metric]));
    }
    if let Some(Value::Object(behavior)) = map.get_mut("behavior") {
        let up = crate::object::child(behavior, "scaleUp");
        set_missing(up, "stabilizationWindowSeconds", || json!(0));
        set_missing(up, "selectPolicy", || json!("Max"));
        set_missing(up, "policies", || {
            json!([
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ])
        });
        let down = crate::object::child(behavior, "scaleDown");
        set_missing(down, "selectPolicy", || json!("Max"));
        set_missing(
            down,
            "policies",
            || json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]),
        );
    }
}

/// The generation of the template, which an annotation holds since the field is gone.
pub(super) fn daemon_set(map: &mut Map<String, Value>) {
    let metadata = map.entry("metadata").or_insert_with(|| json!({}));
    let Value::Object(metadata) = metadata else {
        return;
    };
    let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Value::Object(annotations) = annotations {
        annotations
            .entry("deprecated.daemonset.template.generation")
            .or_insert_with(|| json!("0"));
    }
}
