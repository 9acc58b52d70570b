//! Custom resources: deletes the instances of a definition that is being deleted, then lets it go.
//!
//! Source: apiextensions-apiserver's finalizing controller.

use super::{Controller, Delay, Writer, client, definition_names::definitions, enqueue};
use crate::{
    State,
    lifecycle::{
        CLEANUP_FINALIZER, Key,
        conditions::{Condition, holds, set_condition},
        defined_kind, remove_finalizer,
    },
    object,
    state::Change,
};

/// Asks for work when a definition is to go, and when instances of one went.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == definitions() {
        let was = change.before.as_deref().is_some_and(is_candidate);
        if !change.deleted && !was && is_candidate(&change.object) {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::DefinitionFinalizer, key, Delay::Reaction);
        }
        return;
    }
    if !change.deleted {
        return;
    }
    let definition = client::kind(state, &change.kind).and_then(|kind| kind.definition.clone());
    if let Some(definition) = definition
        && is_candidate(&definition)
    {
        let key = Key::of(&definitions(), &definition);
        enqueue(
            state,
            Controller::DefinitionFinalizer,
            key,
            Delay::InstancesAgain,
        );
    }
}

fn is_candidate(definition: &serde_json::Value) -> bool {
    object::is_deleting(definition)
        && object::finalizers(definition).any(|finalizer| finalizer == CLEANUP_FINALIZER)
}

/// Deletes the instances, or lets the definition go if there are none.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(current) = client::get(state, key) else {
        return;
    };
    if !is_candidate(&current) {
        return;
    }
    let established = holds(&current, "Established");
    let kind = defined_kind(&current);
    let instances = if established {
        client::list_all(state, &kind)
    } else {
        Vec::new()
    };
    let mut changed = current.as_ref().clone();
    let progress = if !instances.is_empty() {
        let message = "CustomResource deletion is in progress";
        Condition::new("Terminating", true, "InstanceDeletionInProgress", message)
    } else if established {
        let message = "removed all instances";
        Condition::new("Terminating", false, "InstanceDeletionCompleted", message)
    } else {
        let message = "resource was never established";
        Condition::new("Terminating", false, "NeverEstablished", message)
    };
    set_condition(&mut changed, &progress, state.now);
    client::update_status(state, Writer::ApiServer, &key.kind, changed);
    if instances.is_empty()
        && let Some(latest) = client::get(state, key)
    {
        let mut free = latest.as_ref().clone();
        remove_finalizer(&mut free, CLEANUP_FINALIZER);
        client::update(state, Writer::ApiServer, &key.kind, free);
    }
    for instance in instances {
        let key = Key::of(&kind, &instance);
        client::delete(state, &key, object::uid(&instance), None, None);
    }
}
