//! StatefulSets: numbered pods, one after the other, each with its own claims.
//!
//! Claims have no owner: they stay when the set goes. Source: Kubernetes documentation,
//! "StatefulSets".

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{
    Controller, Delay, Writer, client, enqueue, enqueue_at, owned,
    pods::{self, has_ended, is_ready},
    revisions, volumes,
};
use crate::{State, lifecycle::Key, object, state::Change};

/// Label with the revision of the template that a pod was made from.
const REVISION_LABEL: &str = "controller-revision-hash";
/// Pods looked at in one set.
const POD_LIMIT: i64 = 10_000;

/// The kind.
pub(super) fn stateful_sets() -> GroupKind {
    GroupKind::new("apps", "StatefulSet")
}

/// Asks for a look when the set changes, or a pod of it.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == stateful_sets() {
        if !change.deleted {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::StatefulSet, key, Delay::Reaction);
        }
    } else {
        super::workloads_of_pod(state, Controller::StatefulSet, &stateful_sets(), change);
    }
}

/// One round: the set, its pods by number, and its revisions.
struct Round {
    set: Arc<Value>,
    wanted: i64,
    first: i64,
    in_order: bool,
    /// By number, those beyond the wanted ones last.
    pods: Vec<(i64, Arc<Value>)>,
    current: String,
    update: String,
}

/// Makes, replaces or deletes the next pod.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(set) = client::get(state, key) else {
        return;
    };
    let all = owned::claim(state, &stateful_sets(), &set, &pods::pods());
    let update = revisions::ensure(state, &stateful_sets(), &set);
    let current = match object::text(&set, "/status/currentRevision") {
        "" => update.clone(),
        current => current.to_owned(),
    };
    let mut pods: Vec<(i64, Arc<Value>)> = all
        .into_iter()
        .filter_map(|pod| Some((number(&set, &pod)?, pod)))
        .collect();
    pods.sort_by_key(|(number, _)| *number);
    let round = Round {
        wanted: owned::integer(&set, "/spec/replicas")
            .unwrap_or(1)
            .clamp(0, POD_LIMIT),
        first: owned::integer(&set, "/spec/ordinals/start").unwrap_or_default(),
        in_order: object::text(&set, "/spec/podManagementPolicy") != "Parallel",
        set,
        pods,
        current,
        update,
    };
    if !object::is_deleting(&round.set) {
        round.advance(state);
    }
    round.write_status(state, key);
}

/// The number at the end of a pod's name.
fn number(set: &Value, pod: &Value) -> Option<i64> {
    let rest = object::name(pod).strip_prefix(object::name(set))?;
    rest.strip_prefix('-')?.parse().ok()
}

impl Round {
    fn pod(&self, number: i64) -> Option<&Arc<Value>> {
        let found = self.pods.iter().find(|(at, _)| *at == number);
        found.map(|(_, pod)| pod)
    }

    fn end(&self) -> i64 {
        self.first.saturating_add(self.wanted)
    }

    fn min_ready(&self) -> i64 {
        owned::integer(&self.set, "/spec/minReadySeconds").unwrap_or_default()
    }

    fn is_available(&self, pod: &Value, now: Timestamp) -> bool {
        pods::available_at(pod, self.min_ready()).is_some_and(|time| time <= now)
    }

    fn advance(&self, state: &mut State) {
        for number in self.first..self.end() {
            let healthy = match self.pod(number) {
                None => {
                    let made = self.make(state, number);
                    // One that cannot be made keeps the next ones waiting, too.
                    if !made {
                        return;
                    }
                    false
                }
                Some(pod) if has_ended(pod) && !object::is_deleting(pod) => {
                    delete(state, pod);
                    false
                }
                Some(pod) => {
                    self.make_claims(state, number);
                    !object::is_deleting(pod) && self.is_available(pod, state.now)
                }
            };
            if !healthy && self.in_order {
                return;
            }
        }
        let surplus = self
            .pods
            .iter()
            .rev()
            .filter(|(number, _)| *number >= self.end() || *number < self.first);
        for (_, pod) in surplus {
            if !object::is_deleting(pod) {
                delete(state, pod);
            }
            if self.in_order {
                return;
            }
        }
        self.replace(state);
    }

    /// Deletes the highest pod that is of an older revision, if all others are healthy.
    fn replace(&self, state: &mut State) {
        if object::text(&self.set, "/spec/updateStrategy/type") == "OnDelete" {
            return;
        }
        let partition = "/spec/updateStrategy/rollingUpdate/partition";
        let partition = owned::integer(&self.set, partition).unwrap_or_default();
        for number in (self.first.max(partition)..self.end()).rev() {
            let Some(pod) = self.pod(number) else {
                return;
            };
            if revision(pod) != self.update && !object::is_deleting(pod) {
                return delete(state, pod);
            }
            if object::is_deleting(pod) || !self.is_available(pod, state.now) {
                return;
            }
        }
    }

