//! What controllers need to know of pods.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use underpin_model::GroupKind;

use crate::{
    lifecycle::conditions::{self, Condition, condition, holds},
    object,
};

/// The kind.
pub(super) fn pods() -> GroupKind {
    GroupKind::core("Pod")
}

/// Whether its containers have ended, well or not.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(object::text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether it counts as one of its workload's replicas: it has not ended and stays.
pub(super) fn is_active(pod: &Value) -> bool {
    !has_ended(pod) && !object::is_deleting(pod)
}

/// Whether it is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    holds(pod, "Ready")
}

/// When it will have been ready for long enough; `None` if it is not ready.
pub(super) fn available_at(pod: &Value, min_ready_seconds: i64) -> Option<Timestamp> {
    if !is_ready(pod) {
        return None;
    }
    let since = condition(pod, "Ready")
        .map(|ready| object::text(ready, "/lastTransitionTime"))
        .and_then(|text| text.parse::<Timestamp>().ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let wait = SignedDuration::from_secs(min_ready_seconds.max(0));
    Some(since.checked_add(wait).unwrap_or(Timestamp::MAX))
}

/// The node it is bound to; empty if there is none.
pub(super) fn node(pod: &Value) -> &str {
    object::text(pod, "/spec/nodeName")
}

/// The names of the claims that it uses, those of ephemeral volumes among them.
pub(super) fn claims(pod: &Value) -> Vec<String> {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    volumes
        .into_iter()
        .flatten()
        .filter_map(|volume| {
            if volume.get("ephemeral").is_some() {
                let volume = object::text(volume, "/name");
                return Some(format!("{}-{volume}", object::name(pod)));
            }
            let claim = volume.pointer("/persistentVolumeClaim/claimName")?;
            claim.as_str().map(str::to_owned)
        })
        .collect()
}

/// Writes a condition of a pod, which has a probe time besides, that nobody sets. Reason and
/// message are left out if empty.
pub(super) fn set_condition(
    pod: &mut Value,
    name: &'static str,
    holds: bool,
    (reason, message): (&'static str, &str),
    now: Timestamp,
) {
    let wanted = Condition::new(name, holds, reason, message);
    conditions::set_condition(pod, &wanted, now);
    let list = pod
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    for found in list.into_iter().flatten() {
        if let Some(found) = found.as_object_mut() {
            found.entry("lastProbeTime").or_insert(Value::Null);
        }
    }
}
