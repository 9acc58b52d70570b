//! A volume that is bound stays, by finalizer, until it no longer is.
//!
//! Source: kube-controller-manager's PV protection controller.

use serde_json::{Value, json};

use super::{Controller, Delay, Writer, client, enqueue, volumes::volumes};
use crate::{
    State,
    lifecycle::{Key, remove_finalizer},
    object,
    state::Change,
};

const FINALIZER: &str = "kubernetes.io/pv-protection";

/// Asks for a look at a changed volume.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == volumes() && !change.deleted {
        let has = object::finalizers(&change.object).any(|found| found == FINALIZER);
        if has == object::is_deleting(&change.object) {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::VolumeProtection, key, Delay::Reaction);
        }
    }
}

/// Adds the finalizer to a volume that stays; takes it from one that goes and is not bound.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(volume) = client::get(state, key) else {
        return;
    };
    if !object::is_deleting(&volume) {
        let kept = with_finalizer(&volume, FINALIZER);
        client::update(state, Writer::ControllerManager, &key.kind, kept);
    } else if object::text(&volume, "/status/phase") != "Bound" {
        let mut free = volume.as_ref().clone();
        remove_finalizer(&mut free, FINALIZER);
        client::update(state, Writer::ControllerManager, &key.kind, free);
    }
}

/// The object with a finalizer, once.
pub(super) fn with_finalizer(value: &Value, finalizer: &str) -> Value {
    let mut kept = value.clone();
    if object::finalizers(value).all(|found| found != finalizer)
        && let Some(metadata) = object::metadata(&mut kept)
        && let Some(finalizers) = metadata
            .entry("finalizers")
            .or_insert_with(|| json!([]))
            .as_array_mut()
    {
        finalizers.push(json!(finalizer));
    }
    kept
}
