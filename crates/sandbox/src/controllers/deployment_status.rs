//! Deployments: what their status says.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Controller, Writer, client, deployment,
    deployment::{Sets, deployments},
    deployment_scale as scale, enqueue_at, owned,
    replica_set::FAILURE,
};
use crate::{
    State,
    lifecycle::{
        Key,
        conditions::{self, Condition, condition},
    },
    object,
};

const PROGRESSING: &str = "Progressing";
const COMPLETE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";
/// A deadline that is none.
const NO_DEADLINE: i64 = i32::MAX as i64;

/// Whether every pod is of the present template and available.
pub(super) fn is_complete(deployment: &Value, status: &Value) -> bool {
    let wanted = scale::wanted(deployment);
    let number = |field: &str| count_of(status, field);
    number("updatedReplicas") == wanted
        && number("replicas") == wanted
        && number("availableReplicas") == wanted
        && number("observedGeneration")
            >= owned::integer(deployment, "/metadata/generation").unwrap_or_default()
}

/// Notes that a deployment was paused, or goes on.
pub(super) fn note_pause(state: &mut State, key: &Key, deployment: &Value) {
    if deadline(deployment).is_none() {
        return;
    }
    let paused = deployment.pointer("/spec/paused") == Some(&json!(true));
    let reason = condition(deployment, PROGRESSING).map(|found| object::text(found, "/reason"));
    let noted = match (paused, reason) {
        (true, Some(TIMED_OUT)) => return,
        (true, reason) if reason != Some(PAUSED) => (PAUSED, "Deployment is paused"),
        (false, Some(PAUSED)) => ("DeploymentResumed", "Deployment is resumed"),
        _ => return,
    };
    let mut changed = deployment.clone();
    let noted = Condition {
        status: "Unknown",
        ..Condition::new(PROGRESSING, true, noted.0, noted.1)
    };
    set(&mut changed, &noted, state.now);
    client::update_status(state, Writer::ControllerManager, &key.kind, changed);
}

/// Notes that a ReplicaSet was created.
pub(super) fn note_created(state: &mut State, key: &Key, set_name: &str) {
    let Some(deployment) = client::get(state, key) else {
        return;
    };
    if deadline(&deployment).is_none() {
        return;
    }
    let mut changed = deployment.as_ref().clone();
    let message = format!("Created new replica set \"{set_name}\"");
    let created = Condition::new(PROGRESSING, true, "NewReplicaSetCreated", message);
    set(&mut changed, &created, state.now);
    client::update_status(state, Writer::ControllerManager, &key.kind, changed);
}

/// Notes the revision of the present template.
pub(super) fn note_revision(state: &mut State, key: &Key, annotation: &str, revision: i64) {
    let Some(deployment) = client::get(state, key) else {
        return;
    };
    let mut changed = deployment.as_ref().clone();
    if let Some(metadata) = object::metadata(&mut changed) {
        let revision = json!(revision.to_string());
        object::child(metadata, "annotations").insert(annotation.to_owned(), revision);
    }
    // The real controller writes it through the status, too.
    client::update_status(state, Writer::ControllerManager, &key.kind, changed);
}

/// Writes the status from the sets as they are now.
pub(super) fn write_of(state: &mut State, key: &Key) {
    if let Some(deployment) = client::get(state, key) {
        let sets = deployment::sets_now(state, &deployment);
        write(state, key, &sets);
    }
}

/// Writes the status from the sets.
pub(super) fn write(state: &mut State, key: &Key, sets: &Sets) {
    let Some(deployment) = client::get(state, key) else {
        return;
    };
    let mut changed = deployment.as_ref().clone();
    counts(&mut changed, sets);
    let enough = count_of(&changed["status"], "availableReplicas")
        >= scale::wanted(&deployment) - scale::max_unavailable(&deployment);
    let available = if enough {
        let message = "Deployment has minimum availability.";
        Condition::new("Available", true, "MinimumReplicasAvailable", message)
    } else {
        let message = "Deployment does not have minimum availability.";
        Condition::new("Available", false, "MinimumReplicasUnavailable", message)
    };
    set(&mut changed, &available, state.now);
    let paused = deployment.pointer("/spec/paused") == Some(&json!(true));
    if !paused && !object::is_deleting(&deployment) {
        progress(state, &deployment, &mut changed, sets);
        wake_at_deadline(state, key, &changed);
    }
    let failure = sets
        .new
        .iter()
        .chain(&sets.old)
        .find_map(|set| condition(set, FAILURE));
    match failure {
        Some(found) => {
            let message = object::text(found, "/message");
            let failed = Condition::new(FAILURE, true, "FailedCreate", message);
            set(&mut changed, &failed, state.now);
        }
        None => conditions::remove_condition(&mut changed, FAILURE),
    }
    client::update_status(state, Writer::ControllerManager, &deployments(), changed);
}

fn counts(changed: &mut Value, sets: &Sets) {
    let all: Vec<&Arc<Value>> = sets.all().collect();
    let sum = |field: &str| -> i64 {
        let numbers = all.iter().map(|set| count_of(&set["status"], field));
        numbers.sum()
    };
    let updated = sets
        .new
        .as_ref()
        .map_or(0, |new| count_of(&new["status"], "replicas"));
    let total: i64 = all.iter().map(|set| scale::replicas(set)).sum();
    let counts = [
        ("replicas", sum("replicas")),
        ("updatedReplicas", updated),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", sum("availableReplicas")),
        (
            "unavailableReplicas",
            (total - sum("availableReplicas")).max(0),
        ),
        (
            "observedGeneration",
            owned::integer(changed, "/metadata/generation").unwrap_or_default(),
        ),
    ];
    owned::set_counts(changed, &[], &counts);
}

