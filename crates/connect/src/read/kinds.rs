//! The kinds that connections depend on: one table of the kinds of policies, and who reads each.

use std::sync::Arc;

use underpin_model::{BUILTIN_KINDS, GroupKind, Object, Unread, World, canonical_group};
use underpin_refs::bears_pods;

use super::{
    PRIMARY_LABEL, Reader, cluster_policy, is_network,
    network::{CONNECT, NETWORKS, OVN_GROUP},
    network_policy,
};
use crate::policy::{Policy, Tier};

/// The API group of the cluster-wide policies.
const CLUSTER_GROUP: &str = "policy.networking.k8s.io";

/// A kind of policies.
struct PolicyKind {
    group: &'static str,
    kind: &'static str,
    /// The tiers that its policies may be of.
    tiers: &'static [Tier],
    read: fn(&Arc<Object>, &mut Reader<'_>) -> Policy,
}

/// The kinds of policies, each under the group that it is known by: old servers have it in another, too.
const POLICIES: &[PolicyKind] = &[
    PolicyKind {
        group: "networking.k8s.io",
        kind: "NetworkPolicy",
        tiers: &[Tier::Network],
        read: network_policy::read,
    },
    PolicyKind {
        group: CLUSTER_GROUP,
        kind: "AdminNetworkPolicy",
        tiers: &[Tier::Admin],
        read: cluster_policy::admin,
    },
    PolicyKind {
        group: CLUSTER_GROUP,
        kind: "BaselineAdminNetworkPolicy",
        tiers: &[Tier::Baseline],
        read: cluster_policy::baseline,
    },
    PolicyKind {
        group: CLUSTER_GROUP,
        kind: "ClusterNetworkPolicy",
        tiers: &[Tier::Admin, Tier::Baseline],
        read: cluster_policy::cluster,
    },
];

/// Kinds that connections depend on beside policies and what bears pods.
const OTHERS: &[(&str, &str)] = &[
    ("", "Endpoints"),
    ("", "Namespace"),
    ("", "Node"),
    ("", "Service"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.k8s.io", "Ingress"),
];

fn policy_kind(kind: &GroupKind) -> Option<&'static PolicyKind> {
    let group = canonical_group(&kind.group, &kind.kind);
    let mut kinds = POLICIES.iter();
    kinds.find(|one| one.kind == kind.kind && one.group == group)
}

/// Whether objects of a kind are policies.
pub fn is_policy(kind: &GroupKind) -> bool {
    policy_kind(kind).is_some()
}

/// Whether any policy limits connections in a world, as far as it could be read.
pub fn holds_policies(world: &World) -> bool {
    world.objects().any(|object| is_policy(&object.key.kind))
}

/// Whether objects of a kind can change who may connect to whom.
pub fn takes_part(kind: &GroupKind) -> bool {
    let group = canonical_group(&kind.group, &kind.kind);
    is_policy(kind) || is_network(kind) || bears_pods(kind) || OTHERS.contains(&(group, &kind.kind))
}

/// The first reason why policies about the pods of a namespace may be missing from a world; about those
/// of any, without one.
pub fn unread_policies<'w>(world: &'w World, namespace: Option<&str>) -> Option<&'w Unread> {
    let network = unread_of(world, Tier::Network, namespace);
    network
        .or_else(|| unread_of(world, Tier::Admin, None))
        .or_else(|| unread_of(world, Tier::Baseline, None))
}

/// Whether anything limits connections in a world, or may: policies, networks that pods are on instead of
/// the cluster's default one, or what of both could not be read.
pub fn may_limit(world: &World) -> bool {
    let is_labelled = |object: &Object| object.labels().contains_key(PRIMARY_LABEL);
    holds_policies(world)
        || world.objects().any(|object| is_network(&object.key.kind))
        || world
            .of_kind(&GroupKind::core("Namespace"))
            .any(is_labelled)
        || unread_policies(world, None).is_some()
        || unread_networks(world, None).is_some()
}

/// The first reason why networks that the pods of a namespace may be on are missing from a world; those of
/// any, without one.
pub fn unread_networks<'w>(world: &'w World, namespace: Option<&str>) -> Option<&'w Unread> {
    let mut kinds = NETWORKS.iter().map(|kind| GroupKind::new(OVN_GROUP, *kind));
    kinds.find_map(|kind| world.unread(&kind, namespace))
}

/// Why what connects networks with each other may be missing from a world.
pub(crate) fn unread_connects(world: &World) -> Option<&Unread> {
    world.unread(&GroupKind::new(OVN_GROUP, CONNECT), None)
}

/// The first reason why what bears pods in a namespace may be missing from a world; in any, without one.
pub fn unread_pods<'w>(world: &'w World, namespace: Option<&str>) -> Option<&'w Unread> {
    let mut kinds = BUILTIN_KINDS
        .iter()
        .map(|row| GroupKind::new(row.group, row.kind))
        .filter(bears_pods);
    kinds.find_map(|kind| world.unread(&kind, namespace))
}

/// The first reason why policies of a tier may be missing from a world.
pub(crate) fn unread_of<'w>(
    world: &'w World,
    tier: Tier,
    namespace: Option<&str>,
) -> Option<&'w Unread> {
    let kinds = POLICIES.iter().filter(|kind| kind.tiers.contains(&tier));
    let mut kinds = kinds.map(|kind| GroupKind::new(kind.group, kind.kind));
    kinds.find_map(|kind| world.unread(&kind, namespace))
}

/// The policy that an object is; `None` for every other kind.
pub(crate) fn policy(object: &Arc<Object>, reader: &mut Reader<'_>) -> Option<Policy> {
    let kind = policy_kind(&object.key.kind)?;
    Some((kind.read)(object, reader))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    /// As the reader takes it for a policy, so does whoever asks whether there is any.
    #[test]
    fn a_policy_of_the_old_group_is_one() {
        let mut world = World::default();
        assert!(!holds_policies(&world));
        let policy = json!({
            "apiVersion": "extensions/v1beta1", "kind": "NetworkPolicy",
            "metadata": {"name": "deny", "namespace": "db"},
            "spec": {"podSelector": {}},
        });
        let policy = Object::from_value(policy, Depth::Full, Origin::Live).expect("an object");
        assert!(takes_part(&policy.key.kind));
        world.insert(policy);
        assert!(holds_policies(&world));
    }
}
