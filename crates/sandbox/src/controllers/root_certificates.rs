//! Every namespace has a ConfigMap with the certificate of the cluster's authority.
//!
//! Source: kube-controller-manager's root CA certificate publisher.

use serde_json::json;
use underpin_model::GroupKind;

use super::{Controller, Delay, Writer, client, enqueue, namespace::key_of};
use crate::{State, lifecycle::Key, object, state::Change};

const NAME: &str = "kube-root-ca.crt";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver \
    when using internal endpoints such as the internal service IP or kubernetes.default.svc. No \
    other usage is guaranteed across distributions of Kubernetes clusters.";

/// Asks for work for a new namespace, and when the ConfigMap changes or goes.
pub(super) fn observe(state: &mut State, change: &Change) {
    let namespace = if change.kind.is("", "Namespace") && change.before.is_none() {
        object::name(&change.object)
    } else if change.kind.is("", "ConfigMap")
        && change.before.is_some()
        && object::name(&change.object) == NAME
    {
        object::namespace(&change.object)
    } else {
        return;
    };
    let key = key_of(namespace);
    enqueue(state, Controller::RootCertificates, key, Delay::Reaction);
}

/// Makes the ConfigMap, or restores it.
pub(super) fn run(state: &mut State, key: &Key) {
    if !client::is_active(state, &key.name) {
        return;
    }
    let kind = GroupKind::core("ConfigMap");
    let data = json!({"ca.crt": state.config.root_certificate});
    let Some(current) = state.get(&kind, &key.name, NAME).cloned() else {
        let fresh = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NAME,
                "namespace": key.name,
                "annotations": {"kubernetes.io/description": DESCRIPTION},
            },
            "data": data,
        });
        drop(client::create(
            state,
            Writer::ControllerManager,
            &kind,
            fresh,
        ));
        return;
    };
    if current.get("data") != Some(&data) {
        let mut restored = current.as_ref().clone();
        if let Some(root) = restored.as_object_mut() {
            root.insert("data".to_owned(), data);
        }
        client::update(state, Writer::ControllerManager, &kind, restored);
    }
}
