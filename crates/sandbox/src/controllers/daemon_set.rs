//! DaemonSets: a pod on every node that takes it.
//!
//! Source: Kubernetes documentation, "DaemonSet".

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{
    Controller, Delay, Writer, client, deployment_scale, enqueue, enqueue_at, node_fit, owned,
    pods::{self, has_ended, is_ready},
    revisions, scheduler,
};
use crate::{State, lifecycle::Key, object, state::Change};

const REVISION_LABEL: &str = "controller-revision-hash";
const GENERATION_LABEL: &str = "pod-template-generation";
/// Taints that never keep such a pod away.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// The kind.
pub(super) fn daemon_sets() -> GroupKind {
    GroupKind::new("apps", "DaemonSet")
}

/// Asks for a look when the set changes, or a pod of it, or the nodes.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == daemon_sets() {
        if !change.deleted {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::DaemonSet, key, Delay::Reaction);
        }
    } else if change.kind == scheduler::nodes() {
        for set in client::list_all(state, &daemon_sets()) {
            let key = Key::of(&daemon_sets(), &set);
            enqueue(state, Controller::DaemonSet, key, Delay::Reaction);
        }
    } else {
        super::workloads_of_pod(state, Controller::DaemonSet, &daemon_sets(), change);
    }
}

/// The node that a pod is on or meant for.
fn target(pod: &Value) -> &str {
    match pods::node(pod) {
        "" => {
            let field = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution\
                         /nodeSelectorTerms/0/matchFields/0/values/0";
            object::text(pod, field)
        }
        node => node,
    }
}

/// Makes what is missing, deletes what is too much or old, counts.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(set) = client::get(state, key) else {
        return;
    };
    let all = owned::claim(state, &daemon_sets(), &set, &pods::pods());
    let revision = revisions::ensure(state, &daemon_sets(), &set);
    let hash = revision
        .strip_prefix(&format!("{}-", object::name(&set)))
        .unwrap_or_default()
        .to_owned();
    let nodes: Vec<String> = client::list_all(state, &scheduler::nodes())
        .iter()
        .filter(|node| takes(&set, node))
        .map(|node| object::name(node).to_owned())
        .collect();
    if !object::is_deleting(&set) {
        manage(state, &set, &all, &nodes, &hash);
    }
    write_status(state, key, &nodes, &hash);
}

/// Whether a node is one for the set's pods.
fn takes(set: &Value, node: &Value) -> bool {
    let mut pod = json!({"spec": set["spec"]["template"]["spec"]});
    tolerate(&mut pod);
    node_fit::refusal(&pod, node).is_none()
}

fn tolerate(pod: &mut Value) {
    let Some(root) = pod.as_object_mut() else {
        return;
    };
    let tolerations = object::child(root, "spec")
        .entry("tolerations")
        .or_insert_with(|| json!([]));
    if let Some(tolerations) = tolerations.as_array_mut() {
        for (key, effect) in TOLERATED {
            tolerations.push(json!({"key": key, "operator": "Exists", "effect": effect}));
        }
    }
}

fn manage(state: &mut State, set: &Value, all: &[Arc<Value>], nodes: &[String], hash: &str) {
    let mut by_node: BTreeMap<&str, Vec<&Arc<Value>>> = BTreeMap::new();
    for pod in all {
        by_node.entry(target(pod)).or_default().push(pod);
    }
    for node in nodes {
        let there = by_node.remove(node.as_str()).unwrap_or_default();
        let (ended, stays): (Vec<_>, Vec<_>) = there.into_iter().partition(|pod| has_ended(pod));
        for pod in ended {
            delete(state, pod);
        }
        if stays.is_empty() && !make(state, set, node, hash) {
            return;
        }
        let surplus = stays.iter().filter(|pod| !object::is_deleting(pod)).skip(1);
        for pod in surplus {
            delete(state, pod);
        }
    }
    for pod in by_node.into_values().flatten() {
        delete(state, pod);
    }
    if object::text(set, "/spec/updateStrategy/type") != "OnDelete" {
        replace(state, set, all, nodes, hash);
    }
}

