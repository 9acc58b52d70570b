//! Deployments: a ReplicaSet for each template, and the way from one to the next.
//!
//! Source: kube-controller-manager's deployment controller.

use std::sync::Arc;

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{
    Controller, Delay, Writer, client, deployment_scale as scale, deployment_status as status,
    enqueue, owned,
    pods::{self, has_ended},
    replica_set::replica_sets,
};
use crate::{State, lifecycle::Key, object, state::Change};

/// Label that tells the pods of one template from those of another.
const HASH_LABEL: &str = "pod-template-hash";
/// Annotation with the number of a template among those that a deployment had.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Old ReplicaSets that are kept when nobody says how many.
const HISTORY_LIMIT: i64 = 10;
/// Annotations of a deployment that its ReplicaSets do not inherit.
const OWN_ANNOTATIONS: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    "deployment.kubernetes.io/revision-history",
    scale::DESIRED,
    scale::MAXIMUM,
    "deprecated.deployment.rollback.to",
];

/// The kind.
pub(super) fn deployments() -> GroupKind {
    GroupKind::new("apps", "Deployment")
}

/// Asks for a look when the deployment changes, or a ReplicaSet of it, or, where everything old
/// must go first, a pod of one of those.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == deployments() {
        if !change.deleted {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::Deployment, key, Delay::Reaction);
        }
    } else if change.kind == replica_sets() {
        super::workloads_of(state, Controller::Deployment, &deployments(), change);
    } else if change.kind == pods::pods() && change.deleted {
        let set = owned::controller_key(&change.object, &replica_sets())
            .and_then(|key| client::get(state, &key));
        let deployment = set.and_then(|set| owned::controller_key(&set, &deployments()));
        if let Some(key) = deployment {
            enqueue(state, Controller::Deployment, key, Delay::Reaction);
        }
    }
}

/// The ReplicaSets of a deployment.
pub(super) struct Sets {
    /// That of the present template.
    pub(super) new: Option<Arc<Value>>,
    /// All others, oldest first.
    pub(super) old: Vec<Arc<Value>>,
}

impl Sets {
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Value>> {
        self.old.iter().chain(self.new.as_ref())
    }

    fn of(state: &mut State, deployment: &Value) -> Self {
        let mut sets = owned::claim(state, &deployments(), deployment, &replica_sets());
        sets.sort_by_cached_key(|set| {
            let created = object::text(set, "/metadata/creationTimestamp").to_owned();
            (created, object::name(set).to_owned())
        });
        let wanted = plain_template(deployment);
        let place = sets.iter().position(|set| plain_template(set) == wanted);
        let new = place.map(|place| sets.remove(place));
        Self { new, old: sets }
    }
}

/// Brings the deployment one step further.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(deployment) = client::get(state, key) else {
        return;
    };
    if owned::selector(&deployment).is_none() {
        return;
    }
    let sets = Sets::of(state, &deployment);
    if object::is_deleting(&deployment) {
        return status::write(state, key, &sets);
    }
    status::note_pause(state, key, &deployment);
    let paused = deployment.pointer("/spec/paused") == Some(&json!(true));
    if paused || scale::is_event(&deployment, &sets) {
        let sets = with_revision(state, key, sets, false);
        scale::proportionally(state, &deployment, &sets);
        return status::write_of(state, key);
    }
    if object::text(&deployment, "/spec/strategy/type") == "Recreate" {
        recreate(state, key, &deployment, sets);
    } else {
        roll(state, key, &deployment, sets);
    }
    status::write_of(state, key);
}

/// The sets as they are now.
pub(super) fn sets_now(state: &mut State, deployment: &Value) -> Sets {
    Sets::of(state, deployment)
}

fn roll(state: &mut State, key: &Key, deployment: &Value, sets: Sets) {
    let sets = with_revision(state, key, sets, true);
    let Some(new) = &sets.new else {
        return;
    };
    let wanted = scale::wanted(deployment);
    let have = scale::replicas(new);
    let target = if have > wanted {
        wanted
    } else {
        scale::room_for_new(deployment, &sets, have)
    };
    if scale::set(state, deployment, new, target) {
        return;
    }
    if !scale::down_old(state, deployment, &sets, new) {
        clean_up(state, deployment, &sets);
    }
}

fn recreate(state: &mut State, key: &Key, deployment: &Value, sets: Sets) {
    let sets = with_revision(state, key, sets, false);
    let mut scaled = false;
    for old in &sets.old {
        scaled |= scale::replicas(old) > 0 && scale::set(state, deployment, old, 0);
    }
    if scaled {
        return;
    }
    let runs = sets.old.iter().any(|old| {
        let pods = owned::owned(state, object::uid(old), &pods::pods());
        owned::integer(old, "/status/replicas").unwrap_or_default() > 0
            || pods.iter().any(|pod| !has_ended(pod))
    });
    if runs {
        return;
    }
    let sets = with_revision(state, key, sets, true);
    if let Some(new) = &sets.new {
        scale::set(state, deployment, new, scale::wanted(deployment));
        clean_up(state, deployment, &sets);
    }
}

