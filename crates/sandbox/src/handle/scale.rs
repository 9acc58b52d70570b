//! The subresource scale: the number of replicas of any kind that has one, in one form.
//!
//! Source: Kubernetes API reference, `autoscaling/v1` Scale.

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};
use underpin_fieldset::schema::KindSchema;

use super::{
    body, json_patch, merge_patch,
    options::{self, Asks},
    render::Form,
    route::Target,
    strategic_patch,
    write::{self, Fields, Write},
};
use crate::{Cause, Failure, Kind, Reply, Request, State, kind::Scale, object};

/// The group that the form belongs to.
const GROUP: &str = "autoscaling";

/// Reads or writes the scale of an object.
pub(super) fn handle(
    state: &mut State,
    request: &Request,
    target: &Target,
) -> Result<Reply, Failure> {
    let Some(scale) = target.kind.scale.clone() else {
        return Err(Failure::not_served());
    };
    let asks = match request.method {
        Method::GET => {
            let form = Form::of(request)?;
            let live = live(state, target)?;
            return Ok(form.document(200, view(&target.kind, &scale, &live)));
        }
        Method::PUT => Asks::Update,
        Method::PATCH => Asks::Patch,
        _ => return Err(Failure::method_not_allowed()),
    };
    let form = Form::of(request)?;
    let options = options::write_options(request, asks)?;
    let live = live(state, target)?;
    let current = view(&target.kind, &scale, &live);
    let wanted = match asks {
        Asks::Update => put(request)?,
        _ => patched(request, current)?,
    };
    write::check_name(target, &wanted)?;
    let replicas = replicas(target, &wanted)?;
    let mut new = live.as_ref().clone();
    let version = object::resource_version(&wanted);
    let metadata = object::child_of(&mut new, "metadata");
    if !matches!(version, "" | "0") {
        metadata.insert("resourceVersion".to_owned(), version.into());
    }
    set(&mut new, &scale.spec_replicas, json!(replicas));
    let mut write = Write {
        request,
        target,
        options,
        form,
        warnings: Vec::new(),
    };
    let dry_run = write.options.dry_run;
    state.persisting(dry_run, |state| {
        let stored = write.update(state, &live, new, Fields::Untracked)?;
        Ok(write.warned(form.document(200, view(&target.kind, &scale, &stored))))
    })
}

fn live(state: &State, target: &Target) -> Result<Arc<Value>, Failure> {
    let found = state.get(&target.kind.kind, &target.namespace, &target.name);
    found.cloned().ok_or_else(|| {
        let kind = &target.kind;
        let (plural, name) = (kind.plural_of("scale"), &target.name);
        // Of the core group's controllers, the server says that they are of another.
        let (resource, group) = match kind.kind.group.as_str() {
            "" => (format!("{plural}.{GROUP}"), GROUP),
            group => (kind.resource_of("scale"), group),
        };
        let message = format!("{resource} {name:?} not found");
        let details = json!({"name": name, "kind": plural, "group": group});
        Failure {
            details: Some(Box::new(details)),
            ..Failure::new(404, "NotFound", message)
        }
    })
}

/// The scale of an object.
fn view(kind: &Kind, scale: &Scale, live: &Value) -> Value {
    let number = |pointer: &str| {
        live.pointer(pointer)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    };
    let mut metadata = Map::new();
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = live.pointer(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let mut spec = json!({});
    // None is what is left out.
    if number(&scale.spec_replicas) != 0 {
        spec["replicas"] = json!(number(&scale.spec_replicas));
    }
    let mut status = json!({"replicas": number(&scale.status_replicas)});
    let selector = match &scale.selector {
        Some(pointer) => object::text(live, pointer).to_owned(),
        None if kind.definition.is_some() => String::new(),
        None => selector_text(live.pointer("/spec/selector").unwrap_or(&Value::Null)),
    };
    if !selector.is_empty() {
        status["selector"] = json!(selector);
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec,
        "status": status,
    })
}

/// A selector as text, requirements by key. A ReplicationController's is a plain map.
fn selector_text(selector: &Value) -> String {
    let labels = match selector.get("matchLabels") {
        Some(labels) => labels.as_object(),
        None if selector.get("matchExpressions").is_some() => None,
        None => selector.as_object(),
    };
    let equal = labels.into_iter().flatten().map(|(key, value)| {
        let value = value.as_str().unwrap_or_default();
        (key.clone(), format!("{key}={value}"))
    });
    let mut requirements: Vec<(String, String)> = equal.collect();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for expression in expressions.into_iter().flatten() {
        let key = object::text(expression, "/key").to_owned();
        let values = expression.get("values").and_then(Value::as_array);
        let mut values: Vec<&str> = values
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        values.sort_unstable();
        let values = values.join(",");
        let text = match object::text(expression, "/operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.clone(),
        };
        requirements.push((key, text));
    }
    requirements.sort();
    let texts: Vec<String> = requirements.into_iter().map(|(_, text)| text).collect();
    texts.join(",")
}