/// Deletes pods of older templates, as many as may be missing.
fn replace(state: &mut State, set: &Value, all: &[Arc<Value>], nodes: &[String], hash: &str) {
    let wanted = owned::count(nodes.len());
    let limit = set.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable");
    let limit = deployment_scale::portion(limit, wanted, true)
        .unwrap_or(1)
        .max(1);
    let healthy = |pod: &Value| !object::is_deleting(pod) && is_ready(pod);
    let missing = wanted - owned::count(all.iter().filter(|pod| healthy(pod)).count());
    let mut room = limit - missing;
    let old = |pod: &Value| !object::is_deleting(pod) && label(pod, REVISION_LABEL) != hash;
    for pod in all.iter().filter(|pod| old(pod)) {
        if !is_ready(pod) {
            delete(state, pod);
        } else if room > 0 {
            room -= 1;
            delete(state, pod);
        }
    }
}

fn label<'p>(pod: &'p Value, name: &str) -> &'p str {
    owned::labels(pod).get(name).copied().unwrap_or_default()
}

fn delete(state: &mut State, pod: &Value) {
    if !object::is_deleting(pod) {
        let key = Key::of(&pods::pods(), pod);
        client::delete(state, &key, object::uid(pod), None, None);
    }
}

fn make(state: &mut State, set: &Value, node: &str, hash: &str) -> bool {
    let prefix = format!("{}-", object::name(set));
    let generation = owned::integer(set, "/metadata/generation")
        .unwrap_or(1)
        .to_string();
    let labels = [
        (REVISION_LABEL, hash),
        (GENERATION_LABEL, generation.as_str()),
    ];
    let mut pod = owned::pod(&daemon_sets(), set, owned::Name::Prefix(&prefix), &labels);
    tolerate(&mut pod);
    let here = json!([{"key": "metadata.name", "operator": "In", "values": [node]}]);
    if let Some(root) = pod.as_object_mut() {
        let affinity = object::child(object::child(root, "spec"), "affinity");
        let required = object::child(
            object::child(affinity, "nodeAffinity"),
            "requiredDuringSchedulingIgnoredDuringExecution",
        );
        let terms = required
            .entry("nodeSelectorTerms")
            .or_insert_with(|| json!([{}]));
        for term in terms.as_array_mut().into_iter().flatten() {
            if let Some(term) = term.as_object_mut() {
                term.insert("matchFields".to_owned(), here.clone());
            }
        }
    }
    client::create(state, Writer::ControllerManager, &pods::pods(), pod).is_ok()
}

fn write_status(state: &mut State, key: &Key, nodes: &[String], hash: &str) {
    let Some(set) = client::get(state, key) else {
        return;
    };
    let min_ready = owned::integer(&set, "/spec/minReadySeconds").unwrap_or_default();
    let all = owned::owned(state, object::uid(&set), &pods::pods());
    let on = |node: &String| {
        all.iter()
            .find(|pod| target(pod) == node && !has_ended(pod))
    };
    let there: Vec<&Arc<Value>> = nodes.iter().filter_map(on).collect();
    let stray = all
        .iter()
        .filter(|pod| !nodes.iter().any(|node| node == target(pod)));
    let times: Vec<Timestamp> = there
        .iter()
        .filter_map(|pod| pods::available_at(pod, min_ready))
        .collect();
    let available = owned::count(times.iter().filter(|time| **time <= state.now).count());
    if let Some(next) = times.iter().filter(|time| **time > state.now).min() {
        enqueue_at(state, Controller::DaemonSet, key.clone(), *next);
    }
    let updated = there
        .iter()
        .filter(|pod| label(pod, REVISION_LABEL) == hash);
    let wanted = owned::count(nodes.len());
    let always = [
        ("currentNumberScheduled", owned::count(there.len())),
        ("desiredNumberScheduled", wanted),
        ("numberMisscheduled", owned::count(stray.count())),
        (
            "numberReady",
            owned::count(there.iter().filter(|pod| is_ready(pod)).count()),
        ),
    ];
    let others = [
        ("updatedNumberScheduled", owned::count(updated.count())),
        ("numberAvailable", available),
        ("numberUnavailable", wanted - available),
        (
            "observedGeneration",
            owned::integer(&set, "/metadata/generation").unwrap_or_default(),
        ),
    ];
    let mut changed = set.as_ref().clone();
    owned::set_counts(&mut changed, &always, &others);
    client::update_status(state, Writer::ControllerManager, &daemon_sets(), changed);
}
