//! Admission webhooks. They cannot be called from here, so each one that matches is one that does
//! not answer: with `failurePolicy: Fail` (the default) the request fails as on the real server.
//!
//! Every kind is served at one version, so `matchPolicy` makes no difference. `matchConditions` are
//! not evaluated: a webhook that has them counts as matching.
//!
//! Source: Kubernetes documentation, "Dynamic Admission Control".

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::selector::matches_selector;
use crate::{Failure, Kind, State, object};

const GROUP: &str = "admissionregistration.k8s.io";

/// Seconds that a webhook has to answer, where its configuration does not say.
const DEFAULT_TIMEOUT_SECONDS: u64 = 10;

/// What is done, as webhooks see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A new object.
    Create,
    /// A changed one.
    Update,
    /// One that goes.
    Delete,
}

/// Which of the two kinds of webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Those that may change the object: before validation.
    Mutating,
    /// Those that may only refuse: after validation.
    Validating,
}

/// What is to be admitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission<'a> {
    /// The kind of the object.
    pub(crate) kind: &'a Kind,
    /// Empty for the object itself.
    pub(crate) subresource: &'a str,
    /// What is done.
    pub(crate) operation: Operation,
    /// Of the object; empty for cluster-scoped ones.
    pub(crate) namespace: &'a str,
    /// The object as it will be; of a deletion none.
    pub(crate) object: Option<&'a Value>,
    /// The object as it is; of a creation none.
    pub(crate) old: Option<&'a Value>,
    /// Whether nothing is to be persisted.
    pub(crate) dry_run: bool,
}

/// Asks the webhooks of one phase, in the order of their configurations' names.
///
/// # Errors
///
/// 500 if one matches and does not answer; 400 for a dry run if one may have side effects; 404 if
/// one selects by namespace and the namespace does not exist.
pub(crate) fn webhooks(
    state: &State,
    phase: Phase,
    admission: &Admission<'_>,
) -> Result<(), Failure> {
    if admission.kind.kind.group == GROUP {
        return Ok(());
    }
    let configuration = match phase {
        Phase::Mutating => "MutatingWebhookConfiguration",
        Phase::Validating => "ValidatingWebhookConfiguration",
    };
    let configurations = state.objects(&GroupKind::new(GROUP, configuration));
    for configuration in configurations.values() {
        let hooks = configuration.get("webhooks").and_then(Value::as_array);
        for hook in hooks.into_iter().flatten() {
            if is_called(state, hook, admission)? {
                call(state, hook, admission.dry_run)?;
            }
        }
    }
    Ok(())
}

fn is_called(state: &State, hook: &Value, admission: &Admission<'_>) -> Result<bool, Failure> {
    let selector = hook.get("objectSelector").unwrap_or(&Value::Null);
    let object_matches = [admission.object, admission.old]
        .into_iter()
        .flatten()
        .any(|object| matches_selector(selector, labels(Some(object))));
    let rules = hook.get("rules").and_then(Value::as_array);
    let mut rules = rules.into_iter().flatten();
    if !object_matches || !rules.any(|rule| rule_matches(rule, admission)) {
        return Ok(false);
    }
    namespace_matches(state, hook, admission)
}

fn labels(object: Option<&Value>) -> &Value {
    let labels = object.and_then(|object| object.pointer("/metadata/labels"));
    labels.unwrap_or(&Value::Null)
}

fn namespace_matches(
    state: &State,
    hook: &Value,
    admission: &Admission<'_>,
) -> Result<bool, Failure> {
    let selector = hook.get("namespaceSelector").unwrap_or(&Value::Null);
    let is_empty = |field: &str| {
        let terms = selector.get(field);
        terms.is_none_or(|terms| {
            terms.as_array().is_none_or(Vec::is_empty)
                && terms.as_object().is_none_or(serde_json::Map::is_empty)
        })
    };
    if is_empty("matchLabels") && is_empty("matchExpressions") {
        return Ok(true);
    }
    if is_namespace(admission) {
        let namespace = admission.object.or(admission.old);
        return Ok(matches_selector(selector, labels(namespace)));
    }
    if admission.namespace.is_empty() {
        return Ok(true);
    }
    let kind = GroupKind::core("Namespace");
    if let Some(namespace) = state.get(&kind, "", admission.namespace) {
        return Ok(matches_selector(selector, labels(Some(namespace))));
    }
    let message = format!("namespaces {:?} not found", admission.namespace);
    let details = json!({"name": admission.namespace, "kind": "namespaces"});
    Err(Failure {
        details: Some(Box::new(details)),
        ..Failure::new(404, "NotFound", message)
    })
}

