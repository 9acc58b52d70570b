//! The kubelets of all nodes: what they report, without running anything.
//!
//! A pod that is bound becomes `Running` and `Ready` after a while, if what it mounts and reads is
//! there; one of a Job becomes `Succeeded` after another while; one that is being deleted stops
//! within its grace period. The annotation [`OUTCOME`] makes a pod do something else.

use serde_json::Value;

use super::{
    Controller, Delay, Writer, client, enqueue, enqueue_after, events,
    pod_needs::{self, Lack},
    pod_report, pods, scheduler,
};
use crate::{
    State,
    lifecycle::{Key, controller_of, grace_period},
    object,
    state::Change,
};

/// Annotation on a pod (put it into a workload's pod template): `running` (the default),
/// `unready` (runs, never ready), `pending` (never starts), `unpullable` (its image is not found),
/// `crashing` (its containers end again and again), `failed` or `succeeded`; and `unpullable IMAGE`:
/// so if its first image is this one.
pub(super) const OUTCOME: &str = "testenv.underpin.dev/outcome";
/// Annotation on a pod: what its containers write.
pub(crate) const LOG: &str = "testenv.underpin.dev/log";

/// What is to become of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Running,
    Unready,
    Pending,
    Unpullable,
    Crashing,
    Failed,
    Succeeded,
}

impl Outcome {
    /// The annotation, else what is usual for the pod's owner.
    fn of(pod: &Value) -> Self {
        let annotations = super::owned::text_map(pod.pointer("/metadata/annotations"));
        let image = object::text(pod, "/spec/containers/0/image");
        match annotations.get(OUTCOME).copied() {
            Some("unready") => Self::Unready,
            Some("pending") => Self::Pending,
            Some("unpullable") => Self::Unpullable,
            Some("crashing") => Self::Crashing,
            Some("failed") => Self::Failed,
            Some("succeeded") => Self::Succeeded,
            Some(outcome) if outcome.split_once(' ') == Some(("unpullable", image)) => {
                Self::Unpullable
            }
            None if controller_of(pod).is_some_and(|owner| owner.kind.is("batch", "Job")) => {
                Self::Succeeded
            }
            _ => Self::Running,
        }
    }
}

/// Asks for work when a pod is bound, is to stop, or waits for what has come now.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == pods::pods() {
        let pod = &change.object;
        if change.deleted || pods::node(pod).is_empty() {
            return;
        }
        let key = Key::of(&change.kind, pod);
        let before = change.before.as_deref();
        let bound_before = before.is_some_and(|before| !pods::node(before).is_empty());
        if !bound_before {
            enqueue(state, Controller::Kubelet, key.clone(), Delay::Start);
        }
        let grace = |pod: &Value| object::is_deleting(pod).then(|| grace_period(pod));
        if grace(pod).is_some() && before.and_then(grace) != grace(pod) {
            let seconds = grace_period(pod).unwrap_or_default();
            let limit = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            let delay = Delay::Stop.of(state).min(limit);
            enqueue_after(state, Controller::Kubelet, key, delay);
        }
    } else if !change.deleted && pod_needs::is_needed_kind(&change.kind) {
        let namespace = object::namespace(&change.object);
        for pod in client::list(state, &pods::pods(), namespace) {
            if pod_report::is_starting(&pod) {
                let key = Key::of(&pods::pods(), &pod);
                enqueue(state, Controller::Kubelet, key, Delay::Reaction);
            }
        }
    }
}

/// Brings a pod one step further.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(pod) = client::get(state, key) else {
        return;
    };
    let Some(node) = state
        .get(&scheduler::nodes(), "", pods::node(&pod))
        .cloned()
    else {
        return;
    };
    if object::is_deleting(&pod) {
        return stop(state, key, &pod);
    }
    let outcome = Outcome::of(&pod);
    if pod_report::is_starting(&pod) {
        if outcome == Outcome::Pending {
            return;
        }
        let unpullable = || (outcome == Outcome::Unpullable).then(|| pod_needs::unpullable(&pod));
        if let Some(lack) = pod_needs::lack(state, &pod).or_else(unpullable) {
            return hold(state, key, &pod, &lack);
        }
        let address = next_address(state);
        let ready = !matches!(outcome, Outcome::Unready | Outcome::Crashing);
        let mut running = pod_report::running(&pod, &node, &address, ready, state.now);
        if outcome == Outcome::Crashing {
            pod_report::crash(&mut running, state.now);
        }
        client::update_status(state, Writer::Kubelet, &key.kind, running);
        warn_of(state, &pod, outcome);
        if matches!(outcome, Outcome::Failed | Outcome::Succeeded) {
            enqueue(state, Controller::Kubelet, key.clone(), Delay::Work);
        }
    } else if object::text(&pod, "/status/phase") == "Running"
        && matches!(outcome, Outcome::Failed | Outcome::Succeeded)
    {
        let well = outcome == Outcome::Succeeded;
        let ended = pod_report::ended(&pod, well, state.now);
        client::update_status(state, Writer::Kubelet, &key.kind, ended);
    }
}

/// Leaves a pod's containers waiting, and tells why, once.
fn hold(state: &mut State, key: &Key, pod: &Value, lack: &Lack) {
    let waiting = pod_report::waiting(pod, lack, state.now);
    let before = pod.pointer("/status/containerStatuses");
    if before != waiting.pointer("/status/containerStatuses") {
        let (reason, message) = &lack.event;
        events::warn(state, Writer::Kubelet, &key.kind, pod, reason, message);
    }
    client::update_status(state, Writer::Kubelet, &key.kind, waiting);
}

/// Tells of what goes wrong with containers that were started.
fn warn_of(state: &mut State, pod: &Value, outcome: Outcome) {
    let (reason, message) = match outcome {
        Outcome::Unready => (
            "Unhealthy",
            "Readiness probe failed: HTTP probe failed with statuscode: 503",
        ),
        Outcome::Crashing => ("BackOff", "Back-off restarting failed container"),
        _ => return,
    };
    events::warn(state, Writer::Kubelet, &pods::pods(), pod, reason, message);
}

fn stop(state: &mut State, key: &Key, pod: &Value) {
    if grace_period(pod) == Some(0) && object::finalizers(pod).next().is_some() {
        return;
    }
    if object::finalizers(pod).next().is_some() && !pods::has_ended(pod) {
        let ended = pod_report::ended(pod, true, state.now);
        client::update_status(state, Writer::Kubelet, &key.kind, ended);
    }
    client::delete(state, key, object::uid(pod), None, Some(0));
}

/// Addresses of pods, one after the other.
fn next_address(state: &mut State) -> String {
    state.pod_addresses = state.pod_addresses.wrapping_add(1);
    let [.., high, low] = state.pod_addresses.to_be_bytes();
    format!("10.244.{high}.{low}")
}
