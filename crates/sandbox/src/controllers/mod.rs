//! What Kubernetes' controllers do, in small: deterministic, by work that falls due.
//!
//! Each controller is a file with two functions: `observe` asks for work when a change makes some
//! necessary, `run` looks at one object as it is then and does the next thing. Nothing is polled:
//! a cluster in which nothing is left to do has no work waiting.

mod autoscaler;
mod bootstrap;
mod capacity;
mod claim_binder;
mod claim_protection;
mod client;
mod daemon_set;
mod definition_establisher;
mod definition_finalizer;
mod definition_names;
mod delays;
mod deployment;
mod deployment_scale;
mod deployment_status;
mod disruption;
mod endpoint_slices;
mod endpoints;
mod events;
mod garbage_collector;
mod job;
mod kubelet;
mod namespace;
mod node_fit;
mod owned;
mod pod_needs;
mod pod_report;
mod pods;
mod provisioner;
mod queue;
mod replica_set;
mod revisions;
mod role_aggregation;
mod root_certificates;
mod scheduler;
mod service_accounts;
mod stateful_set;
mod volume_binder;
mod volume_protection;
mod volumes;

pub(crate) use kubelet::LOG;
pub(crate) use queue::Queue;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use underpin_model::GroupKind;

use self::{
    client::Writer,
    delays::Delay,
    queue::{Controller, Task},
};
use crate::{State, lifecycle::Key, object, state::Change};

/// Pieces of work done in one go. Controllers that undo each other's work without end stop here,
/// and go on with the next request.
const RUN_LIMIT: usize = 1_000_000;

/// Puts into a fresh cluster what is there from the beginning: system namespaces, nodes, roles.
/// What controllers have to do on that account is done at once.
pub(crate) fn bootstrap(state: &mut State) {
    bootstrap::run(state);
    for _ in 0..RUN_LIMIT {
        let Some((_, task)) = state.work.pop(Timestamp::MAX) else {
            break;
        };
        run(state, &task);
    }
}

/// Asks for the work that a change makes necessary.
pub(crate) fn observe(state: &mut State, change: &Change) {
    garbage_collector::observe(state, change);
    namespace::observe(state, change);
    definition_names::observe(state, change);
    definition_establisher::observe(state, change);
    definition_finalizer::observe(state, change);
    service_accounts::observe(state, change);
    root_certificates::observe(state, change);
    role_aggregation::observe(state, change);
    deployment::observe(state, change);
    replica_set::observe(state, change);
    stateful_set::observe(state, change);
    daemon_set::observe(state, change);
    job::observe(state, change);
    autoscaler::observe(state, change);
    disruption::observe(state, change);
    endpoints::observe(state, change);
    claim_binder::observe(state, change);
    provisioner::observe(state, change);
    volume_binder::observe(state, change);
    claim_protection::observe(state, change);
    volume_protection::observe(state, change);
    scheduler::observe(state, change);
    kubelet::observe(state, change);
}

fn run(state: &mut State, task: &Task) {
    let key = &task.key;
    match task.controller {
        Controller::DefinitionEstablisher => definition_establisher::run(state, key),
        Controller::DefinitionFinalizer => definition_finalizer::run(state, key),
        Controller::DefinitionNames => definition_names::run(state, key),
        Controller::Autoscaler => autoscaler::run(state, key),
        Controller::DaemonSet => daemon_set::run(state, key),
        Controller::Disruption => disruption::run(state, key),
        Controller::Endpoints => endpoints::run(state, key),
        Controller::EndpointSlices => endpoint_slices::run(state, key),
        Controller::Job => job::run(state, key),
        Controller::StatefulSet => stateful_set::run(state, key),
        Controller::ClaimBinder => claim_binder::run(state, key),
        Controller::ClaimProtection => claim_protection::run(state, key),
        Controller::Kubelet => kubelet::run(state, key),
        Controller::Provisioner => provisioner::run(state, key),
        Controller::Reclaimer => volume_binder::reclaim(state, key),
        Controller::Scheduler => scheduler::run(state),
        Controller::VolumeBinder => volume_binder::run(state, key),
        Controller::VolumeProtection => volume_protection::run(state, key),
        Controller::Deployment => deployment::run(state, key),
        Controller::ReplicaSet => replica_set::run(state, key),
        Controller::Namespace => namespace::run(state, key),
        Controller::RoleAggregation => role_aggregation::run(state),
        Controller::RootCertificates => root_certificates::run(state, key),
        Controller::ServiceAccounts => service_accounts::run(state, key),
        Controller::GarbageCollector => garbage_collector::collect(state, key),
        Controller::Orphaner => garbage_collector::orphan(state, key),
    }
}

/// Does what falls due until a time, in order, and sets the clock.
pub(crate) fn advance(state: &mut State, time: Timestamp) {
    for _ in 0..RUN_LIMIT {
        let Some((due, task)) = state.work.pop(time) else {
            break;
        };
        state.now = state.now.max(due);
        run(state, &task);
    }
    state.now = state.now.max(time);
}

/// Asks for work after a delay.
fn enqueue(state: &mut State, controller: Controller, key: Key, delay: Delay) {
    let delay = delay.of(state);
    enqueue_after(state, controller, key, delay);
}

/// Asks for work at a time.
fn enqueue_at(state: &mut State, controller: Controller, key: Key, time: Timestamp) {
    state.work.add(Task { controller, key }, time);
}

/// Asks a kind of workload to look at what it owns, when one of those changed: its manager, or, if it has
/// none, every workload in the namespace whose selector matches it.
fn workloads_of(state: &mut State, controller: Controller, kind: &GroupKind, change: &Change) {
    let before = change.before.as_deref();
    let managers = [Some(change.object.as_ref()), before]
        .into_iter()
        .flatten()
        .filter_map(|found| owned::controller_key(found, kind));
    let keys: Vec<Key> = managers.collect();
    let managed = crate::lifecycle::controller_of(&change.object).is_some();
    for key in keys {
        enqueue(state, controller, key, Delay::Reaction);
    }
    if managed || change.deleted {
        return;
    }
    let labels = owned::labels(&change.object);
    for workload in client::list(state, kind, object::namespace(&change.object)) {
        if owned::selector(&workload).is_some_and(|selector| selector.matches(&labels)) {
            let key = Key::of(kind, &workload);
            enqueue(state, controller, key, Delay::Reaction);
        }
    }
}

/// Asks a kind of workload to look at its pods, when one changed, or when what may have kept it
/// from making some is there now.
fn workloads_of_pod(state: &mut State, controller: Controller, kind: &GroupKind, change: &Change) {
    if change.kind == pods::pods() {
        return workloads_of(state, controller, kind, change);
    }
    let is_new = change.before.is_none() && !change.deleted;
    if !is_new {
        return;
    }
    let waiting = if change.kind.is("", "ServiceAccount") {
        client::list(state, kind, object::namespace(&change.object))
    } else if change.kind.is("scheduling.k8s.io", "PriorityClass") {
        client::list_all(state, kind)
    } else {
        return;
    };
    for workload in waiting {
        let key = Key::of(kind, &workload);
        enqueue(state, controller, key, Delay::Reaction);
    }
}

/// Asks for work after a time.
fn enqueue_after(state: &mut State, controller: Controller, key: Key, delay: Duration) {
    let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
    let time = state.now.checked_add(delay).unwrap_or(Timestamp::MAX);
    state.work.add(Task { controller, key }, time);
}

#[cfg(test)]
mod tests;
