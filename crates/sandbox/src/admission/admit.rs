//! What is refused because of something else in the cluster.

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{Operation, view::text};
use crate::{Failure, Kind, State, object};

/// Refuses what refers to something that is not there.
///
/// # Errors
///
/// 403 for a pod whose ServiceAccount or PriorityClass does not exist.
pub(crate) fn admit(
    state: &State,
    kind: &Kind,
    operation: Operation,
    new: &Value,
) -> Result<(), Failure> {
    if operation != Operation::Create || !kind.kind.is("", "Pod") {
        return Ok(());
    }
    let spec = new.get("spec").unwrap_or(&Value::Null);
    let namespace = object::namespace(new);
    let account = Some(text(spec, "serviceAccountName"))
        .filter(|name| !name.is_empty())
        .or(spec.get("serviceAccount").and_then(Value::as_str))
        .filter(|name| !name.is_empty())
        .unwrap_or("default");
    let accounts = GroupKind::core("ServiceAccount");
    if state.get(&accounts, namespace, account).is_none() {
        let why = format!(
            "error looking up service account {namespace}/{account}: serviceaccount {account:?} not found"
        );
        return Err(forbidden(kind, new, &why));
    }
    let class = text(spec, "priorityClassName");
    let classes = GroupKind::new("scheduling.k8s.io", "PriorityClass");
    if !class.is_empty() && state.get(&classes, "", class).is_none() {
        let why = format!("no PriorityClass with name {class} was found");
        return Err(forbidden(kind, new, &why));
    }
    Ok(())
}

fn forbidden(kind: &Kind, new: &Value, why: &str) -> Failure {
    let name = object::name(new);
    let message = format!("{} {name:?} is forbidden: {why}", kind.resource());
    let mut failure = Failure::new(403, "Forbidden", message);
    failure.details = Some(Box::new(json!({"name": name, "kind": kind.plural})));
    failure
}
