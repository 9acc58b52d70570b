//! Objects as typed values. Nothing else in this crate knows a kind's fields.

mod cluster_policy;
mod network_policy;
mod node;
mod pods;
mod reader;
mod service;

pub(crate) use node::{node_addresses, pod_networks};
pub(crate) use pods::{PodFields, incomplete_owner, labels_of, pod_fields};
pub(crate) use reader::Reader;
pub(crate) use service::{
    Published, ServiceFields, ServicePort, SliceFields, TargetPort, operators, service, slice,
};

use underpin_model::{GroupKind, Object, World};

use crate::policy::Policy;

/// The label that every namespace has, with its name.
pub(crate) const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The kinds of policies.
const POLICY_KINDS: &[(&str, &str)] = &[
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
    ("policy.networking.k8s.io", "ClusterNetworkPolicy"),
];

/// Kinds that connections depend on beside policies and what bears pods.
const OTHER_KINDS: &[(&str, &str)] = &[
    ("", "Endpoints"),
    ("", "Namespace"),
    ("", "Node"),
    ("", "Service"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.k8s.io", "Ingress"),
];

/// Whether any policy limits connections in a world, as far as it could be read.
pub fn holds_policies(world: &World) -> bool {
    POLICY_KINDS.iter().any(|(group, kind)| {
        let kind = GroupKind::new(*group, *kind);
        world.of_kind(&kind).next().is_some()
    })
}

/// Whether objects of a kind can change who may connect to whom.
pub fn takes_part(kind: &GroupKind) -> bool {
    let group = underpin_model::canonical_group(&kind.group, &kind.kind);
    let mut named = POLICY_KINDS.iter().chain(OTHER_KINDS);
    underpin_refs::bears_pods(kind) || named.any(|(of, name)| *of == group && *name == kind.kind)
}

/// The policy that an object is; `None` for every other kind.
pub(crate) fn policy(object: &Object, reader: &mut Reader<'_>) -> Option<Policy> {
    let group = underpin_model::canonical_group(&object.key.kind.group, &object.key.kind.kind);
    match (group, object.key.kind.kind.as_str()) {
        ("networking.k8s.io", "NetworkPolicy") => Some(network_policy::read(object, reader)),
        ("policy.networking.k8s.io", "AdminNetworkPolicy") => {
            Some(cluster_policy::admin(object, reader))
        }
        ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy") => {
            Some(cluster_policy::baseline(object, reader))
        }
        ("policy.networking.k8s.io", "ClusterNetworkPolicy") => {
            Some(cluster_policy::cluster(object, reader))
        }
        _ => None,
    }
}