fn put(request: &Request) -> Result<Value, Failure> {
    body::check_content_type(request)?;
    let refuse = |why: &str| {
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type Scale): couldn't get \
             version/kind; {why}"
        ))
    };
    let value = body::parse(request).map_err(|why| refuse(&why))?;
    if !value.is_object() {
        return Err(refuse(&body::not_a_kind(body::go_name(&value))));
    }
    let (version, kind) = (
        object::text(&value, "/apiVersion"),
        object::text(&value, "/kind"),
    );
    if matches!((version, kind), ("" | "autoscaling/v1", "" | "Scale")) {
        return Ok(value);
    }
    Err(Failure::bad_request(format!(
        "{kind} in version {version:?} cannot be handled as a Scale: converting ({version}.{kind}) \
         to (autoscaling.Scale): unknown conversion"
    )))
}

fn patched(request: &Request, mut current: Value) -> Result<Value, Failure> {
    match body::media_type(request) {
        "application/json-patch+json" => json_patch::apply(&mut current, &request.body)?,
        "application/merge-patch+json" => match serde_json::from_slice(&request.body) {
            Ok(patch @ Value::Object(_)) => merge_patch::merge(&mut current, patch),
            _ => return Err(Failure::unexpected("Invalid JSON Patch")),
        },
        "application/strategic-merge-patch+json" => {
            let patch: Map<String, Value> = serde_json::from_slice(&request.body)
                .map_err(|error| Failure::bad_request(body::go_error(&error, &request.body)))?;
            strategic_patch::merge(&mut current, &patch, &KindSchema::deduced())?;
        }
        _ => {
            return Err(Failure::general(
                415,
                "UnsupportedMediaType",
                "415: Unsupported Media Type",
            ));
        }
    }
    Ok(current)
}

/// The replicas that a scale asks for; none is zero.
fn replicas(target: &Target, wanted: &Value) -> Result<i64, Failure> {
    let given = wanted.pointer("/spec/replicas").unwrap_or(&Value::Null);
    let number = match given {
        Value::Null => Some(0),
        other => other
            .as_i64()
            .filter(|number| i32::try_from(*number).is_ok()),
    };
    let number = number.ok_or_else(|| {
        Failure::bad_request(format!(
            "Scale in version \"v1\" cannot be handled as a Scale: v1.Scale.Spec: \
             v1.ScaleSpec.Replicas: {given} is no 32-bit integer"
        ))
    })?;
    if let (true, Some(scale), Some(_)) = (number < 0, &target.kind.scale, &target.kind.definition)
    {
        let cause = Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: format!("Invalid value: {number}: should be a non-negative integer"),
            field: scale.spec_replicas.replace('/', "."),
        };
        return Err(Failure::invalid(&target.kind, &target.name, &[cause]));
    }
    if number < 0 {
        let cause = Cause {
            reason: "FieldValueInvalid".to_owned(),
            message: format!("Invalid value: {number}: must be greater than or equal to 0"),
            field: "spec.replicas".to_owned(),
        };
        return Err(Failure::invalid_of(
            "autoscaling",
            "Scale",
            &target.name,
            &[cause],
        ));
    }
    Ok(number)
}

/// Sets a value at a pointer, making the objects on the way.
fn set(value: &mut Value, pointer: &str, new: Value) {
    let mut at = value;
    let mut names = pointer.split('/').skip(1).peekable();
    while let Some(name) = names.next() {
        if names.peek().is_none() {
            if let Value::Object(fields) = at {
                fields.insert(name.to_owned(), new);
            }
            return;
        }
        object::child_of(at, name);
        let Some(next) = at.get_mut(name) else {
            return;
        };
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selector: &Value, expect: &str) {
        assert_eq!(selector_text(selector), expect);
    }

    #[test]
    fn selectors_are_written_by_key() {
        check(&json!({"matchLabels": {"b": "1", "a": "2"}}), "a=2,b=1");
        check(&json!({"b": "1"}), "b=1");
        check(
            &json!({"matchExpressions": [
                {"key": "z", "operator": "NotIn", "values": ["y", "x"]},
                {"key": "a", "operator": "Exists"},
                {"key": "m", "operator": "DoesNotExist"},
            ]}),
            "a,!m,z notin (x,y)",
        );
    }
}