fn is_namespace(admission: &Admission<'_>) -> bool {
    let kind = &admission.kind.kind;
    kind.group.is_empty() && kind.kind == "Namespace"
}

fn rule_matches(rule: &Value, admission: &Admission<'_>) -> bool {
    let kind = admission.kind;
    let texts = |field: &str| {
        let items = rule.get(field).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str)
    };
    let has = |field: &str, wanted: &str| texts(field).any(|item| item == "*" || item == wanted);
    let operation = match admission.operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
    };
    let in_namespace = !admission.namespace.is_empty() && !is_namespace(admission);
    let scope = match object::text(rule, "/scope") {
        "" | "*" => true,
        "Namespaced" => in_namespace,
        "Cluster" => !in_namespace,
        _ => false,
    };
    let resource = texts("resources").any(|item| {
        let (resource, subresource) = item.split_once('/').unwrap_or((item, ""));
        (resource == "*" || resource == kind.plural)
            && (subresource == "*" || subresource == admission.subresource)
    });
    scope
        && resource
        && has("operations", operation)
        && has("apiGroups", &kind.kind.group)
        && has("apiVersions", &kind.version)
}

/// What becomes of a call, which is never answered.
fn call(state: &State, hook: &Value, dry_run: bool) -> Result<(), Failure> {
    let name = object::text(hook, "/name");
    let side_effects = object::text(hook, "/sideEffects");
    if dry_run && !matches!(side_effects, "None" | "NoneOnDryRun" | "") {
        let message = format!("admission webhook {name:?} does not support dry run");
        return Err(Failure::bad_request(message));
    }
    if object::text(hook, "/failurePolicy") == "Ignore" {
        return Ok(());
    }
    let why = match side_effects {
        "" if dry_run => "Webhook SideEffects is nil".to_owned(),
        _ => unanswered(state, hook),
    };
    let why = format!("failed calling webhook {name:?}: {why}");
    let message = format!("Internal error occurred: {why}");
    Err(Failure {
        details: Some(Box::new(json!({"causes": [{"message": why}]}))),
        ..Failure::new(500, "InternalError", message)
    })
}

fn unanswered(state: &State, hook: &Value) -> String {
    let client = hook.get("clientConfig").unwrap_or(&Value::Null);
    let timeout = hook.get("timeoutSeconds").and_then(Value::as_u64);
    let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT_SECONDS);
    let url = object::text(client, "/url");
    if !url.is_empty() {
        let host = url.strip_prefix("https://").unwrap_or(url);
        let host = host.split(['/', '?']).next().unwrap_or(host);
        let port = if host.contains(':') { "" } else { ":443" };
        return format!(
            "Post \"{url}?timeout={timeout}s\": dial tcp {host}{port}: connect: connection refused"
        );
    }
    let service = |field: &str| object::text(client, &format!("/service/{field}"));
    let (namespace, name) = (service("namespace"), service("name"));
    let port = client.pointer("/service/port").and_then(Value::as_u64);
    let port = port.unwrap_or(443);
    let path = service("path").trim_start_matches('/');
    let why = match state.get(&GroupKind::new("", "Service"), namespace, name) {
        None => format!("service {name:?} not found"),
        Some(service) => format!(
            "dial tcp {}:{port}: connect: connection refused",
            object::text(service, "/spec/clusterIP")
        ),
    };
    format!("Post \"https://{name}.{namespace}.svc:{port}/{path}?timeout={timeout}s\": {why}")
}