    fn make(&self, state: &mut State, number: i64) -> bool {
        self.make_claims(state, number);
        let name = format!("{}-{number}", object::name(&self.set));
        let index = number.to_string();
        let revision = self.revision_for(number);
        let labels = [
            (REVISION_LABEL, revision),
            ("statefulset.kubernetes.io/pod-name", name.as_str()),
            ("apps.kubernetes.io/pod-index", index.as_str()),
        ];
        let template_set = revisions::at(state, &self.set, revision);
        let set = template_set.as_ref().unwrap_or(&self.set);
        let mut pod = owned::pod(&stateful_sets(), set, owned::Name::Exact(&name), &labels);
        let templates = self.claim_templates();
        if let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("hostname".to_owned(), json!(name));
            let service = object::text(&self.set, "/spec/serviceName");
            if !service.is_empty() {
                spec.insert("subdomain".to_owned(), json!(service));
            }
            let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
            if let Some(volumes) = volumes.as_array_mut() {
                volumes.retain(|volume| {
                    let same =
                        |template: &&Value| object::name(template) == object::text(volume, "/name");
                    !templates.iter().any(same)
                });
                for template in &templates {
                    let volume = object::name(template);
                    volumes.push(json!({
                        "name": volume,
                        "persistentVolumeClaim": {"claimName": format!("{volume}-{name}")},
                    }));
                }
                if volumes.is_empty() {
                    spec.remove("volumes");
                }
            }
        }
        client::create(state, Writer::ControllerManager, &pods::pods(), pod).is_ok()
    }

    /// Pods below the partition stay with the old revision.
    fn revision_for(&self, number: i64) -> &str {
        let partition = "/spec/updateStrategy/rollingUpdate/partition";
        let partition = owned::integer(&self.set, partition).unwrap_or_default();
        if number < partition {
            &self.current
        } else {
            &self.update
        }
    }

    fn claim_templates(&self) -> Vec<&Value> {
        let templates = self.set.pointer("/spec/volumeClaimTemplates");
        let templates = templates.and_then(Value::as_array);
        templates.into_iter().flatten().collect()
    }

    fn make_claims(&self, state: &mut State, number: i64) {
        let namespace = object::namespace(&self.set);
        for template in self.claim_templates() {
            let set = object::name(&self.set);
            let name = format!("{}-{set}-{number}", object::name(template));
            if state.get(&volumes::claims(), namespace, &name).is_some() {
                continue;
            }
            let mut metadata = serde_json::Map::new();
            metadata.insert("name".to_owned(), json!(name));
            metadata.insert("namespace".to_owned(), json!(namespace));
            for field in ["labels", "annotations"] {
                if let Some(value) = template["metadata"].get(field) {
                    metadata.insert(field.to_owned(), value.clone());
                }
            }
            let labels = object::child(&mut metadata, "labels");
            let selector = self.set.pointer("/spec/selector/matchLabels");
            for (key, value) in owned::text_map(selector) {
                labels.insert(key.to_owned(), json!(value));
            }
            let claim = json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata,
                "spec": template["spec"],
            });
            // What is refused is asked for again in the next round.
            drop(client::create(
                state,
                Writer::ControllerManager,
                &volumes::claims(),
                claim,
            ));
        }
    }

    fn write_status(&self, state: &mut State, key: &Key) {
        let Some(set) = client::get(state, key) else {
            return;
        };
        let all: Vec<Arc<Value>> = owned::owned(state, object::uid(&set), &pods::pods());
        let stays: Vec<&Arc<Value>> = all.iter().filter(|pod| !object::is_deleting(pod)).collect();
        let ready = all.iter().filter(|pod| is_ready(pod)).count();
        let of = |wanted: &str| {
            let found = stays.iter().filter(|pod| revision(pod) == wanted);
            owned::count(found.count())
        };
        let times: Vec<Timestamp> = all
            .iter()
            .filter_map(|pod| pods::available_at(pod, self.min_ready()))
            .collect();
        let available = times.iter().filter(|time| **time <= state.now).count();
        if let Some(next) = times.iter().filter(|time| **time > state.now).min() {
            enqueue_at(state, Controller::StatefulSet, key.clone(), *next);
        }
        let done = of(&self.update) == self.wanted
            && owned::count(stays.len()) == self.wanted
            && owned::count(ready) == self.wanted;
        let current = if done { &self.update } else { &self.current };
        let mut changed = set.as_ref().clone();
        let counts = [
            ("readyReplicas", owned::count(ready)),
            ("currentReplicas", of(current)),
            ("updatedReplicas", of(&self.update)),
            (
                "observedGeneration",
                owned::integer(&set, "/metadata/generation").unwrap_or_default(),
            ),
        ];
        let always = [
            ("replicas", owned::count(all.len())),
            ("availableReplicas", owned::count(available)),
        ];
        owned::set_counts(&mut changed, &always, &counts);
        if let Some(status) = changed.get_mut("status").and_then(Value::as_object_mut) {
            status.insert("currentRevision".to_owned(), json!(current));
            status.insert("updateRevision".to_owned(), json!(self.update));
            status.insert("collisionCount".to_owned(), json!(0));
        }
        client::update_status(state, Writer::ControllerManager, &stateful_sets(), changed);
    }
}

fn revision(pod: &Value) -> &str {
    let labels = owned::labels(pod);
    labels.get(REVISION_LABEL).copied().unwrap_or_default()
}

fn delete(state: &mut State, pod: &Value) {
    let key = Key::of(&pods::pods(), pod);
    client::delete(state, &key, object::uid(pod), None, None);
}
