//! Whether an object counts as occupying its namespace.

use serde_json::Value;
use underpin_model::{ClaimIndex, Depth, GroupKind, Object, ObjectKey, World, canonical_group};

/// Why an object does not count as occupying its namespace. When in doubt it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It occupies its namespace.
    Counts,
    /// Made by Kubernetes or the platform in every namespace; the text says by what.
    Ambient(&'static str),
    /// Made from another object of the world, counted through it, and gone with it.
    Derived(&'static str),
}

const TOKEN_TYPE: &str = "kubernetes.io/service-account-token";
const TOKEN_ACCOUNT: &str = "kubernetes.io/service-account.name";

/// ConfigMaps that are put into every namespace.
const AMBIENT_CONFIG_MAPS: &[(&str, &str)] = &[
    ("kube-root-ca.crt", "certificate authority of the cluster"),
    (
        "openshift-service-ca.crt",
        "certificate authority of OpenShift's services",
    ),
    ("istio-ca-root-cert", "certificate authority of Istio"),
    ("istio-ca-crl", "revocation list of Istio"),
    (
        "linkerd-identity-trust-roots",
        "certificate authority of Linkerd",
    ),
];

/// Whether `object` occupies its namespace. Reads the world for the Service of an Endpoints object
/// and for owners.
/// `claims` indexes the world's claims.
pub fn presence(object: &Object, world: &World, claims: &ClaimIndex) -> Presence {
    ambient(object, world, claims).map_or_else(
        || derived(object, world).map_or(Presence::Counts, Presence::Derived),
        Presence::Ambient,
    )
}

fn ambient(object: &Object, world: &World, claims: &ClaimIndex) -> Option<&'static str> {
    let kind = &object.key.kind;
    let name = object.key.name.as_str();
    match (canonical_group(&kind.group, &kind.kind), kind.kind.as_str()) {
        ("", "ConfigMap") => AMBIENT_CONFIG_MAPS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, why)| *why),
        ("", "ServiceAccount") => {
            (name == "default").then_some("the default ServiceAccount of every namespace")
        }
        ("", "Secret") => {
            (is_token_of(object, "default")).then_some("token of the default ServiceAccount")
        }
        ("", "Event") => Some("a record of what happened"),
        ("metrics.k8s.io", _) => Some("a measurement"),
        ("coordination.k8s.io", "Lease") => {
            is_lease_of_nobody(object, world, claims).then_some("a lease that nobody holds")
        }
        _ => None,
    }
}

fn derived(object: &Object, world: &World) -> Option<&'static str> {
    let kind = &object.key.kind;
    let by_kind = match (canonical_group(&kind.group, &kind.kind), kind.kind.as_str()) {
        ("", "Endpoints") => exists_beside(object, "Service", &object.key.name, world)
            .then_some("endpoints of a Service"),
        ("discovery.k8s.io", "EndpointSlice") => object
            .label("kubernetes.io/service-name")
            .is_some_and(|service| exists_beside(object, "Service", service, world))
            .then_some("endpoints of a Service"),
        ("", "Secret") => object
            .annotation(TOKEN_ACCOUNT)
            .is_some_and(|account| {
                is_token_of(object, account)
                    && exists_beside(object, "ServiceAccount", account, world)
            })
            .then_some("token of a ServiceAccount"),
        ("cilium.io", "CiliumEndpoint") => exists_beside(object, "Pod", &object.key.name, world)
            .then_some("network endpoint of a Pod"),
        _ => None,
    };
    by_kind.or_else(|| by_controller(object, world))
}

/// Whether a Secret is a token that the control plane made for an account. Where only metadata
/// was read, the name that it gives must do for the type.
fn is_token_of(object: &Object, account: &str) -> bool {
    let named = object
        .key
        .name
        .strip_prefix(account)
        .is_some_and(|rest| rest.starts_with("-token-"));
    let typed = object.depth == Depth::Metadata || object.text("/type") == Some(TOKEN_TYPE);
    named && typed && object.annotation(TOKEN_ACCOUNT) == Some(account)
}

/// A lease without holder. Who only read its metadata cannot tell, and the lease counts.
fn is_lease_of_nobody(object: &Object, world: &World, claims: &ClaimIndex) -> bool {
    if object.depth == Depth::Metadata || !object.owner_references().is_empty() {
        return false;
    }
    let claimed = crate::tool_owner(object).is_claimed()
        || claims.owners(&world.claims, object).next().is_some();
    let holder = object.at("/spec/holderIdentity").and_then(Value::as_str);
    !claimed && holder.unwrap_or_default().is_empty()
}

fn exists_beside(object: &Object, kind: &str, name: &str, world: &World) -> bool {
    let key = ObjectKey {
        kind: GroupKind::core(kind),
        namespace: object.key.namespace.clone(),
        name: name.to_owned(),
    };
    world.get(&key).is_some()
}

/// Whether the managing controller's object exists. A claim to storage counts for its data, unless
/// it belongs to one Pod and goes with it by intent.
fn by_controller(object: &Object, world: &World) -> Option<&'static str> {
    let owner = object
        .owner_references()
        .into_iter()
        .find(|owner| owner.controller)?;
    let holds_data = object.key.kind.is("", "PersistentVolumeClaim");
    if holds_data && !owner.kind.is("", "Pod") {
        return None;
    }
    let group = canonical_group(&owner.kind.group, &owner.kind.kind);
    let kind = GroupKind::new(group, owner.kind.kind.as_str());
    let beside = ObjectKey {
        namespace: object.key.namespace.clone(),
        kind: kind.clone(),
        name: owner.name.clone(),
    };
    let cluster = ObjectKey::cluster(kind, owner.name);
    let found = world.get(&beside).or_else(|| world.get(&cluster))?;
    let same = found.uid().is_none_or(|uid| uid == owner.uid);
    same.then_some("made and removed by the controller of its owner")
}