/// Sees to it that the new set is there (if `create`) and has the highest revision, and that the
/// deployment says so.
fn with_revision(state: &mut State, key: &Key, mut sets: Sets, create: bool) -> Sets {
    let Some(deployment) = client::get(state, key) else {
        return sets;
    };
    let revision = sets.old.iter().map(|set| revision_of(set)).max();
    let revision = revision.unwrap_or_default() + 1;
    let known = match sets.new.take() {
        Some(new) => {
            let revision = revision.max(revision_of(&new));
            let changed = annotated(&deployment, &new, revision);
            client::update(state, Writer::ControllerManager, &replica_sets(), changed);
            let key = Key::of(&replica_sets(), &new);
            sets.new = client::get(state, &key);
            revision
        }
        None if create => {
            sets.new = create_set(state, &deployment, &sets, revision);
            let Some(new) = &sets.new else {
                return sets;
            };
            status::note_created(state, key, object::name(new));
            revision
        }
        None => return sets,
    };
    status::note_revision(state, key, REVISION, known);
    sets
}

fn create_set(
    state: &mut State,
    deployment: &Value,
    sets: &Sets,
    revision: i64,
) -> Option<Arc<Value>> {
    let template = deployment.pointer("/spec/template")?;
    let collisions = owned::integer(deployment, "/status/collisionCount").unwrap_or_default();
    let hash = owned::hash(&json!([template, collisions]));
    let mut template = template.clone();
    if let Some(template) = template.as_object_mut() {
        let metadata = object::child(template, "metadata");
        object::child(metadata, "labels").insert(HASH_LABEL.to_owned(), json!(hash));
    }
    let mut selector = deployment.pointer("/spec/selector")?.clone();
    if let Some(selector) = selector.as_object_mut() {
        object::child(selector, "matchLabels").insert(HASH_LABEL.to_owned(), json!(hash));
    }
    let mut spec = json!({
        "replicas": scale::room_for_new(deployment, sets, 0),
        "selector": selector,
        "template": template,
    });
    if let Some(seconds) = deployment.pointer("/spec/minReadySeconds") {
        spec["minReadySeconds"] = seconds.clone();
    }
    let set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", object::name(deployment)),
            "namespace": object::namespace(deployment),
            "labels": template.pointer("/metadata/labels"),
            "ownerReferences": [owned::reference(&deployments(), deployment)],
        },
        "spec": spec,
    });
    let set = annotated(deployment, &set, revision);
    client::create(state, Writer::ControllerManager, &replica_sets(), set).ok()
}

/// The set with what it inherits from its deployment.
fn annotated(deployment: &Value, set: &Value, revision: i64) -> Value {
    let mut set = set.clone();
    let inherited = owned::text_map(deployment.pointer("/metadata/annotations"));
    if let Some(metadata) = object::metadata(&mut set) {
        let all = object::child(metadata, "annotations");
        for (name, value) in inherited {
            if !OWN_ANNOTATIONS.contains(&name) {
                all.insert(name.to_owned(), json!(value));
            }
        }
        all.insert(REVISION.to_owned(), json!(revision.to_string()));
        for (name, value) in scale::annotations(deployment) {
            all.insert(name.to_owned(), json!(value));
        }
    }
    set
}

fn revision_of(set: &Value) -> i64 {
    let annotations = owned::text_map(set.pointer("/metadata/annotations"));
    let text = annotations.get(REVISION).copied().unwrap_or_default();
    text.parse().unwrap_or_default()
}

/// The template of a deployment or ReplicaSet, without the label that tells them apart.
fn plain_template(workload: &Value) -> Value {
    let mut template = workload["spec"]["template"].clone();
    if let Some(labels) = template
        .pointer_mut("/metadata/labels")
        .and_then(Value::as_object_mut)
    {
        labels.remove(HASH_LABEL);
    }
    template
}

/// Deletes the oldest sets beyond the history limit, once the roll-out is complete.
fn clean_up(state: &mut State, deployment: &Value, sets: &Sets) {
    if !status::is_complete(deployment, &deployment["status"]) {
        return;
    }
    let limit = owned::integer(deployment, "/spec/revisionHistoryLimit").unwrap_or(HISTORY_LIMIT);
    let alive: Vec<&Arc<Value>> = sets
        .old
        .iter()
        .filter(|set| !object::is_deleting(set))
        .collect();
    let surplus = owned::count(alive.len()) - limit;
    for set in alive.iter().take(usize::try_from(surplus).unwrap_or(0)) {
        let number = |pointer: &str| owned::integer(set, pointer).unwrap_or_default();
        let empty = number("/status/replicas") == 0 && scale::replicas(set) == 0;
        if empty && number("/metadata/generation") <= number("/status/observedGeneration") {
            let key = Key::of(&replica_sets(), set);
            client::delete(state, &key, object::uid(set), None, None);
        }
    }
}
