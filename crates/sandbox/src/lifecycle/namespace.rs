//! Namespaces: what may be created in them, and how their deletion begins.

use jiff::Timestamp;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::delete::{FOREGROUND_FINALIZER, ORPHAN_FINALIZER, Propagation, set_finalizers};
use crate::{Failure, Kind, State, object};

/// Namespaces that the server itself needs.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Whether an object may be created in a namespace: it must exist and not be going.
///
/// Errors: 404 if there is no such namespace; 403 with the cause `NamespaceTerminating`.
pub(crate) fn admit_into_namespace(
    state: &State,
    kind: &Kind,
    namespace: &str,
    name: &str,
) -> Result<(), Failure> {
    let namespaces = GroupKind::core("Namespace");
    let Some(found) = state.get(&namespaces, "", namespace) else {
        let message = format!("namespaces \"{namespace}\" not found");
        return Err(Failure {
            details: Some(Box::new(json!({"name": namespace, "kind": "namespaces"}))),
            ..Failure::new(404, "NotFound", message)
        });
    };
    if object::text(found, "/status/phase") != "Terminating" {
        return Ok(());
    }
    let why = format!(
        "unable to create new content in namespace {namespace} because it is being terminated"
    );
    let mut failure = forbidden(kind, name, &why);
    if let Some(details) = failure.details.as_deref_mut() {
        details["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
    }
    Err(failure)
}

/// 403 for the namespaces that cannot be deleted, whether they exist or not.
pub(super) fn forbid_system(kind: &Kind, name: &str) -> Result<(), Failure> {
    if IMMORTAL.contains(&name) {
        Err(forbidden(kind, name, "this namespace may not be deleted"))
    } else {
        Ok(())
    }
}

fn forbidden(kind: &Kind, name: &str, why: &str) -> Failure {
    let message = if name.is_empty() {
        format!("{} is forbidden: {why}", kind.resource())
    } else {
        format!("{} \"{name}\" is forbidden: {why}", kind.resource())
    };
    let mut details = json!({"kind": kind.plural});
    if !name.is_empty() {
        details["name"] = json!(name);
    }
    if !kind.kind.group.is_empty() {
        details["group"] = json!(kind.kind.group);
    }
    Failure {
        details: Some(Box::new(details)),
        ..Failure::new(403, "Forbidden", message)
    }
}

/// Whether something still has to empty the namespace.
pub(crate) fn has_spec_finalizers(namespace: &Value) -> bool {
    namespace
        .pointer("/spec/finalizers")
        .and_then(Value::as_array)
        .is_some_and(|finalizers| !finalizers.is_empty())
}

/// The namespace as the first deletion leaves it. Unlike other objects it gets no grace period.
pub(super) fn mark(current: &Value, propagation: Option<Propagation>, now: Timestamp) -> Value {
    let mut marked = current.clone();
    if let Some(propagation) = propagation {
        let wanted = match propagation {
            Propagation::Orphan => Some(ORPHAN_FINALIZER),
            Propagation::Foreground => Some(FOREGROUND_FINALIZER),
            Propagation::Background => None,
        };
        let finalizers: Vec<String> = object::finalizers(current)
            .filter(|one| *one != ORPHAN_FINALIZER && *one != FOREGROUND_FINALIZER)
            .chain(wanted)
            .map(str::to_owned)
            .collect();
        set_finalizers(&mut marked, &finalizers);
    }
    if let Some(metadata) = object::metadata(&mut marked) {
        metadata.insert("deletionTimestamp".to_owned(), json!(object::seconds(now)));
    }
    if let Some(root) = marked.as_object_mut() {
        object::child(root, "status").insert("phase".to_owned(), json!("Terminating"));
    }
    marked
}
