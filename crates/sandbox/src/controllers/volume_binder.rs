//! The volume binder's half that looks at volumes: whose they are, and what becomes of them when
//! their claim is gone (the reclaim policy).
//!
//! Source: kube-controller-manager's persistent volume controller; Kubernetes documentation,
//! "Persistent Volumes", "Reclaiming".

use serde_json::Value;

use super::{
    Controller, Delay, Writer, client, enqueue,
    volumes::{self, BOUND_BY_CONTROLLER, annotation, claims, volumes as kind},
};
use crate::{State, lifecycle::Key, object, state::Change};

/// Asks for a look at a changed volume, and at that of a changed claim.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == kind() {
        if !change.deleted {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::VolumeBinder, key, Delay::Reaction);
        }
    } else if change.kind == claims() {
        let name = object::text(&change.object, "/spec/volumeName");
        if !name.is_empty() {
            let key = Key::new(kind(), "", name);
            enqueue(state, Controller::VolumeBinder, key, Delay::Reaction);
        }
    }
}

/// Brings a volume's phase up to date.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(volume) = client::get(state, key) else {
        return;
    };
    let Some(claim_key) = volumes::claim_key(&volume) else {
        return volumes::set_phase(state, &kind(), &volume, "Available");
    };
    let uid = object::text(&volume, "/spec/claimRef/uid");
    if uid.is_empty() {
        // Kept for a claim of the name, whichever comes.
        enqueue(state, Controller::ClaimBinder, claim_key, Delay::Reaction);
        return volumes::set_phase(state, &kind(), &volume, "Available");
    }
    let claim = client::get(state, &claim_key).filter(|claim| object::uid(claim) == uid);
    match claim {
        None => release(state, key, &volume),
        Some(claim) => {
            let chosen = object::text(&claim, "/spec/volumeName");
            if chosen == key.name {
                volumes::set_phase(state, &kind(), &volume, "Bound");
            } else if chosen.is_empty() {
                enqueue(state, Controller::ClaimBinder, claim_key, Delay::Reaction);
            } else {
                give_up(state, key, &volume);
            }
        }
    }
}

/// The claim is gone for good.
fn release(state: &mut State, key: &Key, volume: &Value) {
    volumes::set_phase(state, &kind(), volume, "Released");
    if policy(volume) != "Retain" && !object::is_deleting(volume) {
        enqueue(state, Controller::Reclaimer, key.clone(), Delay::Provision);
    }
}

/// The claim chose another volume.
fn give_up(state: &mut State, key: &Key, volume: &Value) {
    if policy(volume) == "Delete" && annotation(volume, BOUND_BY_CONTROLLER).is_empty() {
        return release(state, key, volume);
    }
    client::update(state, Writer::ControllerManager, &kind(), unclaimed(volume));
}

fn policy(volume: &Value) -> &str {
    match object::text(volume, "/spec/persistentVolumeReclaimPolicy") {
        "" => "Retain",
        policy => policy,
    }
}

/// The volume, free for any claim if the binder chose the old one; else kept for its name.
fn unclaimed(volume: &Value) -> Value {
    let mut free = volume.clone();
    let chosen_here = !annotation(volume, BOUND_BY_CONTROLLER).is_empty();
    if let Some(spec) = free.get_mut("spec").and_then(Value::as_object_mut) {
        if chosen_here {
            spec.remove("claimRef");
        } else if let Some(reference) = spec.get_mut("claimRef").and_then(Value::as_object_mut) {
            reference.remove("uid");
        }
    }
    if chosen_here && let Some(metadata) = object::metadata(&mut free) {
        object::child(metadata, "annotations").remove(BOUND_BY_CONTROLLER);
    }
    free
}

/// Deletes or recycles a volume that is still without its claim.
pub(super) fn reclaim(state: &mut State, key: &Key) {
    let Some(volume) = client::get(state, key) else {
        return;
    };
    let uid = object::text(&volume, "/spec/claimRef/uid");
    let claim = volumes::claim_key(&volume).and_then(|key| client::get(state, &key));
    let claimed = claim.is_some_and(|claim| object::uid(&claim) == uid);
    if uid.is_empty() || claimed || object::text(&volume, "/status/phase") != "Released" {
        return;
    }
    match policy(&volume) {
        "Delete" => client::delete(state, key, object::uid(&volume), None, None),
        "Recycle" => {
            let mut free = volume.as_ref().clone();
            if let Some(spec) = free.get_mut("spec").and_then(Value::as_object_mut) {
                spec.remove("claimRef");
            }
            client::update(state, Writer::ControllerManager, &kind(), free);
        }
        _ => {}
    }
}
