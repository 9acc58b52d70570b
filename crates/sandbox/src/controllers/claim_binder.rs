//! The volume binder's half that looks at claims: finds each its volume, or has one made.
//!
//! Source: kube-controller-manager's persistent volume controller; Kubernetes documentation,
//! "Persistent Volumes".

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    Controller, Delay, Writer, client, enqueue, provisioner,
    volumes::{
        self, BIND_COMPLETED, BOUND_BY_CONTROLLER, annotate, claims, class_name, is_bound, is_for,
    },
};
use crate::{State, admission::Quantity, lifecycle::Key, object, state::Change};

/// Asks for a look at a changed claim, and at those that a changed volume or class may serve.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == claims() {
        if !change.deleted {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::ClaimBinder, key, Delay::Reaction);
        }
        return;
    }
    if change.kind != volumes::volumes() && change.kind != volumes::classes() {
        return;
    }
    if let Some(key) = volumes::claim_key(&change.object) {
        enqueue(state, Controller::ClaimBinder, key, Delay::Reaction);
    }
    let free = change.object.pointer("/spec/claimRef").is_none();
    if !change.deleted && free {
        for claim in client::list_all(state, &claims()) {
            if !is_bound(&claim) {
                let key = Key::of(&claims(), &claim);
                enqueue(state, Controller::ClaimBinder, key, Delay::Reaction);
            }
        }
    }
}

/// Brings a claim one step further.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(claim) = client::get(state, key) else {
        return;
    };
    if is_bound(&claim) {
        return check_bound(state, &claim);
    }
    if object::is_deleting(&claim) {
        return;
    }
    let wanted = object::text(&claim, "/spec/volumeName");
    if !wanted.is_empty() {
        let found = state.get(&volumes::volumes(), "", wanted).cloned();
        return match found {
            Some(volume) if volumes::claim_key(&volume).is_none() || is_for(&volume, &claim) => {
                bind(state, &claim, &volume);
            }
            _ => volumes::set_phase(state, &claims(), &claim, "Pending"),
        };
    }
    if claim.pointer("/spec/storageClassName").is_none()
        && let Some(class) = volumes::default_class(state)
    {
        let mut classed = claim.as_ref().clone();
        if let Some(root) = classed.as_object_mut() {
            let name = json!(object::name(&class));
            object::child(root, "spec").insert("storageClassName".to_owned(), name);
        }
        return client::update(state, Writer::ControllerManager, &claims(), classed);
    }
    match find(state, &claim) {
        Some(volume) => bind(state, &claim, &volume),
        None if volumes::may_provision(state, &claim) => provisioner::ask(state, &claim),
        None => volumes::set_phase(state, &claims(), &claim, "Pending"),
    }
}

/// The volume for a claim: one that names it, else the smallest free one that will do.
fn find(state: &State, claim: &Value) -> Option<Arc<Value>> {
    let all = client::list_all(state, &volumes::volumes());
    let named = all
        .iter()
        .find(|volume| is_for(volume, claim) && suits(volume, claim));
    if named.is_some() || volumes::waits_for_consumer(state, class_name(claim)) {
        return named.cloned();
    }
    let free = all.iter().filter(|volume| {
        volume.pointer("/spec/claimRef").is_none()
            && !object::is_deleting(volume)
            && matches!(
                object::text(volume, "/status/phase"),
                "" | "Pending" | "Available"
            )
            && selects(claim, volume)
            && suits(volume, claim)
    });
    free.min_by_key(|volume| (capacity(volume), object::name(volume).to_owned()))
        .cloned()
}

fn capacity(volume: &Value) -> i128 {
    amount(volume, "/spec/capacity/storage")
}

fn amount(value: &Value, pointer: &str) -> i128 {
    Quantity::parse(object::text(value, pointer)).map_or(0, Quantity::nano)
}

fn suits(volume: &Value, claim: &Value) -> bool {
    let modes = |value: &Value| -> Vec<String> {
        let list = value.pointer("/spec/accessModes").and_then(Value::as_array);
        let texts = list.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    let mode = |value: &Value| match object::text(value, "/spec/volumeMode") {
        "" => "Filesystem".to_owned(),
        mode => mode.to_owned(),
    };
    let offered = modes(volume);
    class_name(volume) == class_name(claim)
        && mode(volume) == mode(claim)
        && modes(claim).iter().all(|wanted| offered.contains(wanted))
        && capacity(volume) >= amount(claim, "/spec/resources/requests/storage")
}

/// Whether the claim's selector, if it has one, matches the volume.
fn selects(claim: &Value, volume: &Value) -> bool {
    let Some(selector) = claim.pointer("/spec/selector") else {
        return true;
    };
    underpin_model::LabelSelector::from_structured(selector)
        .is_some_and(|selector| selector.matches(&super::owned::labels(volume)))
}

fn bind(state: &mut State, claim: &Value, volume: &Value) {
    let uid = object::uid(claim);
    if object::text(volume, "/spec/claimRef/uid") != uid {
        let mut taken = volume.clone();
        if volume.pointer("/spec/claimRef").is_none() {
            annotate(&mut taken, BOUND_BY_CONTROLLER, "yes");
        }
        if let Some(root) = taken.as_object_mut() {
            let reference = object::child(object::child(root, "spec"), "claimRef");
            for (field, value) in [
                ("apiVersion", "v1"),
                ("kind", "PersistentVolumeClaim"),
                ("name", object::name(claim)),
                ("namespace", object::namespace(claim)),
                ("resourceVersion", object::resource_version(claim)),
                ("uid", uid),
            ] {
                reference.insert(field.to_owned(), json!(value));
            }
        }
        client::update(state, Writer::ControllerManager, &volumes::volumes(), taken);
    }
    let volume_key = Key::of(&volumes::volumes(), volume);
    if let Some(volume) = client::get(state, &volume_key) {
        volumes::set_phase(state, &volumes::volumes(), &volume, "Bound");
    }
    let mut bound = claim.clone();
    annotate(&mut bound, BIND_COMPLETED, "yes");
    if object::text(claim, "/spec/volumeName").is_empty() {
        annotate(&mut bound, BOUND_BY_CONTROLLER, "yes");
        if let Some(root) = bound.as_object_mut() {
            let name = json!(object::name(volume));
            object::child(root, "spec").insert("volumeName".to_owned(), name);
        }
    }
    client::update(state, Writer::ControllerManager, &claims(), bound);
    write_status(state, &Key::of(&claims(), claim), volume);
}

fn write_status(state: &mut State, key: &Key, volume: &Value) {
    let Some(claim) = client::get(state, key) else {
        return;
    };
    let mut changed = claim.as_ref().clone();
    if let Some(root) = changed.as_object_mut() {
        let status = object::child(root, "status");
        status.insert("phase".to_owned(), json!("Bound"));
        for field in ["accessModes", "capacity"] {
            if let Some(value) = volume.pointer(&format!("/spec/{field}")) {
                status.insert(field.to_owned(), value.clone());
            }
        }
    }
    client::update_status(state, Writer::ControllerManager, &claims(), changed);
}

/// A claim whose volume is gone, or another's, has lost it.
fn check_bound(state: &mut State, claim: &Arc<Value>) {
    let name = object::text(claim, "/spec/volumeName");
    let volume = state.get(&volumes::volumes(), "", name).cloned();
    match volume {
        Some(volume) if volumes::claim_key(&volume).is_none() || is_for(&volume, claim) => {
            bind(state, claim, &volume);
        }
        _ => volumes::set_phase(state, &claims(), claim, "Lost"),
    }
}
