//! The garbage collector: deletes dependents whose owners are all gone.
//!
//! Three ways in which an owner can go: in the background (dependents follow), in the foreground
//! (it waits, by finalizer, for those dependents that block it), and leaving orphans (dependents
//! lose their reference first, by finalizer). A dependent that still has another owner only loses
//! the references to those that went.
//!
//! An owner is looked for in the dependent's own namespace, unless its kind is cluster-scoped: a
//! reference across namespaces is one to nothing. A cluster-scoped object cannot be owned by a
//! namespaced one, and is never collected on account of such a reference.
//!
//! Source: Kubernetes documentation, "Garbage Collection" and "Owners and Dependents".

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Controller, Delay, Writer, client, enqueue};
use crate::{
    State,
    lifecycle::{
        FOREGROUND_FINALIZER, Key, ORPHAN_FINALIZER, OwnerReference, Propagation, owner_references,
        remove_finalizer,
    },
    object,
    state::Change,
};

/// Asks for a look at whatever a change may have made garbage.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind.is("", "Event") {
        return;
    }
    let key = Key::of(&change.kind, &change.object);
    let before = change.before.as_deref();
    if change.deleted {
        look_at_dependents(state, object::uid(&change.object));
        for owner in owner_references(&change.object) {
            look_if_waiting(state, &owner, &key.namespace);
        }
        return;
    }
    let old = before.map(owner_references).unwrap_or_default();
    let new = owner_references(&change.object);
    if old != new {
        for owner in &old {
            let still = new.iter().find(|found| found.uid == owner.uid);
            if owner.blocks && still.is_none_or(|found| !found.blocks) {
                look_if_waiting(state, owner, &key.namespace);
            }
        }
        let fresh = new
            .iter()
            .filter(|owner| old.iter().all(|found| found.uid != owner.uid));
        let mut doubtful = fresh
            .map(|owner| find(state, owner, &key.namespace))
            .filter(|found| !matches!(found, Found::Solid));
        if doubtful.next().is_some() {
            enqueue(
                state,
                Controller::GarbageCollector,
                key.clone(),
                Delay::Reaction,
            );
        }
    }
    let begins = |finalizer: &str| {
        waits_by(&change.object, finalizer)
            && before.is_none_or(|before| !waits_by(before, finalizer))
    };
    if begins(ORPHAN_FINALIZER) {
        enqueue(state, Controller::Orphaner, key, Delay::Reaction);
    } else if begins(FOREGROUND_FINALIZER) {
        look_at_dependents(state, object::uid(&change.object));
        enqueue(state, Controller::GarbageCollector, key, Delay::Reaction);
    }
}

/// Has a look at one object: whether its owners are gone, and, if it waits for its dependents,
/// whether they are.
pub(super) fn collect(state: &mut State, key: &Key) {
    let Some(current) = client::get(state, key) else {
        return;
    };
    if is_waiting(&current) {
        return wait_for_dependents(state, key, &current);
    }
    if object::is_deleting(&current) {
        return;
    }
    let references = owner_references(&current);
    if references.is_empty() {
        return;
    }
    let mut solid = false;
    let mut waiting = false;
    let mut lost = Vec::new();
    for owner in &references {
        match find(state, owner, &key.namespace) {
            Found::Solid => solid = true,
            Found::Absent => lost.push(owner.uid),
            Found::Waiting => {
                waiting = true;
                lost.push(owner.uid);
            }
            // Nobody can say whether it exists: nothing is done.
            Found::Unknown => return,
        }
    }
    let uid = object::uid(&current);
    if solid {
        if !lost.is_empty() {
            let kept = without_owners(&current, &lost);
            client::update(state, Writer::ControllerManager, &key.kind, kept);
        }
        return;
    }
    let dependents: Vec<Key> = state.dependents.of(uid).cloned().collect();
    let propagation = if waiting && !dependents.is_empty() {
        let cyclic = dependents
            .iter()
            .filter_map(|dependent| client::get(state, dependent))
            .any(|dependent| is_waiting(&dependent));
        if cyclic {
            client::update(
                state,
                Writer::ControllerManager,
                &key.kind,
                unblocking(&current),
            );
        }
        Propagation::Foreground
    } else if has_finalizer(&current, ORPHAN_FINALIZER) {
        Propagation::Orphan
    } else if has_finalizer(&current, FOREGROUND_FINALIZER) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    client::delete(state, key, uid, Some(propagation), None);
}

