//! Subresources: status, scale, finalize, approval, eviction, binding, log, token.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{
    body,
    options::{self, Asks},
    patch, read,
    render::Form,
    route::Target,
    scale, update,
};
use crate::{
    Failure, Kind, Reply, ReplyBody, Request, State, access,
    controllers::LOG,
    lifecycle::{self, DeleteOptions, Propagation},
    object,
};

/// Carries out a request on a subresource.
pub(super) fn handle(
    state: &mut State,
    request: &Request,
    target: &Target,
) -> Result<Reply, Failure> {
    let kind = &target.kind;
    match target.subresource.as_str() {
        "status" if kind.has_status => whole(state, request, target),
        "approval"
            if kind
                .kind
                .is("certificates.k8s.io", "CertificateSigningRequest") =>
        {
            whole(state, request, target)
        }
        "finalize" if kind.kind.is("", "Namespace") && request.method == Method::PUT => {
            update::handle(state, request, target)
        }
        "scale" if kind.scale.is_some() => scale::handle(state, request, target),
        "eviction" if kind.kind.is("", "Pod") => {
            post(request).and_then(|()| evict(state, request, target))
        }
        "binding" if kind.kind.is("", "Pod") => {
            post(request).and_then(|()| bind(state, request, target))
        }
        "log" if kind.kind.is("", "Pod") && request.method == Method::GET => {
            log(state, request, target)
        }
        "token" if kind.kind.is("", "ServiceAccount") => {
            post(request).and_then(|()| token(state, request, target))
        }
        _ if kind.definition.is_some() => Err(Failure::not_found(kind, &target.name)),
        _ => Err(Failure::not_served()),
    }
}

fn post(request: &Request) -> Result<(), Failure> {
    if request.method == Method::POST {
        Ok(())
    } else {
        Err(Failure::method_not_allowed())
    }
}

/// A subresource that is the whole object, of which a write changes but a part.
fn whole(state: &mut State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    match request.method {
        Method::GET => read::get(state, request, target),
        Method::PUT => update::handle(state, request, target),
        Method::PATCH => patch::handle(state, request, target),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// The body of a POST to a subresource, of the kind that it takes.
fn posted(request: &Request, group: &str, name: &str) -> Result<Value, Failure> {
    body::check_content_type(request)?;
    let refuse = |why: &str| {
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {name}): {why}"
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
    let given_group = version.split_once('/').map_or("", |(group, _)| group);
    if (!kind.is_empty() && kind != name) || (!version.is_empty() && given_group != group) {
        return Err(Failure::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {name}"
        )));
    }
    Ok(value)
}

fn live(state: &State, target: &Target) -> Result<Arc<Value>, Failure> {
    let found = state.get(&target.kind.kind, &target.namespace, &target.name);
    found
        .cloned()
        .ok_or_else(|| Failure::not_found(&target.kind, &target.name))
}

/// What a pod's container has written: what the pod's annotation says. Nothing runs here.
fn log(state: &State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    let pod = live(state, target)?;
    let containers = ["/spec/initContainers", "/spec/containers"];
    let names: Vec<&str> = containers
        .iter()
        .filter_map(|list| pod.pointer(list)?.as_array())
        .flatten()
        .map(|container| object::text(container, "/name"))
        .collect();
    let (pod_name, all) = (&target.name, names.join(" "));
    match request
        .parameter("container")
        .filter(|name| !name.is_empty())
    {
        Some(name) if !names.contains(&name) => {
            return Err(Failure::bad_request(format!(
                "container {name} is not valid for pod {pod_name}"
            )));
        }
        None if names.len() > 1 => {
            return Err(Failure::bad_request(format!(
                "a container name must be specified for pod {pod_name}, choose one of: [{all}]"
            )));
        }
        _ => {}
    }
    let phase = object::text(&pod, "/status/phase");
    if matches!(phase, "" | "Pending") {
        return Err(Failure::bad_request(format!(
            "container in pod {pod_name} is waiting to start"
        )));
    }
    let annotations = pod.pointer("/metadata/annotations");
    let written = annotations.and_then(|all| all.get(LOG)?.as_str());
    let lines: Vec<&str> = written.unwrap_or_default().lines().collect();
    let wanted = |name| request.parameter(name).and_then(|text| text.parse().ok());
    let tail = wanted("tailLines").unwrap_or(lines.len());
    let first = lines.len().saturating_sub(tail);
    let mut text: String = lines[first..]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    let mut limit = wanted("limitBytes").unwrap_or(text.len()).min(text.len());
    while !text.is_char_boundary(limit) {
        limit -= 1;
    }
    text.truncate(limit);
    Ok(Reply {
        code: 200,
        headers: Vec::new(),
        content_type: "text/plain",
        body: ReplyBody::Text(text),
    })
}

