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
pub(crate) use service::{ServiceFields, ServicePort, SliceFields, TargetPort, service, slice};

use underpin_model::Object;

use crate::policy::Policy;

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
