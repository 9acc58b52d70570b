//! ReplicaSets and ReplicationControllers: as many pods as they say.
//!
//! Source: kube-controller-manager's replica set controller.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{
    Controller, Delay, Writer, client, enqueue, enqueue_at, events, owned,
    pods::{self, is_active, is_ready},
};
use crate::{
    Failure, State,
    lifecycle::{
        Key,
        conditions::{self, Condition},
    },
    object,
    state::Change,
};

/// Condition of a set that cannot make its pods.
pub(super) const FAILURE: &str = "ReplicaFailure";
/// Pods made or deleted in one go.
const BURST: usize = 500;

/// The kind that Deployments make.
pub(super) fn replica_sets() -> GroupKind {
    GroupKind::new("apps", "ReplicaSet")
}

fn replication_controllers() -> GroupKind {
    GroupKind::core("ReplicationController")
}

/// Asks for a look when the set changes, or a pod of it, or a pod that it may adopt.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == replica_sets() || change.kind == replication_controllers() {
        if !change.deleted {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::ReplicaSet, key, Delay::Reaction);
        }
        return;
    }
    for kind in [replica_sets(), replication_controllers()] {
        super::workloads_of_pod(state, Controller::ReplicaSet, &kind, change);
    }
}

/// Makes what is missing, deletes what is too much, counts.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(set) = client::get(state, key) else {
        return;
    };
    let all = owned::claim(state, &key.kind, &set, &pods::pods());
    let failed = if object::is_deleting(&set) {
        None
    } else {
        scale(state, key, &set, &all)
    };
    let Some(set) = client::get(state, key) else {
        return;
    };
    let all = owned::owned(state, object::uid(&set), &pods::pods());
    write_status(state, key, &set, &all, failed.as_ref());
}

/// Says why a pod could not be made, if one could not.
fn scale(state: &mut State, key: &Key, set: &Value, all: &[Arc<Value>]) -> Option<Failure> {
    let mut active: Vec<&Arc<Value>> = all.iter().filter(|pod| is_active(pod)).collect();
    let wanted = owned::integer(set, "/spec/replicas").unwrap_or(1).max(0);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    if active.len() < wanted {
        let prefix = format!("{}-", object::name(set));
        for _ in active.len()..wanted.min(active.len() + BURST) {
            let pod = owned::pod(&key.kind, set, owned::Name::Prefix(&prefix), &[]);
            let made = client::create(state, Writer::ControllerManager, &pods::pods(), pod);
            if let Err(failure) = made {
                return Some(failure);
            }
        }
        return None;
    }
    active.sort_by_cached_key(|pod| rank(pod));
    for pod in active.iter().take((active.len() - wanted).min(BURST)) {
        let key = Key::of(&pods::pods(), pod);
        client::delete(state, &key, object::uid(pod), None, None);
    }
    None
}

/// Which pods go first: not bound, not running, not ready, young ones.
fn rank(pod: &Value) -> (bool, bool, bool, std::cmp::Reverse<String>, String) {
    (
        !pods::node(pod).is_empty(),
        object::text(pod, "/status/phase") == "Running",
        is_ready(pod),
        std::cmp::Reverse(object::text(pod, "/metadata/creationTimestamp").to_owned()),
        object::name(pod).to_owned(),
    )
}

fn write_status(
    state: &mut State,
    key: &Key,
    set: &Value,
    all: &[Arc<Value>],
    failed: Option<&Failure>,
) {
    let min_ready = owned::integer(set, "/spec/minReadySeconds").unwrap_or_default();
    let active: Vec<&Arc<Value>> = all.iter().filter(|pod| is_active(pod)).collect();
    let template = owned::text_map(set.pointer("/spec/template/metadata/labels"));
    let labeled = active.iter().filter(|pod| {
        let have = owned::labels(pod);
        template
            .iter()
            .all(|(key, value)| have.get(key) == Some(value))
    });
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    let times: Vec<Timestamp> = active
        .iter()
        .filter_map(|pod| pods::available_at(pod, min_ready))
        .collect();
    let available = times.iter().filter(|time| **time <= state.now).count();
    if let Some(next) = times.iter().filter(|time| **time > state.now).min() {
        enqueue_at(state, Controller::ReplicaSet, key.clone(), *next);
    }
    let mut changed = set.clone();
    let counts = [
        ("fullyLabeledReplicas", owned::count(labeled.count())),
        ("readyReplicas", owned::count(ready)),
        ("availableReplicas", owned::count(available)),
        (
            "observedGeneration",
            owned::integer(set, "/metadata/generation").unwrap_or(0),
        ),
    ];
    owned::set_counts(
        &mut changed,
        &[("replicas", owned::count(active.len()))],
        &counts,
    );
    if let Some(failure) = failed {
        let message = failure.message.clone();
        let event = format!("Error creating: {message}");
        if !conditions::holds(set, FAILURE) {
            events::warn(
                state,
                Writer::ControllerManager,
                &key.kind,
                set,
                "FailedCreate",
                &event,
            );
        }
        let condition = Condition::new(FAILURE, true, "FailedCreate", message);
        conditions::set_condition(&mut changed, &condition, state.now);
    } else {
        conditions::remove_condition(&mut changed, FAILURE);
    }
    client::update_status(state, Writer::ControllerManager, &key.kind, changed);
}

/// Sets the number of replicas; with annotations that are to change at the same time.
pub(super) fn set_replicas(
    state: &mut State,
    set: &Value,
    replicas: i64,
    annotations: &[(&str, String)],
) {
    let mut changed = set.clone();
    if let Some(root) = changed.as_object_mut() {
        object::child(root, "spec").insert("replicas".to_owned(), json!(replicas));
    }
    if let Some(metadata) = object::metadata(&mut changed) {
        let all = object::child(metadata, "annotations");
        for (name, value) in annotations {
            all.insert((*name).to_owned(), json!(value));
        }
    }
    client::update(state, Writer::ControllerManager, &replica_sets(), changed);
}
