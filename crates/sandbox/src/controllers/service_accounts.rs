//! Every namespace has a ServiceAccount `default`.
//!
//! Source: kube-controller-manager's service account controller.

use serde_json::json;
use underpin_model::GroupKind;

use super::{Controller, Delay, Writer, client, enqueue, namespace::key_of};
use crate::{State, lifecycle::Key, object, state::Change};

const NAME: &str = "default";

/// Asks for work for a new namespace, and when the account is deleted.
pub(super) fn observe(state: &mut State, change: &Change) {
    let namespace = if change.kind.is("", "Namespace") && change.before.is_none() {
        object::name(&change.object)
    } else if change.kind.is("", "ServiceAccount")
        && change.deleted
        && object::name(&change.object) == NAME
    {
        object::namespace(&change.object)
    } else {
        return;
    };
    let key = key_of(namespace);
    enqueue(state, Controller::ServiceAccounts, key, Delay::Reaction);
}

/// Makes the account if it is missing.
pub(super) fn run(state: &mut State, key: &Key) {
    let kind = GroupKind::core("ServiceAccount");
    if state.get(&kind, &key.name, NAME).is_some() || !client::is_active(state, &key.name) {
        return;
    }
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": NAME, "namespace": key.name},
    });
    drop(client::create(
        state,
        Writer::ControllerManager,
        &kind,
        account,
    ));
}
