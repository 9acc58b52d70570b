//! Workloads that keep a number of pods: what `kubectl rollout status` waits for.

use underpin_model::Object;

use super::UNSEEN;
use crate::{
    State, Surroundings,
    condition::{condition, flag, generation, number, observed_generation, true_condition},
};

/// Reason of `Progressing` once a Deployment has made no progress for `progressDeadlineSeconds`.
pub(super) const DEADLINE_EXCEEDED: &str = "ProgressDeadlineExceeded";

/// How far the pods of a workload are.
struct Pods {
    /// How many there are to be.
    wanted: i64,
    /// How many must be of the newest revision.
    to_update: i64,
    /// How many there are.
    existing: i64,
    updated: i64,
    available: i64,
}

impl Pods {
    fn state(&self) -> State {
        let &Self {
            wanted,
            to_update,
            existing,
            updated,
            available,
        } = self;
        if updated < to_update {
            State::progress(format!("{updated} of {to_update} pods updated"))
        } else if existing > wanted {
            let extra = existing - wanted;
            let pods = if extra == 1 { "pod" } else { "pods" };
            State::progress(format!("{extra} {pods} still to go"))
        } else if available < wanted {
            State::progress(format!("{available} of {wanted} pods available"))
        } else {
            State::Current
        }
    }
}

/// A paused Deployment is waited for as far as it goes: nobody rolls it out.
pub(super) fn deployment(object: &Object, _: &Surroundings) -> State {
    if !is_seen(object) {
        return State::progress(UNSEEN);
    }
    let progressing = condition(object, "Progressing");
    if let Some(condition) = progressing.filter(|it| it.reason == DEADLINE_EXCEEDED) {
        return State::Failed(match condition.message {
            "" => "it made no progress within its progressDeadlineSeconds".to_owned(),
            message => format!("it made no progress in time: {message}"),
        });
    }
    let count = |pointer| number(object, pointer).unwrap_or(0);
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let paused = flag(object, "/spec/paused");
    let pods = Pods {
        wanted,
        to_update: if paused { 0 } else { wanted },
        existing: if paused {
            wanted
        } else {
            count("/status/replicas")
        },
        updated: count("/status/updatedReplicas"),
        available: count("/status/availableReplicas"),
    };
    explained(pods.state(), object)
}

/// What a partition holds back, or `OnDelete`, is not waited for; that its pods are ready is.
pub(super) fn stateful_set(object: &Object, _: &Surroundings) -> State {
    if !is_seen(object) {
        return State::progress(UNSEEN);
    }
    let count = |pointer| number(object, pointer).unwrap_or(0);
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    let held = number(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    let by_hand = object.text("/spec/updateStrategy/type") == Some("OnDelete");
    let ready = count("/status/readyReplicas");
    // Servers before 1.22 count no available pods; there, ready ones are available.
    let available = match number(object, "/spec/minReadySeconds") {
        Some(seconds) if seconds > 0 => {
            number(object, "/status/availableReplicas").unwrap_or(ready)
        }
        _ => ready,
    };
    Pods {
        wanted,
        to_update: if by_hand { 0 } else { (wanted - held).max(0) },
        existing: count("/status/replicas"),
        updated: count("/status/updatedReplicas"),
        available,
    }
    .state()
}

pub(super) fn daemon_set(object: &Object, _: &Surroundings) -> State {
    let Some(wanted) = number(object, "/status/desiredNumberScheduled").filter(|_| is_seen(object))
    else {
        return State::progress(UNSEEN);
    };
    let count = |pointer| number(object, pointer).unwrap_or(0);
    let by_hand = object.text("/spec/updateStrategy/type") == Some("OnDelete");
    Pods {
        wanted,
        to_update: if by_hand { 0 } else { wanted },
        existing: 0,
        updated: count("/status/updatedNumberScheduled"),
        available: count("/status/numberAvailable"),
    }
    .state()
}

/// ReplicaSets, and ReplicationControllers, which count alike.
pub(super) fn replica_set(object: &Object, _: &Surroundings) -> State {
    if !is_seen(object) {
        return State::progress(UNSEEN);
    }
    let count = |pointer| number(object, pointer).unwrap_or(0);
    let pods = Pods {
        wanted: number(object, "/spec/replicas").unwrap_or(1),
        to_update: 0,
        existing: count("/status/replicas"),
        updated: 0,
        available: count("/status/availableReplicas"),
    };
    explained(pods.state(), object)
}

/// Whether the controller has seen what is declared now.
fn is_seen(object: &Object) -> bool {
    observed_generation(object).is_some_and(|observed| observed >= generation(object))
}

/// What stands between how far a workload is and why its pods cannot be made.
pub(crate) const PODS_UNMADE: &str = "; pods cannot be made: ";

/// Adds why pods cannot be made, most often a quota; it may yet be lifted.
fn explained(state: State, object: &Object) -> State {
    match (state, true_condition(object, "ReplicaFailure")) {
        (State::InProgress(text), Some(failure)) => {
            State::progress(format!("{text}{PODS_UNMADE}{}", failure.text()))
        }
        (state, _) => state,
    }
}
