//! UserDefinedNetwork, ClusterUserDefinedNetwork and ClusterNetworkConnect of OVN-Kubernetes.

use std::sync::Arc;

use serde_json::Value;
use underpin_model::{Depth, FieldPath, GroupKind, Object};

use super::{
    network_policy,
    pods::labels_of,
    reader::{Reader, field},
};
use crate::{
    gap::Gap,
    labels::{Labels, Selector, Tri},
    policy::Namespaces,
    reason::Reason,
};

/// The API group of OVN-Kubernetes.
pub(super) const OVN_GROUP: &str = "k8s.ovn.org";
/// Networks of one namespace.
const NAMESPACED: &str = "UserDefinedNetwork";
/// Networks of the namespaces that they select.
const CLUSTER: &str = "ClusterUserDefinedNetwork";
/// The kinds of networks that pods may be on instead of the cluster's default one.
pub(super) const NETWORKS: [&str; 2] = [NAMESPACED, CLUSTER];
/// What leads from one network to another.
pub(super) const CONNECT: &str = "ClusterNetworkConnect";

/// The label, of any value, of a namespace whose pods are on a network of their own.
pub(crate) const PRIMARY_LABEL: &str = "k8s.ovn.org/primary-user-defined-network";

/// Whether objects of a kind are networks that pods may be on, or connect such.
pub fn is_network(kind: &GroupKind) -> bool {
    kind.group == OVN_GROUP && (NETWORKS.contains(&&*kind.kind) || kind.kind == CONNECT)
}

/// An object that decides which pods share a network.
#[derive(Debug)]
pub(crate) enum Network {
    Primary(PrimaryNetwork),
    Connect(NetworkConnect),
}

/// A network that is, or may be, the primary one of the pods of namespaces.
#[derive(Debug)]
pub(crate) struct PrimaryNetwork {
    /// As the world holds it.
    pub(crate) object: Arc<Object>,
    /// Where it says so.
    pub(crate) role: FieldPath,
    /// Its own namespace, or those that it selects.
    pub(crate) namespaces: Namespaces,
    /// Why it may not be theirs all the same.
    pub(crate) doubt: Option<Reason>,
}

/// What leads from some networks to others.
#[derive(Debug)]
pub(crate) struct NetworkConnect {
    pub(crate) object: Arc<Object>,
    selected: Vec<Selected>,
}

/// Networks that a [`NetworkConnect`] selects.
#[derive(Debug)]
enum Selected {
    /// By the labels of a ClusterUserDefinedNetwork.
    Cluster(Selector),
    /// By the labels of a namespace whose pods are on it.
    Of(Selector),
    /// It cannot be told which.
    Any,
}

/// The network that an object is; `None` for other kinds, and for a network that is no pod's primary one.
pub(crate) fn network(object: &Arc<Object>, reader: &mut Reader<'_>) -> Option<Network> {
    let kind = &object.key.kind;
    if !is_network(kind) {
        return None;
    }
    let (network, namespaces) = match &*kind.kind {
        NAMESPACED => (
            FieldPath::new("spec"),
            network_policy::namespace(object, reader),
        ),
        CLUSTER => (
            FieldPath::new("spec.network"),
            Namespaces::Selected(selected_namespaces(object, reader)),
        ),
        _ => return Some(Network::Connect(connect(object, reader))),
    };
    let (role, gap) = match role(object, &network, reader) {
        Ok(None) => return None,
        Ok(Some(role)) => (role, None),
        Err(gap) => (network, Some(gap)),
    };
    let gap = gap.or_else(|| reader.existence());
    let doubt = gap.map(|gap| gap.reason(&object.key));
    Some(Network::Primary(PrimaryNetwork {
        object: object.clone(),
        role,
        namespaces,
        doubt: doubt.or_else(|| rejected(object)),
    }))
}

fn selected_namespaces(object: &Object, reader: &mut Reader<'_>) -> Selector {
    let path = FieldPath::new("spec");
    let spec = object.at("/spec").unwrap_or(&Value::Null);
    if object.depth == Depth::Metadata {
        return Selector::unknown(Gap::Unreadable);
    }
    reader
        .selector(spec, &path, "namespaceSelector")
        .unwrap_or_else(|| {
            reader.defect(&path, "selects no namespaces: it has no namespaceSelector");
            Selector::unknown(Gap::Unreadable)
        })
}

