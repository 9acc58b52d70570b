//! The world after a plan, cascades included.
//!
//! Written without sharing code with the sandbox's cascades or the test oracle, on purpose: three
//! independent accounts of what dies keep each other honest.
//!
//! A plan runs in this order, and so does the simulation: what is replaced dies with its cascade,
//! everything declared is applied, what is deleted dies with its cascade. Deletions of namespaces
//! come last, so that what dies anyway is not laid at their door.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;
use underpin_model::{
    Action, GroupKind, LogicalKey, Object, ObjectKey, OwnerReference, Step, World,
};
use underpin_refs::defined_kind;

use crate::Plan;

/// Longest chain of owners that is followed down: deployment, replica set, pod, and some operators
/// above.
const CHAIN_LIMIT: usize = 10;

/// Why an object dies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A step of the plan deletes it.
    Step,
    /// A step of the plan deletes it and creates it anew.
    Replaced,
    /// The namespace that it lies in dies.
    Namespace(ObjectKey),
    /// Every owner in its `ownerReferences` dies.
    Owner(ObjectKey),
    /// The CustomResourceDefinition of its kind dies.
    Definition(ObjectKey),
    /// The PersistentVolumeClaim bound to it dies, and its reclaim policy is `Delete`.
    Volume(ObjectKey),
}

impl Cause {
    /// The object that takes this one along, unless a step of its own kills it.
    pub fn above(&self) -> Option<&ObjectKey> {
        match self {
            Self::Step | Self::Replaced => None,
            Self::Namespace(above)
            | Self::Owner(above)
            | Self::Definition(above)
            | Self::Volume(above) => Some(above),
        }
    }
}

/// What a plan does to the world in the end.
#[derive(Debug)]
pub struct Simulation {
    /// The world after the plan.
    pub after: World,
    /// Every object that dies, live or just applied, and why. Replaced ones are in `after` again.
    pub deaths: BTreeMap<ObjectKey, Cause>,
    /// Objects whose owners are gone, such as the pods of what an earlier run deleted: Kubernetes is
    /// about to collect them. No doing of this plan, and nothing to count on.
    pub collected: BTreeSet<ObjectKey>,
    /// Objects that controllers will make in the world after.
    pub expected: BTreeSet<ObjectKey>,
    /// What each dying object takes along at once.
    below: BTreeMap<ObjectKey, Vec<ObjectKey>>,
}

impl Simulation {
    /// Whether an object is there after the plan, or will be made by a controller.
    pub fn will_exist(&self, key: &ObjectKey) -> bool {
        self.after.get(key).is_some() || self.expected.contains(key)
    }

    /// Everything that dies because `root` does, `root` itself excluded, directly or by a chain.
    pub fn cascade_of(&self, root: &ObjectKey) -> BTreeSet<&ObjectKey> {
        let mut found = BTreeSet::new();
        let mut queue = VecDeque::from([root]);
        while let Some(at) = queue.pop_front() {
            for key in self.below.get(at).into_iter().flatten() {
                if found.insert(key) {
                    queue.push_back(key);
                }
            }
        }
        found
    }
}

/// Applies every step and follows every cascade.
pub fn simulate(before: &World, plan: &Plan) -> Simulation {
    after_steps(before, &plan.steps)
}

/// Deletes one object, whoever asks for it, and follows the cascade.
pub fn simulate_removal(before: &World, key: &ObjectKey) -> Simulation {
    let logical = LogicalKey::of(key, "");
    after_steps(before, &[Step::new(Action::Delete, key.clone(), logical)])
}

