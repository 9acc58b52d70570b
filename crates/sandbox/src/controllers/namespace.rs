//! The namespace controller: empties a namespace that is being deleted, then lets it go.
//!
//! What it finds, it deletes in the background; what stays because of finalizers or grace periods
//! is told in the namespace's conditions, and looked at again when something in there has gone.
//!
//! Source: kube-controller-manager's namespace controller.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{Controller, Delay, Writer, client, enqueue};
use crate::{
    Kind, State,
    lifecycle::{
        Key, Propagation,
        conditions::{Condition, set_condition},
    },
    object,
    state::Change,
};

/// The spec's finalizer that stands for this controller.
pub(super) const FINALIZER: &str = "kubernetes";
/// Seconds that finalizers are given before what they keep counts as unexpected.
const FINALIZER_ESTIMATE: i64 = 15;

/// Asks for work when a namespace is to go, and when something went from one that is.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind.is("", "Namespace") {
        let was = change.before.as_deref().is_some_and(object::is_deleting);
        if !change.deleted && !was && object::is_deleting(&change.object) {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::Namespace, key, Delay::NamespaceBegin);
        }
        return;
    }
    let namespace = object::namespace(&change.object);
    if namespace.is_empty() {
        return;
    }
    let key = key_of(namespace);
    let terminating = state
        .get(&key.kind, "", namespace)
        .is_some_and(|found| object::is_deleting(found));
    if terminating {
        enqueue(state, Controller::Namespace, key, Delay::NamespaceAgain);
    }
}

/// The key of a namespace.
pub(super) fn key_of(name: &str) -> Key {
    Key::new(GroupKind::core("Namespace"), "", name)
}

/// Empties the namespace as far as it goes.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(current) = client::get(state, key) else {
        return;
    };
    let has_work = current
        .pointer("/spec/finalizers")
        .and_then(Value::as_array)
        .is_some_and(|finalizers| !finalizers.is_empty());
    if !object::is_deleting(&current) || !has_work {
        return;
    }
    let remaining = empty(state, &current);
    // Emptying it may have changed nothing in the namespace object itself.
    let Some(latest) = client::get(state, key) else {
        return;
    };
    let mut changed = latest.as_ref().clone();
    for condition in remaining.conditions() {
        set_condition(&mut changed, &condition, state.now);
    }
    client::update_status(state, Writer::ControllerManager, &key.kind, changed);
    if remaining.estimate > 0 || !remaining.failures.is_empty() {
        return;
    }
    let Some(latest) = client::get(state, key) else {
        return;
    };
    let mut free = latest.as_ref().clone();
    if let Some(finalizers) = free
        .pointer_mut("/spec/finalizers")
        .and_then(Value::as_array_mut)
    {
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        if finalizers.is_empty()
            && let Some(spec) = free.get_mut("spec").and_then(Value::as_object_mut)
        {
            spec.remove("finalizers");
        }
    }
    client::finalize(state, Writer::ControllerManager, &key.kind, free);
}

/// What is left in a namespace after everything was deleted.
#[derive(Debug, Default)]
struct Remaining {
    /// Seconds that it is expected to take; 0 if it should be gone.
    estimate: i64,
    /// `plural.group` with the number of objects.
    counts: BTreeMap<String, usize>,
    finalizers: BTreeMap<String, usize>,
    failures: Vec<String>,
}

fn empty(state: &mut State, namespace: &Value) -> Remaining {
    let name = object::name(namespace);
    let mut remaining = Remaining::default();
    let mut seen = Vec::new();
    let kinds: Vec<Arc<Kind>> = state
        .kinds
        .all()
        .filter(|kind| kind.namespaced && !kind.is_review)
        .cloned()
        .collect();
    for kind in kinds {
        if seen.contains(&kind.kind) {
            continue;
        }
        seen.push(kind.kind.clone());
        let estimate = if kind.kind.is("", "Pod") {
            pod_estimate(state, name, namespace)
        } else {
            0
        };
        for found in client::list(state, &kind.kind, name) {
            let key = Key::of(&kind.kind, &found);
            let background = Some(Propagation::Background);
            client::delete(state, &key, object::uid(&found), background, None);
        }
        let left = client::list(state, &kind.kind, name);
        remaining.count(name, &kind, &left, estimate);
    }
    remaining
}

