//! ClusterRoles that gather the rules of others follow them.
//!
//! Source: kube-controller-manager's cluster role aggregation controller.

use underpin_model::GroupKind;

use super::{Controller, Delay, enqueue};
use crate::{State, access, lifecycle::Key, state::Change};

/// Asks for a round when a role changes.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind.is("rbac.authorization.k8s.io", "ClusterRole") {
        let kind = GroupKind::new("rbac.authorization.k8s.io", "ClusterRole");
        let all = Key::new(kind, "", "");
        enqueue(state, Controller::RoleAggregation, all, Delay::Reaction);
    }
}

/// Brings all of them up to date.
pub(super) fn run(state: &mut State) {
    access::aggregate(state);
}
