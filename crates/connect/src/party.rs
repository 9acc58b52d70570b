//! The two ends of a connection, as policies see them.

use std::{net::IpAddr, sync::Arc};

use crate::{
    addresses::{AddressRange, AddressSet, Coverage},
    labels::{Labels, Tri},
    networks::Membership,
    policy::NamedPorts,
};

/// One end of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Party {
    Pod(Arc<Pod>),
    /// Addresses outside of the cluster.
    Range(AddressRange),
    Node(Arc<Node>),
    /// A host outside of the cluster, by its name.
    Name(String),
}

/// A pod, or all pods that no policy can tell apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pod {
    /// Its namespace; absent where that is not known.
    pub(crate) namespace: Option<String>,
    pub(crate) namespace_labels: Arc<Labels>,
    pub(crate) labels: Labels,
    pub(crate) ports: NamedPorts,
    pub(crate) host_network: Tri,
    pub(crate) addresses: Addresses,
    /// The node it runs on, where that is known and stays.
    pub(crate) node: Option<String>,
    /// The network that is its primary one.
    pub(crate) network: Membership,
    /// Whether it asks that ports of its own be reached on the cluster's default network, too.
    pub(crate) opens_ports: bool,
}

/// What is known of a pod's addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Addresses {
    Known(Vec<IpAddr>),
    /// Some out of these networks.
    Within(Arc<[AddressRange]>),
    Unknown,
}

/// A node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Addresses {
    /// Whether traffic of a pod with these addresses is traffic of `set`.
    pub(crate) fn within(&self, set: &AddressSet) -> Tri {
        match self {
            Self::Known(addresses) => {
                let ranges = addresses.iter().copied().map(AddressRange::single);
                covered(set, ranges)
            }
            Self::Within(networks) => covered(set, networks.iter().copied()),
            Self::Unknown => Tri::Maybe,
        }
    }
}

/// Whether all, some or none of `ranges` are inside of `set`.
pub(crate) fn covered(set: &AddressSet, ranges: impl Iterator<Item = AddressRange>) -> Tri {
    let mut answer = None;
    for range in ranges {
        let one = match set.coverage(&range) {
            Coverage::Inside => Tri::Yes,
            Coverage::Partly => return Tri::Maybe,
            Coverage::Outside => Tri::No,
        };
        if answer.is_some_and(|answer| answer != one) {
            return Tri::Maybe;
        }
        answer = Some(one);
    }
    answer.unwrap_or(Tri::Maybe)
}