fn after_steps(before: &World, steps: &[Step]) -> Simulation {
    let collected = collected(before);
    let mut after = before.clone();
    for key in &collected {
        after.remove(key);
    }
    let mut deaths = BTreeMap::new();
    let replaced = steps.iter().filter(|step| step.action == Action::Replace);
    let roots = replaced
        .map(|step| (step.key.clone(), Cause::Replaced))
        .collect();
    kill(&after, roots, &mut deaths);
    for key in deaths.keys() {
        after.remove(key);
    }
    for step in steps.iter().filter(|step| step.action == Action::Delete) {
        if let Some(cause) = deaths.get_mut(&step.key) {
            *cause = Cause::Step;
        }
    }
    for step in steps.iter().filter(|step| step.action.applies()) {
        // What garbage collection takes is not proven to be back by an apply that may come first.
        if deaths
            .get(&step.key)
            .is_none_or(|cause| *cause == Cause::Replaced)
            && let Some(object) = applied(step)
        {
            after.insert(object);
        }
    }
    let (last, first): (Vec<_>, Vec<_>) = steps
        .iter()
        .filter(|step| step.action == Action::Delete)
        .map(|step| (step.key.clone(), Cause::Step))
        .partition(|(key, _)| key.is_namespace());
    let mut second = BTreeMap::new();
    kill(&after, first, &mut second);
    kill(&after, last, &mut second);
    for key in second.keys() {
        after.remove(key);
    }
    deaths.extend(second);
    let expected = after.objects().flat_map(underpin_refs::generated).collect();
    let mut below: BTreeMap<ObjectKey, Vec<ObjectKey>> = BTreeMap::new();
    for (key, cause) in &deaths {
        if let Some(above) = cause.above() {
            below.entry(above.clone()).or_default().push(key.clone());
        }
    }
    Simulation {
        after,
        deaths,
        collected,
        expected,
        below,
    }
}

/// What is about to be garbage-collected, whatever this plan does: the pods of a Deployment that a
/// run deleted before it was killed. Only where every owner is gone for certain; one that the world
/// merely does not hold may have been made while it was read.
fn collected(world: &World) -> BTreeSet<ObjectKey> {
    let mut gone = world.gone_owners.clone();
    let mut waiting: Vec<(&Object, Vec<OwnerReference>)> = world
        .objects()
        .map(|object| (object, object.owner_references()))
        .filter(|(_, owners)| !owners.is_empty())
        .collect();
    let mut collected = BTreeSet::new();
    for _ in 0..CHAIN_LIMIT {
        let known = gone.len();
        waiting.retain(|(object, owners)| {
            let is_left = owners.iter().any(|owner| !gone.contains(&owner.uid));
            if !is_left {
                collected.insert(object.key.clone());
                gone.extend(object.uid().map(str::to_owned));
            }
            is_left
        });
        if gone.len() == known {
            break;
        }
    }
    collected
}

/// The object as a step leaves it, with the declared origin: what the server merged is still to be
/// blamed on a line of a file. What an apply changes keeps its uid and its owners, also where the
/// server was not asked for the merged object.
fn applied(step: &Step) -> Option<Object> {
    let object = step.after.as_ref().or(step.desired.as_ref())?;
    let origin = step.desired.as_ref().unwrap_or(object).origin.clone();
    let live = step
        .before
        .as_ref()
        .filter(|_| step.action != Action::Replace);
    let kept = match live {
        Some(live) if object.uid().is_none() => {
            let fields = ["creationTimestamp", "ownerReferences", "uid"];
            with_metadata_of(object, live, &fields)
        }
        _ => object.clone(),
    };
    Some(Object { origin, ..kept })
}

/// An object with these fields of its metadata as they are live, where it does not say them itself.
pub(crate) fn with_metadata_of(object: &Object, live: &Object, fields: &[&str]) -> Object {
    let mut merged = (*object.value).clone();
    if let Some(metadata) = merged.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in fields {
            if let Some(was) = live.at(&format!("/metadata/{field}")) {
                metadata.entry(*field).or_insert_with(|| was.clone());
            }
        }
    }
    Object {
        value: merged.into(),
        ..object.clone()
    }
}