/// Where a network says that it is a primary one; `None` where it is a secondary one. It says so under the
/// name of its topology, and one of the topology Localnet is never a primary one.
fn role(
    object: &Object,
    path: &FieldPath,
    reader: &mut Reader<'_>,
) -> Result<Option<FieldPath>, Gap> {
    if object.depth == Depth::Metadata {
        return Err(Gap::Unreadable);
    }
    let at = |pointer| object.at(pointer).unwrap_or(&Value::Null);
    let network = match reader.kind() {
        CLUSTER => at("/spec/network"),
        _ => at("/spec"),
    };
    let topology = word(network, path, "topology", reader)?;
    let part = match topology {
        "Layer2" => "layer2",
        "Layer3" => "layer3",
        "Localnet" => return Ok(None),
        _ => {
            let note = "is none of Layer2, Layer3 and Localnet";
            reader.defect(&path.key("topology"), note);
            return Err(Gap::Unreadable);
        }
    };
    let path = path.key(part);
    let settings = field(network, part).unwrap_or(&Value::Null);
    match word(settings, &path, "role", reader)? {
        "Primary" => Ok(Some(path.key("role"))),
        "Secondary" => Ok(None),
        _ => {
            reader.defect(&path.key("role"), "is neither Primary nor Secondary");
            Err(Gap::Unreadable)
        }
    }
}

/// A text that must be there; an empty one where something else is.
fn word<'v>(
    parent: &'v Value,
    path: &FieldPath,
    key: &str,
    reader: &Reader<'_>,
) -> Result<&'v str, Gap> {
    let value = field(parent, key).unwrap_or(&Value::Null);
    match reader.incomplete(value, &path.key(key)) {
        Some(gap) => Err(gap),
        None => Ok(value.as_str().unwrap_or_default()),
    }
}

/// Why a network is not in effect for all that it is meant for, by its own account.
fn rejected(object: &Object) -> Option<Reason> {
    let conditions = object.at("/status/conditions").and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    let is_so = |one: &Value| one["type"] == "NetworkCreated" && one["status"] == "False";
    conditions.any(is_so).then(|| {
        let key = &object.key;
        Reason::PrimaryNetwork(format!("{key} says of itself that it is not created"))
    })
}

fn connect(object: &Arc<Object>, reader: &mut Reader<'_>) -> NetworkConnect {
    let path = FieldPath::new("spec");
    let spec = object.at("/spec").unwrap_or(&Value::Null);
    let selected = match reader.list(spec, &path, "networkSelectors") {
        Ok(Some(selectors)) if object.depth == Depth::Full => {
            let path = path.key("networkSelectors");
            let each = selectors.iter().enumerate();
            each.map(|(at, one)| selected(one, &path.index(at), reader))
                .collect()
        }
        Ok(None) if object.depth == Depth::Full => Vec::new(),
        Ok(_) | Err(_) => vec![Selected::Any],
    };
    NetworkConnect {
        object: object.clone(),
        selected,
    }
}

fn selected(value: &Value, path: &FieldPath, reader: &mut Reader<'_>) -> Selected {
    let cluster = "clusterUserDefinedNetworkSelector";
    if let Some(part) = field(value, cluster) {
        let selector = reader.selector(part, &path.key(cluster), "networkSelector");
        return selector.map_or(Selected::Any, Selected::Cluster);
    }
    let namespaces = "primaryUserDefinedNetworkSelector";
    if let Some(part) = field(value, namespaces) {
        let selector = reader.selector(part, &path.key(namespaces), "namespaceSelector");
        return selector.map_or(Selected::Any, Selected::Of);
    }
    Selected::Any
}

impl PrimaryNetwork {
    /// Whether it is the primary network of the pods of a namespace that asks for one.
    pub(crate) fn is_of(&self, namespace: &str, labels: &Labels) -> Tri {
        let meant = match &self.namespaces {
            Namespaces::Named(own) => (own == namespace).into(),
            Namespaces::Selected(selector) => selector.matches(labels),
            Namespaces::Unknown(_) => Tri::Maybe,
        };
        if self.doubt.is_some() {
            meant.at_most_maybe()
        } else {
            meant
        }
    }

    /// Why it is not known whether it is theirs.
    pub(crate) fn why(&self, namespace: &str, labels: &Labels) -> Reason {
        let gap = match &self.namespaces {
            Namespaces::Unknown(gap) => Some(gap),
            Namespaces::Selected(selector) => selector.gap(),
            Namespaces::Named(_) => None,
        };
        let gap = gap.map(|gap| gap.reason(&self.object.key));
        gap.or_else(|| self.doubt.clone())
            .or_else(|| labels.why.as_deref().cloned())
            .unwrap_or_else(|| Reason::NamespaceLabels(namespace.to_owned()))
    }

    /// Whether it is of one namespace alone.
    pub(crate) fn is_namespaced(&self) -> bool {
        matches!(self.namespaces, Namespaces::Named(_))
    }
}

impl NetworkConnect {
    /// Whether it may select the network that pods of a namespace with these labels are on.
    pub(crate) fn may_select(&self, network: &PrimaryNetwork, namespace: &Labels) -> bool {
        let object = &network.object;
        let metadata = FieldPath::new("metadata");
        let labels = || labels_of(object, &metadata, object.at("/metadata"));
        self.selected.iter().any(|selected| match selected {
            Selected::Cluster(selector) => {
                !network.is_namespaced() && selector.matches(&labels()) != Tri::No
            }
            Selected::Of(selector) => selector.matches(namespace) != Tri::No,
            Selected::Any => true,
        })
    }
}
