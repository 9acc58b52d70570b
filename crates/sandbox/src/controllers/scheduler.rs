//! The scheduler: binds pods to nodes with a free slot and enough of what the pods ask for.
//!
//! It knows slots, requests, node selectors and affinity, taints and volumes; not the affinity of
//! pods to each other, nor preemption. Source: Kubernetes documentation, "Kubernetes Scheduler".

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{
    Controller, Delay, Writer,
    capacity::{self, Amounts},
    client, enqueue, events, node_fit, pods, volumes,
};
use crate::{
    State,
    lifecycle::{Key, conditions::condition},
    object,
    state::Change,
};

const SCHEDULER: &str = "default-scheduler";

/// The kind.
pub(super) fn nodes() -> GroupKind {
    GroupKind::core("Node")
}

/// Asks for a round when there is a pod to bind, or when one could be bound that could not before.
pub(super) fn observe(state: &mut State, change: &Change) {
    let useful = if change.kind == pods::pods() {
        let pod = &change.object;
        let bound = !pods::node(pod).is_empty();
        if change.deleted {
            bound
        } else if bound {
            let ended_before = change.before.as_deref().is_some_and(pods::has_ended);
            pods::has_ended(pod) && !ended_before
        } else {
            change.before.is_none() || gates(pod) != change.before.as_deref().map_or(0, gates)
        }
    } else if change.kind == nodes() {
        let looks = |node: &Value| {
            let fields = ["/metadata/labels", "/spec", "/status/allocatable"];
            let ready = condition(node, "Ready").map(|ready| ready["status"].clone());
            (fields.map(|field| node.pointer(field).cloned()), ready)
        };
        !change.deleted && change.before.as_deref().map(looks) != Some(looks(&change.object))
    } else {
        change.kind == volumes::claims()
    };
    if useful && any_waits(state) {
        let key = Key::new(pods::pods(), "", "");
        enqueue(state, Controller::Scheduler, key, Delay::Reaction);
    }
}

fn any_waits(state: &State) -> bool {
    state.objects(&pods::pods()).values().any(|pod| waits(pod))
}

fn waits(pod: &Value) -> bool {
    pods::node(pod).is_empty()
        && pods::is_active(pod)
        && gates(pod) == 0
        && matches!(object::text(pod, "/spec/schedulerName"), "" | SCHEDULER)
}

fn gates(pod: &Value) -> usize {
    let gates = pod
        .pointer("/spec/schedulingGates")
        .and_then(Value::as_array);
    gates.map_or(0, Vec::len)
}

/// Binds all pods that fit, in the order in which they were created.
pub(super) fn run(state: &mut State) {
    let all = client::list_all(state, &pods::pods());
    let mut waiting: Vec<Arc<Value>> = all.iter().filter(|pod| waits(pod)).cloned().collect();
    waiting.sort_by_cached_key(|pod| {
        let created = object::text(pod, "/metadata/creationTimestamp").to_owned();
        let priority = pod.pointer("/spec/priority").and_then(Value::as_i64);
        (std::cmp::Reverse(priority.unwrap_or_default()), created)
    });
    let mut used = capacity::used(all.iter().map(AsRef::as_ref));
    let nodes = client::list_all(state, &nodes());
    for pod in waiting {
        match choose(state, &pod, &nodes, &used) {
            Ok(node) => {
                used.entry(node.clone())
                    .or_default()
                    .add(&Amounts::of_pod(&pod));
                if !volumes::request(state, &pod, &node) {
                    bind(state, &pod, &node);
                }
            }
            Err(why) => refuse(state, &pod, &why),
        }
    }
}

/// The node with the fewest pods of those that fit; the first by name of several. Otherwise why
/// none does.
fn choose(
    state: &mut State,
    pod: &Value,
    nodes: &[Arc<Value>],
    used: &BTreeMap<String, Amounts>,
) -> Result<String, String> {
    if nodes.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    if let Some(why) = volumes::not_ready(state, pod) {
        let count = nodes.len();
        return Err(format!("0/{count} nodes are available: {why}."));
    }
    let wanted = Amounts::of_pod(pod);
    let nothing = Amounts::default();
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let mut unhelpful = 0;
    let mut best: Option<(i128, &str)> = None;
    for node in nodes {
        let taken = used.get(object::name(node)).unwrap_or(&nothing);
        if let Some(reason) = node_fit::refusal(pod, node) {
            *reasons.entry(reason).or_default() += 1;
            unhelpful += 1;
            continue;
        }
        let lacking = Amounts::of_node(node).lacking(taken, &wanted);
        if lacking.is_empty() {
            let candidate = (taken.pods(), object::name(node));
            best = Some(best.map_or(candidate, |best| best.min(candidate)));
        }
        for reason in lacking {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    if let Some((_, name)) = best {
        return Ok(name.to_owned());
    }
    let count = nodes.len();
    let mut texts: Vec<String> = reasons
        .into_iter()
        .map(|(reason, nodes)| format!("{nodes} {reason}"))
        .collect();
    texts.sort_unstable();
    let mut preemption = Vec::new();
    if count > unhelpful {
        let full = count - unhelpful;
        preemption.push(format!(
            "{full} No preemption victims found for incoming pod"
        ));
    }
    if unhelpful > 0 {
        preemption.push(format!(
            "{unhelpful} Preemption is not helpful for scheduling"
        ));
    }
    Err(format!(
        "0/{count} nodes are available: {}. preemption: 0/{count} nodes are available: {}.",
        texts.join(", "),
        preemption.join(", ")
    ))
}

fn bind(state: &mut State, pod: &Value, node: &str) {
    let mut bound = pod.clone();
    if let Some(root) = bound.as_object_mut() {
        object::child(root, "spec").insert("nodeName".to_owned(), json!(node));
    }
    pods::set_condition(&mut bound, "PodScheduled", true, ("", ""), state.now);
    // The binding subresource keeps no account of who set what.
    client::store(state, &pods::pods(), bound);
}

fn refuse(state: &mut State, pod: &Value, why: &str) {
    let known = condition(pod, "PodScheduled").map(|known| object::text(known, "/message"));
    if known != Some(why) {
        events::warn(
            state,
            Writer::Scheduler,
            &pods::pods(),
            pod,
            "FailedScheduling",
            why,
        );
    }
    let mut refused = pod.clone();
    let reason = ("Unschedulable", why);
    pods::set_condition(&mut refused, "PodScheduled", false, reason, state.now);
    client::update_status(state, Writer::Scheduler, &pods::pods(), refused);
}