/// Takes the references to an owner out of its dependents, and lets it go.
pub(super) fn orphan(state: &mut State, key: &Key) {
    let Some(owner) = client::get(state, key) else {
        return;
    };
    if !waits_by(&owner, ORPHAN_FINALIZER) {
        return;
    }
    let uid = object::uid(&owner);
    let dependents: Vec<Key> = state.dependents.of(uid).cloned().collect();
    for dependent in dependents {
        if let Some(value) = client::get(state, &dependent) {
            let kept = without_owners(&value, &[uid]);
            client::update(state, Writer::ControllerManager, &dependent.kind, kept);
        }
    }
    let mut free = owner.as_ref().clone();
    remove_finalizer(&mut free, ORPHAN_FINALIZER);
    client::update(state, Writer::ControllerManager, &key.kind, free);
}

fn wait_for_dependents(state: &mut State, key: &Key, owner: &Arc<Value>) {
    let uid = object::uid(owner);
    let dependents: Vec<Key> = state.dependents.of(uid).cloned().collect();
    let mut blocked = false;
    for dependent in dependents {
        let Some(value) = client::get(state, &dependent) else {
            continue;
        };
        let blocks = owner_references(&value)
            .iter()
            .any(|found| found.uid == uid && found.blocks);
        if blocks {
            blocked = true;
            if !object::is_deleting(&value) {
                enqueue(
                    state,
                    Controller::GarbageCollector,
                    dependent,
                    Delay::Reaction,
                );
            }
        }
    }
    if !blocked {
        let mut free = owner.as_ref().clone();
        remove_finalizer(&mut free, FOREGROUND_FINALIZER);
        client::update(state, Writer::ControllerManager, &key.kind, free);
    }
}

/// What stands where a reference points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// The owner, which stays, or at least does not wait for its dependents.
    Solid,
    /// The owner, which waits for its dependents to go.
    Waiting,
    /// Nothing, or something else of the name.
    Absent,
    /// A kind that is not served, or a namespaced owner of a cluster-scoped object.
    Unknown,
}

fn find(state: &State, owner: &OwnerReference<'_>, namespace: &str) -> Found {
    let served = state
        .kinds
        .all()
        .find(|kind| kind.kind == owner.kind && kind.version == owner.version);
    let Some(kind) = served else {
        return Found::Unknown;
    };
    if kind.namespaced && namespace.is_empty() {
        return Found::Unknown;
    }
    let namespace = if kind.namespaced { namespace } else { "" };
    match state.get(&owner.kind, namespace, owner.name) {
        Some(found) if object::uid(found) == owner.uid => {
            if is_waiting(found) {
                Found::Waiting
            } else {
                Found::Solid
            }
        }
        _ => Found::Absent,
    }
}

fn look_at_dependents(state: &mut State, uid: &str) {
    let dependents: Vec<Key> = state.dependents.of(uid).cloned().collect();
    for dependent in dependents {
        enqueue(
            state,
            Controller::GarbageCollector,
            dependent,
            Delay::Reaction,
        );
    }
}

fn look_if_waiting(state: &mut State, owner: &OwnerReference<'_>, namespace: &str) {
    if find(state, owner, namespace) != Found::Waiting {
        return;
    }
    let namespaced = client::kind(state, &owner.kind).is_some_and(|kind| kind.namespaced);
    let namespace = if namespaced { namespace } else { "" };
    let key = Key::new(owner.kind.clone(), namespace, owner.name);
    enqueue(state, Controller::GarbageCollector, key, Delay::Reaction);
}

fn is_waiting(value: &Value) -> bool {
    waits_by(value, FOREGROUND_FINALIZER)
}

fn waits_by(value: &Value, finalizer: &str) -> bool {
    object::is_deleting(value) && has_finalizer(value, finalizer)
}

fn has_finalizer(value: &Value, finalizer: &str) -> bool {
    object::finalizers(value).any(|found| found == finalizer)
}

/// The object without its references to some owners.
fn without_owners(value: &Value, uids: &[&str]) -> Value {
    let mut value = value.clone();
    if let Some(metadata) = object::metadata(&mut value)
        && let Some(references) = metadata
            .get_mut("ownerReferences")
            .and_then(Value::as_array_mut)
    {
        references.retain(|reference| !uids.contains(&object::text(reference, "/uid")));
        if references.is_empty() {
            metadata.remove("ownerReferences");
        }
    }
    value
}

/// The object, blocking none of its owners any more: this is how a circle of owners is broken.
fn unblocking(value: &Value) -> Value {
    let mut value = value.clone();
    let references = value
        .pointer_mut("/metadata/ownerReferences")
        .and_then(Value::as_array_mut);
    for reference in references.into_iter().flatten() {
        if let Some(reference) = reference.as_object_mut() {
            reference.insert("blockOwnerDeletion".to_owned(), json!(false));
        }
    }
    value
}
