//! `autoscaling/v1`, which Kubernetes still serves beside `autoscaling/v2`: requests are translated
//! into those of the version that is stored, and the answers back.
//!
//! A target of CPU utilisation is all that the former version can say of metrics. Others are not
//! shown in it, where the real server puts them into an annotation; field managers that wrote in
//! one version are shown with the version that is asked for; JSON patches are taken as they are.
//!
//! Source: Kubernetes API reference, `autoscaling/v1` and `autoscaling/v2`
//! `HorizontalPodAutoscaler`.

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use underpin_fieldset::schema;

use super::body;
use crate::{
    Kind, Reply, ReplyBody, Request, State,
    access::{Attributes, Target},
};

const GROUP: &str = "autoscaling";
const KIND: &str = "HorizontalPodAutoscaler";
const FORMER: &str = "autoscaling/v1";
const STORED: &str = "autoscaling/v2";
const TARGET: &str = "targetCPUUtilizationPercentage";
const CURRENT: &str = "currentCPUUtilizationPercentage";

/// The kinds that are served in a former version, too, as discovery describes them.
pub(super) fn kinds(state: &State) -> impl Iterator<Item = &Kind> {
    static FORMER_KIND: LazyLock<Option<Kind>> = LazyLock::new(|| {
        let kinds = crate::kind_table::builtin_kinds();
        let stored = kinds.find(GROUP, "v2", "horizontalpodautoscalers")?;
        let mut former = stored.as_ref().clone();
        "v1".clone_into(&mut former.version);
        former.schema = schema::builtin(GROUP, "v1", KIND).unwrap_or(former.schema);
        Some(former)
    });
    let former = FORMER_KIND.as_ref();
    former
        .filter(|kind| state.kinds.of(&kind.kind).is_some())
        .into_iter()
}

/// The same request in the stored version, if it is in a former one.
pub(super) fn translated(request: &Request) -> Option<Request> {
    let rest = request.path.strip_prefix("/apis/autoscaling/v1/")?;
    match Attributes::of(request).target {
        Target::Resource {
            group,
            resource,
            subresource,
            ..
        } if group == GROUP && resource == "horizontalpodautoscalers" && subresource != "scale" => {
        }
        _ => return None,
    }
    let mut translated = request.clone();
    translated.path = format!("/apis/{STORED}/{rest}");
    if request.method != http::Method::DELETE
        && let Ok(mut value @ Value::Object(_)) = body::parse(request)
    {
        to_stored(&mut value);
        translated.body = Bytes::from(value.to_string());
        if translated.content_type == crate::protobuf::MEDIA_TYPE {
            "application/json".clone_into(&mut translated.content_type);
        }
    }
    Some(translated)
}

/// The answer in the former version.
pub(super) fn answered(mut reply: Reply) -> Reply {
    match &mut reply.body {
        ReplyBody::Json(value) => to_former(value),
        ReplyBody::Watch(watch) => watch.translate(to_former),
        _ => {}
    }
    reply
}

/// A whole object, or the parts of one that a patch names.
fn to_stored(value: &mut Value) {
    if value
        .get("apiVersion")
        .is_some_and(|version| version == FORMER)
    {
        value["apiVersion"] = json!(STORED);
    }
    managed_fields(
        value,
        FORMER,
        STORED,
        (TARGET, "metrics"),
        (CURRENT, "currentMetrics"),
    );
    let utilisation = |percent: Value, field: &str| match percent {
        Value::Null => Value::Null,
        percent => json!([{
            "type": "Resource",
            "resource": {"name": "cpu", field: match field {
                "target" => json!({"type": "Utilization", "averageUtilization": percent}),
                _ => json!({"averageUtilization": percent}),
            }},
        }]),
    };
    if let Some(spec) = part(value, "spec")
        && let Some(percent) = spec.remove(TARGET)
    {
        spec.insert("metrics".to_owned(), utilisation(percent, "target"));
    }
    if let Some(status) = part(value, "status")
        && let Some(percent) = status.remove(CURRENT)
    {
        status.insert("currentMetrics".to_owned(), utilisation(percent, "current"));
    }
}

