//! A claim that a pod uses stays, by finalizer, until no pod does.
//!
//! Source: kube-controller-manager's PVC protection controller.

use super::{
    Controller, Delay, Writer, client, enqueue, pods, volume_protection::with_finalizer,
    volumes::claims,
};
use crate::{
    State,
    lifecycle::{Key, remove_finalizer},
    object,
    state::Change,
};

const FINALIZER: &str = "kubernetes.io/pvc-protection";

/// Asks for a look at a changed claim, and at those of a pod that is gone.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == claims() && !change.deleted {
        let has = object::finalizers(&change.object).any(|found| found == FINALIZER);
        // To be added when it stays, to be removed when it goes.
        if has == object::is_deleting(&change.object) {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::ClaimProtection, key, Delay::Reaction);
        }
    } else if change.kind == pods::pods() && change.deleted {
        for claim in pods::claims(&change.object) {
            let key = Key::new(claims(), object::namespace(&change.object), &claim);
            enqueue(state, Controller::ClaimProtection, key, Delay::Reaction);
        }
    }
}

/// Adds the finalizer to a claim that stays; takes it from one that goes, when nobody uses it.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(claim) = client::get(state, key) else {
        return;
    };
    if !object::is_deleting(&claim) {
        let kept = with_finalizer(&claim, FINALIZER);
        return client::update(state, Writer::ControllerManager, &key.kind, kept);
    }
    let used = client::list(state, &pods::pods(), &key.namespace)
        .iter()
        .any(|pod| !pods::node(pod).is_empty() && pods::claims(pod).contains(&key.name));
    if !used {
        let mut free = claim.as_ref().clone();
        remove_finalizer(&mut free, FINALIZER);
        client::update(state, Writer::ControllerManager, &key.kind, free);
    }
}
