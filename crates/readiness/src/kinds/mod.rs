//! One module per API group, and the table that lists the kinds whose status is known.

mod apps;
mod batch;
mod core;
mod custom;
mod extensions;
mod pod;
mod storage;
mod surroundings;

use underpin_model::{GroupKind, Object, builtin_kind, canonical_group};

pub(crate) use self::apps::PODS_UNMADE;
pub use self::{batch::completion, surroundings::Surroundings};
use crate::State;

/// Why an object whose `observedGeneration` lags is in progress.
const UNSEEN: &str = "its controller has not seen the change yet";

/// A kind and the function that judges it.
struct Row {
    group: &'static str,
    kind: &'static str,
    judge: fn(&Object, &Surroundings) -> State,
}

const fn row(
    group: &'static str,
    kind: &'static str,
    judge: fn(&Object, &Surroundings) -> State,
) -> Row {
    Row { group, kind, judge }
}

/// Every kind that is not judged by conditions and `observedGeneration` alone, under its canonical
/// group.
const TABLE: &[Row] = &[
    row("", "Namespace", core::namespace),
    row("", "PersistentVolumeClaim", storage::claim),
    row("", "Pod", pod::pod),
    row("", "ReplicationController", apps::replica_set),
    row("", "Service", core::service),
    row(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        extensions::definition,
    ),
    row(
        "apiregistration.k8s.io",
        "APIService",
        extensions::api_service,
    ),
    row("apps", "DaemonSet", apps::daemon_set),
    row("apps", "Deployment", apps::deployment),
    row("apps", "ReplicaSet", apps::replica_set),
    row("apps", "StatefulSet", apps::stateful_set),
    // It works as soon as there are measurements, which may take minutes after the first pods.
    row("autoscaling", "HorizontalPodAutoscaler", always_current),
    row("batch", "CronJob", always_current),
    row("batch", "Job", batch::job),
];

/// How an object is, by its own account: the live object in full, and what it stands among.
///
/// Kinds that give no sign are current. Of a custom kind right after an apply, see
/// [`observes_changes`].
pub fn state(object: &Object, surroundings: &Surroundings) -> State {
    if object.is_terminating() {
        return State::Terminating;
    }
    match find(&object.key.kind) {
        Some(row) => (row.judge)(object, surroundings),
        None => custom::by_conditions(object),
    }
}

/// Whether the object tells which change of it its state is about. Of a custom kind that does not
/// tell, what it says right after an apply may be about before; it must be looked at again.
pub fn observes_changes(object: &Object) -> bool {
    let kind = &object.key.kind;
    find(kind).is_some()
        || builtin_kind(&kind.group, &kind.kind).is_some()
        || custom::observes_generation(object)
}

fn find(kind: &GroupKind) -> Option<&'static Row> {
    let group = canonical_group(&kind.group, &kind.kind);
    TABLE
        .iter()
        .find(|row| row.group == group && row.kind == kind.kind)
}

fn always_current(_: &Object, _: &Surroundings) -> State {
    State::Current
}