/// Deletes a pod unless a disruption budget forbids it.
fn evict(state: &mut State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    let form = Form::of(request)?;
    let eviction = posted(request, "policy", "Eviction")?;
    let given = eviction.get("deleteOptions").unwrap_or(&Value::Null);
    let options = DeleteOptions {
        uid: text_of(given, "/preconditions/uid"),
        resource_version: text_of(given, "/preconditions/resourceVersion"),
        propagation: match object::text(given, "/propagationPolicy") {
            "Foreground" => Some(Propagation::Foreground),
            "Orphan" => Some(Propagation::Orphan),
            "Background" => Some(Propagation::Background),
            _ => None,
        },
        grace_period_seconds: given.get("gracePeriodSeconds").and_then(Value::as_i64),
    };
    let asked = options::write_options(request, Asks::Create)?;
    let dry_run = asked.dry_run || given.pointer("/dryRun/0").is_some();
    let pod = live(state, target)?;
    state.persisting(dry_run, |state| {
        spend_budget(state, target, &pod)?;
        lifecycle::delete(
            state,
            &target.kind,
            &target.namespace,
            &target.name,
            &options,
        )?;
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
        });
        Ok(form.document(201, status))
    })
}

fn text_of(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

/// Takes one disruption from the budget that covers a pod; 429 if there is none left.
fn spend_budget(state: &mut State, target: &Target, pod: &Value) -> Result<(), Failure> {
    let phase = object::text(pod, "/status/phase");
    if matches!(phase, "Succeeded" | "Failed" | "Pending") {
        return Ok(());
    }
    let budgets = GroupKind::new("policy", "PodDisruptionBudget");
    let Some(kind) = state.kinds.of(&budgets).cloned() else {
        return Ok(());
    };
    let labels = pod.pointer("/metadata/labels").unwrap_or(&Value::Null);
    let objects = state.objects(&budgets);
    let covers = |budget: &Value| {
        let selector = budget.pointer("/spec/selector");
        selector.is_some_and(|selector| access::matches_selector(selector, labels))
    };
    let covering: Vec<_> = objects
        .values()
        .filter(|budget| object::namespace(budget) == target.namespace && covers(budget))
        .collect();
    let budget = match covering.as_slice() {
        [] => return Ok(()),
        [budget] => *budget,
        _ => {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction \
                           subresource does not support.";
            return Err(Failure::new(500, "", message));
        }
    };
    let allowed = budget
        .pointer("/status/disruptionsAllowed")
        .and_then(Value::as_i64);
    let allowed = allowed.unwrap_or_default();
    if allowed < 1 {
        return Err(exhausted(&kind, budget));
    }
    let mut spent = budget.as_ref().clone();
    let now = object::seconds(state.now);
    let status = object::child_of(&mut spent, "status");
    status.insert("disruptionsAllowed".to_owned(), json!(allowed - 1));
    let disrupted = object::child(status, "disruptedPods");
    disrupted.insert(target.name.clone(), json!(now));
    state.put(&kind, spent);
    Ok(())
}

fn exhausted(kind: &Kind, budget: &Value) -> Failure {
    let number = |field: &str| {
        let value = budget.pointer(&format!("/status/{field}"));
        value.and_then(Value::as_i64).unwrap_or_default()
    };
    let cause = json!({
        "reason": "DisruptionBudget",
        "message": format!(
            "The disruption budget {} needs {} healthy pods and has {} currently",
            object::name(budget), number("desiredHealthy"), number("currentHealthy"),
        ),
    });
    Failure {
        details: Some(Box::new(json!({"causes": [cause]}))),
        ..Failure::new(
            429,
            "TooManyRequests",
            format!(
                "Cannot evict pod as it would violate the pod's {}.",
                match kind.kind.kind.as_str() {
                    "PodDisruptionBudget" => "disruption budget",
                    other => other,
                }
            ),
        )
    }
}

/// Assigns a pod to a node, as the scheduler does.
fn bind(state: &mut State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    let form = Form::of(request)?;
    let binding = posted(request, "", "Binding")?;
    let asked = options::write_options(request, Asks::Create)?;
    let node = object::text(&binding, "/target/name").to_owned();
    if node.is_empty() {
        let cause = crate::Cause {
            reason: "FieldValueRequired".to_owned(),
            message: "Required value".to_owned(),
            field: "target.name".to_owned(),
        };
        return Err(Failure::invalid_of("", "Binding", "", &[cause]));
    }
    let pod = live(state, target)?;
    let current = object::text(&pod, "/spec/nodeName");
    let refused = if object::is_deleting(&pod) {
        Some(format!(
            "pod {} is being deleted, cannot be assigned to a host",
            target.name
        ))
    } else if current.is_empty() {
        None
    } else {
        Some(format!(
            "pod {} is already assigned to node {current:?}",
            target.name
        ))
    };
    if let Some(why) = refused {
        let mut failure = Failure::conflict(&target.kind, &target.name, &why);
        let plural = target.kind.plural_of("binding");
        failure.message = format!(
            "Operation cannot be fulfilled on {plural} {:?}: {why}",
            target.name
        );
        return Err(failure);
    }
    state.persisting(asked.dry_run, |state| {
        let mut bound = pod.as_ref().clone();
        object::child_of(&mut bound, "spec").insert("nodeName".to_owned(), node.into());
        state.put(&target.kind, bound);
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
        });
        Ok(form.document(201, status))
    })
}

/// Issues a token of a service account.
fn token(state: &mut State, request: &Request, target: &Target) -> Result<Reply, Failure> {
    let form = Form::of(request)?;
    let asked = posted(request, "authentication.k8s.io", "TokenRequest")?;
    let account = live(state, target)?;
    let answer = access::request_token(state, &account, &asked)?;
    Ok(form.document(201, answer))
}