/// Kills the roots that are there, in order, and whatever they take along.
fn kill(world: &World, roots: Vec<(ObjectKey, Cause)>, deaths: &mut BTreeMap<ObjectKey, Cause>) {
    if roots.is_empty() {
        return;
    }
    let index = Index::of(world);
    let mut queue: VecDeque<ObjectKey> = VecDeque::new();
    for (key, cause) in roots {
        if world.get(&key).is_some() {
            deaths.insert(key.clone(), cause);
            queue.push_back(key);
        }
    }
    while let Some(dead) = queue.pop_front() {
        for (key, cause) in index.taken_along(world, &dead, deaths) {
            if !deaths.contains_key(&key) {
                deaths.insert(key.clone(), cause);
                queue.push_back(key);
            }
        }
    }
}

/// What hangs on what, indexed once.
struct Index {
    by_namespace: BTreeMap<String, Vec<ObjectKey>>,
    by_owner_uid: BTreeMap<String, Vec<ObjectKey>>,
    key_of_uid: BTreeMap<String, ObjectKey>,
}

impl Index {
    fn of(world: &World) -> Self {
        let mut index = Self {
            by_namespace: BTreeMap::new(),
            by_owner_uid: BTreeMap::new(),
            key_of_uid: BTreeMap::new(),
        };
        for object in world.objects() {
            if let Some(namespace) = &object.key.namespace {
                index
                    .by_namespace
                    .entry(namespace.clone())
                    .or_default()
                    .push(object.key.clone());
            }
            if let Some(uid) = object.uid() {
                index.key_of_uid.insert(uid.to_owned(), object.key.clone());
            }
            for owner in object.owner_references() {
                index
                    .by_owner_uid
                    .entry(owner.uid)
                    .or_default()
                    .push(object.key.clone());
            }
        }
        index
    }

    fn taken_along(
        &self,
        world: &World,
        dead: &ObjectKey,
        deaths: &BTreeMap<ObjectKey, Cause>,
    ) -> Vec<(ObjectKey, Cause)> {
        let Some(object) = world.get(dead) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        if dead.is_namespace() {
            let contents = self.by_namespace.get(&dead.name).into_iter().flatten();
            taken.extend(contents.map(|key| (key.clone(), Cause::Namespace(dead.clone()))));
        }
        let dependents = object.uid().and_then(|uid| self.by_owner_uid.get(uid));
        for key in dependents.into_iter().flatten() {
            if world
                .get(key)
                .is_some_and(|dependent| self.orphaned(dependent, deaths))
            {
                taken.push((key.clone(), Cause::Owner(dead.clone())));
            }
        }
        if let Some(kind) = defined_kind(object) {
            let instances = world.of_kind(&kind).map(|instance| instance.key.clone());
            taken.extend(instances.map(|key| (key, Cause::Definition(dead.clone()))));
        }
        if let Some(volume) = reclaimed_volume(world, object) {
            taken.push((volume, Cause::Volume(dead.clone())));
        }
        taken
    }

    /// Whether no owner of the object is left alive: garbage collection waits for the last one. An
    /// owner that the world does not hold counts as dead: rather one death too many.
    fn orphaned(&self, object: &Object, deaths: &BTreeMap<ObjectKey, Cause>) -> bool {
        object.owner_references().iter().all(|owner| {
            self.key_of_uid
                .get(&owner.uid)
                .is_none_or(|key| deaths.contains_key(key))
        })
    }
}

/// The PersistentVolume that dies with a claim.
fn reclaimed_volume(world: &World, claim: &Object) -> Option<ObjectKey> {
    if !claim.key.kind.is("", "PersistentVolumeClaim") {
        return None;
    }
    let kind = GroupKind::core("PersistentVolume");
    let key = ObjectKey::cluster(kind, claim.text("/spec/volumeName")?);
    let volume = world.get(&key)?;
    (volume.text("/spec/persistentVolumeReclaimPolicy") == Some("Delete")).then_some(key)
}