/// An object or a list of them; anything else is left alone.
fn to_former(value: &mut Value) {
    if value
        .get("apiVersion")
        .is_none_or(|version| version != STORED)
    {
        return;
    }
    value["apiVersion"] = json!(FORMER);
    if let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            item_to_former(item);
        }
        return;
    }
    item_to_former(value);
}

fn item_to_former(value: &mut Value) {
    if value.get("apiVersion").is_some() {
        value["apiVersion"] = json!(FORMER);
    }
    managed_fields(
        value,
        STORED,
        FORMER,
        ("metrics", TARGET),
        ("currentMetrics", CURRENT),
    );
    if let Some(spec) = part(value, "spec") {
        spec.remove("behavior");
        if let Some(percent) = cpu(spec.remove("metrics"), "target") {
            spec.insert(TARGET.to_owned(), percent);
        }
    }
    if let Some(status) = part(value, "status") {
        status.remove("conditions");
        if let Some(percent) = cpu(status.remove("currentMetrics"), "current") {
            status.insert(CURRENT.to_owned(), percent);
        }
    }
}

fn part<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Map<String, Value>> {
    value.get_mut(name)?.as_object_mut()
}

/// The utilisation of CPU among metrics.
fn cpu(metrics: Option<Value>, field: &str) -> Option<Value> {
    let metrics = metrics?;
    let mut metrics = metrics.as_array()?.iter();
    metrics.find_map(|metric| {
        let resource = metric.get("resource")?;
        let is_cpu = resource.get("name")? == "cpu";
        let percent = resource.get(field)?.get("averageUtilization")?;
        is_cpu.then(|| percent.clone())
    })
}

/// Renames version and fields in what field managers own.
fn managed_fields(
    value: &mut Value,
    from: &str,
    to: &str,
    spec: (&str, &str),
    status: (&str, &str),
) {
    let entries = value.pointer_mut("/metadata/managedFields");
    let entries = entries.and_then(Value::as_array_mut).into_iter().flatten();
    for entry in entries.filter(|entry| entry["apiVersion"] == from) {
        entry["apiVersion"] = json!(to);
        for (parent, (old, new)) in [("f:spec", spec), ("f:status", status)] {
            if let Some(fields) = part(&mut entry["fieldsV1"], parent)
                && fields.remove(&format!("f:{old}")).is_some()
            {
                fields.insert(format!("f:{new}"), json!({}));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(former: &Value, stored: &Value) {
        let mut there = former.clone();
        to_stored(&mut there);
        assert_eq!(there, *stored);
        let mut back = stored.clone();
        to_former(&mut back);
        assert_eq!(back, *former);
    }

    #[test]
    fn both_versions_say_the_same() {
        let entry = |version: &str, field: &str| {
            json!([{
                "manager": "m", "apiVersion": version,
                "fieldsV1": {"f:spec": {"f:maxReplicas": {}, field: {}}},
            }])
        };
        let former = json!({
            "apiVersion": FORMER, "kind": KIND,
            "metadata": {"managedFields": entry(FORMER, "f:targetCPUUtilizationPercentage")},
            "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 70},
            "status": {"currentCPUUtilizationPercentage": 9},
        });
        let stored = json!({
            "apiVersion": STORED, "kind": KIND,
            "metadata": {"managedFields": entry(STORED, "f:metrics")},
            "spec": {"maxReplicas": 3, "metrics": [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70},
            }}]},
            "status": {"currentMetrics": [{"type": "Resource", "resource": {
                "name": "cpu", "current": {"averageUtilization": 9},
            }}]},
        });
        check(&former, &stored);
        let plain = |version: &str| json!({"apiVersion": version, "spec": {"maxReplicas": 1}});
        check(&plain(FORMER), &plain(STORED));
    }

    #[test]
    fn a_patch_may_take_the_target_away() {
        let mut patch = json!({"spec": {"targetCPUUtilizationPercentage": null}});
        to_stored(&mut patch);
        assert_eq!(patch, json!({"spec": {"metrics": null}}));
    }
}
