//! Volumes made on demand, whatever provisioner a class names, but the one that makes nothing.

use serde_json::{Value, json};

use super::{
    Controller, Delay, Writer, client, enqueue,
    volumes::{self, annotate, annotation, claims, class_name, is_bound},
};
use crate::{State, lifecycle::Key, object, state::Change};

/// On a claim: who is to make its volume.
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same under its older name.
const PROVISIONER_BETA: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// On a volume: who made it.
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// Asks for a volume when a claim says who is to make it.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == claims()
        && !change.deleted
        && !is_bound(&change.object)
        && !annotation(&change.object, PROVISIONER).is_empty()
    {
        let key = Key::of(&change.kind, &change.object);
        enqueue(state, Controller::Provisioner, key, Delay::Provision);
    }
}

/// Writes into a claim who is to make its volume.
pub(super) fn ask(state: &mut State, claim: &Value) {
    let Some(class) = state
        .get(&volumes::classes(), "", class_name(claim))
        .cloned()
    else {
        return;
    };
    let provisioner = object::text(&class, "/provisioner");
    let mut asked = claim.clone();
    annotate(&mut asked, PROVISIONER, provisioner);
    annotate(&mut asked, PROVISIONER_BETA, provisioner);
    client::update(state, Writer::ControllerManager, &claims(), asked);
    let key = Key::of(&claims(), claim);
    if let Some(claim) = client::get(state, &key) {
        volumes::set_phase(state, &claims(), &claim, "Pending");
    }
}

/// Makes the volume.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(claim) = client::get(state, key) else {
        return;
    };
    let class = state
        .get(&volumes::classes(), "", class_name(&claim))
        .cloned();
    let Some(class) = class else {
        return;
    };
    if is_bound(&claim) || object::is_deleting(&claim) || !volumes::may_provision(state, &claim) {
        return;
    }
    let provisioner = object::text(&class, "/provisioner");
    let name = format!("pvc-{}", object::uid(&claim));
    let policy = match object::text(&class, "/reclaimPolicy") {
        "" => "Delete",
        policy => policy,
    };
    let mut spec = json!({
        "accessModes": claim.pointer("/spec/accessModes"),
        "capacity": {"storage": claim.pointer("/spec/resources/requests/storage")},
        "claimRef": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "name": object::name(&claim),
            "namespace": object::namespace(&claim),
            "resourceVersion": object::resource_version(&claim),
            "uid": object::uid(&claim),
        },
        "csi": {"driver": provisioner, "volumeHandle": name},
        "persistentVolumeReclaimPolicy": policy,
        "storageClassName": object::name(&class),
    });
    if let Some(mode) = claim.pointer("/spec/volumeMode") {
        spec["volumeMode"] = mode.clone();
    }
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: provisioner}},
        "spec": spec,
    });
    // A volume of the name is this one, made before.
    drop(client::create(
        state,
        Writer::ControllerManager,
        &volumes::volumes(),
        volume,
    ));
}
