//! What controllers need to know of volumes, claims and classes.

use std::sync::Arc;

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{Writer, client, owned, pods};
use crate::{State, lifecycle::Key, object};

/// On a claim or volume: the binder has done all there was to do.
pub(super) const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// On a claim or volume: the binder chose the other side, not the user.
pub(super) const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// On a claim: the node for which a volume is to be made.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// On a class: claims that name none get this one.
pub(super) const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
/// The provisioner that makes nothing.
pub(super) const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// PersistentVolumeClaims.
pub(super) fn claims() -> GroupKind {
    GroupKind::core("PersistentVolumeClaim")
}

/// PersistentVolumes.
pub(super) fn volumes() -> GroupKind {
    GroupKind::core("PersistentVolume")
}

/// StorageClasses.
pub(super) fn classes() -> GroupKind {
    GroupKind::new("storage.k8s.io", "StorageClass")
}

/// An annotation; empty if there is none.
pub(super) fn annotation<'v>(value: &'v Value, name: &str) -> &'v str {
    let annotations = owned::text_map(value.pointer("/metadata/annotations"));
    annotations.get(name).copied().unwrap_or_default()
}

/// Writes an annotation.
pub(super) fn annotate(value: &mut Value, name: &str, text: &str) {
    if let Some(metadata) = object::metadata(value) {
        object::child(metadata, "annotations").insert(name.to_owned(), json!(text));
    }
}

/// Whether a claim has its volume.
pub(super) fn is_bound(claim: &Value) -> bool {
    !annotation(claim, BIND_COMPLETED).is_empty()
}

/// The class of a claim or volume; empty if it wants none.
pub(super) fn class_name(value: &Value) -> &str {
    object::text(value, "/spec/storageClassName")
}

/// The class that claims get which name none: of several the youngest, then the first by name.
pub(super) fn default_class(state: &State) -> Option<Arc<Value>> {
    let mut found: Vec<Arc<Value>> = client::list_all(state, &classes())
        .into_iter()
        .filter(|class| annotation(class, DEFAULT_CLASS) == "true")
        .collect();
    let created = |class: &Value| object::text(class, "/metadata/creationTimestamp").to_owned();
    let youngest = found.iter().map(|class| created(class)).max()?;
    found.retain(|class| created(class) == youngest);
    found.into_iter().next()
}

/// Whether claims of a class wait for a pod that uses them.
pub(super) fn waits_for_consumer(state: &State, class: &str) -> bool {
    state
        .get(&classes(), "", class)
        .is_some_and(|class| object::text(class, "/volumeBindingMode") == "WaitForFirstConsumer")
}

/// Whether a claim may get a volume made for it now.
pub(super) fn may_provision(state: &State, claim: &Value) -> bool {
    let class = class_name(claim);
    let Some(found) = state.get(&classes(), "", class) else {
        return false;
    };
    object::text(found, "/provisioner") != NO_PROVISIONER
        && (!waits_for_consumer(state, class) || !annotation(claim, SELECTED_NODE).is_empty())
}

/// Why a pod's volumes keep it from any node, as the scheduler puts it.
pub(super) fn not_ready(state: &State, pod: &Value) -> Option<String> {
    for name in pods::claims(pod) {
        let found = state.get(&claims(), object::namespace(pod), &name);
        let Some(claim) = found else {
            return Some(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        if object::is_deleting(claim) {
            return Some(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
        if object::text(claim, "/status/phase") == "Lost" {
            let volume = object::text(claim, "/spec/volumeName");
            return Some(format!(
                "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \
                 \"{volume}\""
            ));
        }
        if !is_bound(claim) && !waits_for_consumer(state, class_name(claim)) {
            return Some("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
    }
    None
}

/// Asks for volumes near a node for those of a pod's claims that waited for a pod. Says whether
/// the pod has to wait for any.
pub(super) fn request(state: &mut State, pod: &Value, node: &str) -> bool {
    let mut waits = false;
    for name in pods::claims(pod) {
        let key = Key::new(claims(), object::namespace(pod), &name);
        let Some(claim) = client::get(state, &key).filter(|claim| !is_bound(claim)) else {
            continue;
        };
        waits = true;
        if annotation(&claim, SELECTED_NODE).is_empty() {
            let mut chosen = claim.as_ref().clone();
            annotate(&mut chosen, SELECTED_NODE, node);
            client::update(state, Writer::Scheduler, &claims(), chosen);
        }
    }
    waits
}

/// The claim that a volume refers to.
pub(super) fn claim_key(volume: &Value) -> Option<Key> {
    let reference = volume.pointer("/spec/claimRef")?;
    let text = |field: &str| object::text(reference, field);
    Some(Key::new(claims(), text("/namespace"), text("/name")))
}

/// Whether a volume is for a claim, or may become so: it names it, and not another of the name.
pub(super) fn is_for(volume: &Value, claim: &Value) -> bool {
    claim_key(volume) == Some(Key::of(&claims(), claim)) && {
        let uid = object::text(volume, "/spec/claimRef/uid");
        uid.is_empty() || uid == object::uid(claim)
    }
}

/// Writes the phase into a status, if it is another one.
pub(super) fn set_phase(state: &mut State, kind: &GroupKind, value: &Value, phase: &str) {
    if object::text(value, "/status/phase") == phase {
        return;
    }
    let mut changed = value.clone();
    if let Some(root) = changed.as_object_mut() {
        object::child(root, "status").insert("phase".to_owned(), json!(phase));
    }
    client::update_status(state, Writer::ControllerManager, kind, changed);
}