impl Remaining {
    fn count(&mut self, namespace: &str, kind: &Kind, left: &[Arc<Value>], estimate: i64) {
        if left.is_empty() {
            return;
        }
        let resource = format!("{}.{}", kind.plural, kind.kind.group);
        self.counts.insert(resource, left.len());
        let mut kept = false;
        for finalizer in left.iter().flat_map(|object| object::finalizers(object)) {
            *self.finalizers.entry(finalizer.to_owned()).or_default() += 1;
            kept = true;
        }
        let estimate = if estimate == 0 && kept {
            FINALIZER_ESTIMATE
        } else {
            estimate
        };
        self.estimate = self.estimate.max(estimate);
        if estimate == 0 {
            self.failures.push(format!(
                "unexpected items still remain in namespace: {namespace} for gvr: {}/{}, \
                 Resource={}",
                kind.kind.group, kind.version, kind.plural
            ));
        }
    }

    /// All five, in the server's order.
    fn conditions(&self) -> [Condition; 5] {
        let list = |counts: &BTreeMap<String, usize>, verb: &str| {
            let texts: Vec<String> = counts
                .iter()
                .map(|(what, count)| format!("{what} {verb} {count} resource instances"))
                .collect();
            texts.join(", ")
        };
        let mut failures = self.failures.clone();
        failures.sort_unstable();
        [
            Condition::new(
                "NamespaceDeletionDiscoveryFailure",
                false,
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
            Condition::new(
                "NamespaceDeletionGroupVersionParsingFailure",
                false,
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
            if failures.is_empty() {
                Condition::new(
                    "NamespaceDeletionContentFailure",
                    false,
                    "ContentDeleted",
                    "All content successfully deleted, may be waiting on finalization",
                )
            } else {
                Condition::new(
                    "NamespaceDeletionContentFailure",
                    true,
                    "ContentDeletionFailed",
                    format!(
                        "Failed to delete all resource types, {} remaining: {}",
                        failures.len(),
                        failures.join(", ")
                    ),
                )
            },
            if self.counts.is_empty() {
                Condition::new(
                    "NamespaceContentRemaining",
                    false,
                    "ContentRemoved",
                    "All content successfully removed",
                )
            } else {
                Condition::new(
                    "NamespaceContentRemaining",
                    true,
                    "SomeResourcesRemain",
                    format!(
                        "Some resources are remaining: {}",
                        list(&self.counts, "has")
                    ),
                )
            },
            if self.finalizers.is_empty() {
                Condition::new(
                    "NamespaceFinalizersRemaining",
                    false,
                    "ContentHasNoFinalizers",
                    "All content-preserving finalizers finished",
                )
            } else {
                Condition::new(
                    "NamespaceFinalizersRemaining",
                    true,
                    "SomeFinalizersRemain",
                    format!(
                        "Some content in the namespace has finalizers remaining: {}",
                        list(&self.finalizers, "in")
                    ),
                )
            },
        ]
    }
}

/// The longest grace period of the pods that still run, unless it is over.
fn pod_estimate(state: &State, name: &str, namespace: &Value) -> i64 {
    let longest = client::list(state, &GroupKind::core("Pod"), name)
        .iter()
        .filter(|pod| !matches!(object::text(pod, "/status/phase"), "Succeeded" | "Failed"))
        .filter_map(|pod| pod.pointer("/spec/terminationGracePeriodSeconds")?.as_i64())
        .max()
        .unwrap_or_default();
    let since: Option<Timestamp> = object::text(namespace, "/metadata/deletionTimestamp")
        .parse()
        .ok();
    let elapsed = since.map_or(0, |since| state.now.duration_since(since).as_secs());
    if elapsed >= longest { 0 } else { longest }
}

/// A new namespace, as Kubernetes itself makes one.
pub(super) fn fresh(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": [FINALIZER]},
        "status": {"phase": "Active"},
    })
}