/// Whether it goes on, is done or takes too long.
fn progress(state: &State, before: &Value, changed: &mut Value, sets: &Sets) {
    let Some(deadline) = deadline(before) else {
        return;
    };
    let current = condition(before, PROGRESSING);
    let reason = current.map_or("", |found| object::text(found, "/reason"));
    let after = &changed["status"];
    let settled =
        reason == COMPLETE && count_of(after, "replicas") == count_of(after, "updatedReplicas");
    if settled {
        return;
    }
    let whose = match &sets.new {
        Some(new) => format!("ReplicaSet \"{}\"", object::name(new)),
        None => format!("Deployment \"{}\"", object::name(before)),
    };
    if is_complete(before, after) {
        let message = format!("{whose} has successfully progressed.");
        let done = Condition::new(PROGRESSING, true, COMPLETE, message);
        set(changed, &done, state.now);
    } else if has_progressed(&before["status"], after) {
        let message = format!("{whose} is progressing.");
        let going = Condition::new(PROGRESSING, true, "ReplicaSetUpdated", message);
        set_anew(changed, &going, state.now);
    } else if timed_out(before, deadline, state.now) {
        let message = format!("{whose} has timed out progressing.");
        let late = Condition::new(PROGRESSING, false, TIMED_OUT, message);
        set(changed, &late, state.now);
    }
}

fn has_progressed(before: &Value, after: &Value) -> bool {
    let grew = |field: &str| count_of(after, field) > count_of(before, field);
    let old_pods =
        |status: &Value| count_of(status, "replicas") - count_of(status, "updatedReplicas");
    grew("updatedReplicas")
        || old_pods(after) < old_pods(before)
        || grew("readyReplicas")
        || grew("availableReplicas")
}

fn timed_out(deployment: &Value, deadline: SignedDuration, now: Timestamp) -> bool {
    match condition(deployment, PROGRESSING) {
        None => false,
        Some(found) => match object::text(found, "/reason") {
            COMPLETE => false,
            TIMED_OUT => true,
            _ => end_of(found, deadline).is_some_and(|end| end < now),
        },
    }
}

/// Looks again when the deadline has passed, unless it is done.
fn wake_at_deadline(state: &mut State, key: &Key, deployment: &Value) {
    /// The controller looks a second later than it need, for clocks that differ by less.
    const SKEW: SignedDuration = SignedDuration::from_secs(1);
    let (Some(deadline), Some(found)) = (deadline(deployment), condition(deployment, PROGRESSING))
    else {
        return;
    };
    let over = matches!(object::text(found, "/reason"), COMPLETE | TIMED_OUT);
    if over || is_complete(deployment, &deployment["status"]) {
        return;
    }
    if let Some(end) = end_of(found, deadline).and_then(|end| end.checked_add(SKEW).ok()) {
        enqueue_at(state, Controller::Deployment, key.clone(), end);
    }
}

fn end_of(found: &Value, deadline: SignedDuration) -> Option<Timestamp> {
    let since: Timestamp = object::text(found, "/lastUpdateTime").parse().ok()?;
    since.checked_add(deadline).ok()
}

fn deadline(deployment: &Value) -> Option<SignedDuration> {
    let seconds = owned::integer(deployment, "/spec/progressDeadlineSeconds")?;
    (seconds != NO_DEADLINE).then(|| SignedDuration::from_secs(seconds))
}

fn count_of(status: &Value, field: &str) -> i64 {
    status
        .get(field)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// Writes a condition at the end of the list; one of the same status and reason stays as it is.
fn set(changed: &mut Value, wanted: &Condition, now: Timestamp) {
    let same = condition(changed, wanted.name).is_some_and(|found| {
        object::text(found, "/status") == wanted.status
            && object::text(found, "/reason") == wanted.reason
    });
    if !same {
        set_anew(changed, wanted, now);
    }
}

fn set_anew(changed: &mut Value, wanted: &Condition, now: Timestamp) {
    let time = json!(object::seconds(now));
    let since = condition(changed, wanted.name)
        .filter(|found| object::text(found, "/status") == wanted.status)
        .and_then(|found| found.get("lastTransitionTime").cloned())
        .unwrap_or_else(|| time.clone());
    let mut fresh = Map::new();
    fresh.insert("type".to_owned(), json!(wanted.name));
    fresh.insert("status".to_owned(), json!(wanted.status));
    fresh.insert("reason".to_owned(), json!(wanted.reason));
    fresh.insert("message".to_owned(), json!(wanted.message));
    fresh.insert("lastUpdateTime".to_owned(), time);
    fresh.insert("lastTransitionTime".to_owned(), since);
    let Some(root) = changed.as_object_mut() else {
        return;
    };
    let conditions = object::child(root, "status")
        .entry("conditions")
        .or_insert_with(|| json!([]));
    if let Some(conditions) = conditions.as_array_mut() {
        conditions.retain(|found| object::text(found, "/type") != wanted.name);
        conditions.push(Value::Object(fresh));
    }
}
