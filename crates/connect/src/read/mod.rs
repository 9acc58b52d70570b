//! Objects as typed values. Nothing else in this crate knows a kind's fields.

mod cluster_policy;
mod kinds;
mod network;
mod network_policy;
mod node;
mod pods;
mod reader;
mod service;

pub use kinds::{
    holds_policies, is_policy, may_limit, takes_part, unread_networks, unread_pods, unread_policies,
};
pub(crate) use kinds::{policy, unread_connects, unread_of};
pub use network::is_network;
pub(crate) use network::{Network, NetworkConnect, PRIMARY_LABEL, PrimaryNetwork, network};
pub(crate) use node::{node_addresses, pod_networks};
pub(crate) use pods::{PodFields, incomplete_owner, labels_of, pod_addresses, pod_fields};
pub(crate) use reader::Reader;
pub(crate) use service::{
    Published, ServiceFields, ServicePort, SliceFields, TargetPort, operators, service, slice,
};

/// The label that every namespace has, with its name.
pub(crate) const NAME_LABEL: &str = "kubernetes.io/metadata.name";
