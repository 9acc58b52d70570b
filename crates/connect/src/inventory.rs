//! The workloads, namespaces, nodes and Services of a world.

mod reading;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use underpin_model::ObjectKey;

use crate::{
    addresses::AddressRange,
    index::LabelIndex,
    labels::{Labels, Selector, Tri},
    networks::{Membership, Networks},
    party::{Addresses, Node, Pod},
    policy::NamedPorts,
    profile::Profile,
    read::{NAME_LABEL, ServiceFields, SliceFields},
};

/// What of a world takes part in connections, policies aside.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    profile: Profile,
    namespaces: BTreeMap<String, Arc<Labels>>,
    /// Pods that no policy can tell apart are one.
    pub(crate) pods: Vec<Arc<Pod>>,
    /// Workloads, and pods without one, with their pods. Several where they differ.
    pub(crate) workloads: BTreeMap<Arc<ObjectKey>, Vec<u32>>,
    pub(crate) nodes: Vec<Arc<Node>>,
    pub(crate) services: BTreeMap<(String, String), ServiceFields>,
    slices: BTreeMap<(String, String), Vec<SliceFields>>,
    by_address: BTreeMap<IpAddr, Owned>,
    by_namespace: BTreeMap<String, OfNamespace>,
    /// The networks that pods may be on instead of the cluster's default one.
    pub(crate) primary: Networks,
    /// The networks that pods get their addresses from; none when they are not known.
    networks: Arc<[AddressRange]>,
}

/// A pod with the workload that it belongs to.
type Owned = (Arc<ObjectKey>, u32);

/// The pods of a namespace.
#[derive(Debug, Default)]
struct OfNamespace {
    pods: Vec<Owned>,
    /// Where in the list pods with a label are.
    index: LabelIndex,
}

impl Inventory {
    /// The labels of a namespace. One that is not declared has its name; whether it has more is
    /// not known.
    pub(crate) fn namespace_labels(&self, name: &str) -> Arc<Labels> {
        if let Some(labels) = self.namespaces.get(name) {
            return labels.clone();
        }
        Arc::new(Labels {
            known: BTreeMap::from([(NAME_LABEL.to_owned(), name.to_owned())]),
            open: self.profile == Profile::Documented,
            ..Labels::default()
        })
    }

    /// Pods that the world does not hold, taken for such that are not of the host network.
    pub(crate) fn unseen_pod(&self, namespace: &str, labels: Labels) -> Pod {
        let namespace_labels = self.namespace_labels(namespace);
        let network = self.primary.of(Some(namespace), &namespace_labels);
        Pod {
            namespace: Some(namespace.to_owned()),
            namespace_labels,
            labels,
            ports: NamedPorts {
                known: Vec::new(),
                open: true,
            },
            host_network: Tri::No,
            addresses: self.some_address(&network),
            node: None,
            network,
            opens_ports: false,
        }
    }

    /// Pods of which some labels are known, of a namespace of which some are.
    pub(crate) fn some_pod(
        &self,
        namespace: BTreeMap<String, String>,
        labels: BTreeMap<String, String>,
    ) -> Pod {
        let open = |known| Labels {
            known,
            open: true,
            ..Labels::default()
        };
        Pod {
            namespace_labels: Arc::new(open(namespace)),
            labels: open(labels),
            ports: NamedPorts {
                known: Vec::new(),
                open: true,
            },
            host_network: Tri::No,
            ..self.anybody()
        }
    }

    /// The namespaces of which anything is known.
    pub(crate) fn all_namespaces(&self) -> BTreeSet<&str> {
        let held = self.by_namespace.keys();
        let all = self.namespaces.keys().chain(held);
        all.map(String::as_str).collect()
    }

    /// Whether anything of a namespace is known.
    pub(crate) fn knows(&self, namespace: &str) -> bool {
        self.namespaces.contains_key(namespace) || self.by_namespace.contains_key(namespace)
    }

    /// Somebody of whom nothing is known: the pods of whatever controller serves Ingresses, or
    /// the API server, which may be a process of a node.
    pub(crate) fn anybody(&self) -> Pod {
        let unknown = self.profile == Profile::Documented;
        let labels = Labels {
            open: unknown,
            ..Labels::default()
        };
        Pod {
            namespace: None,
            namespace_labels: Arc::new(labels.clone()),
            labels,
            ports: NamedPorts::default(),
            host_network: if unknown { Tri::Maybe } else { Tri::No },
            addresses: Addresses::Unknown,
            node: None,
            network: self.primary.of(None, &Labels::default()),
            opens_ports: false,
        }
    }

    /// Some address out of the networks of pods. Pods on a network of their own have addresses of that.
    fn some_address(&self, network: &Membership) -> Addresses {
        if self.networks.is_empty() || *network != Membership::ClusterDefault {
            Addresses::Unknown
        } else {
            Addresses::Within(self.networks.clone())
        }
    }

    /// The workload with a pod of this address.
    pub(crate) fn with_address(&self, address: IpAddr) -> Option<(&ObjectKey, u32)> {
        let owned = self.by_address.get(&address.to_canonical())?;
        Some((&owned.0, owned.1))
    }

    /// The pods of a namespace with the workloads they belong to; then those that may be of any.
    pub(crate) fn of_namespace(&self, name: &str) -> impl Iterator<Item = (&ObjectKey, u32)> {
        let lists = [name, ""].map(|name| self.by_namespace.get(name));
        let pods = lists.into_iter().flatten().flat_map(|own| &own.pods);
        pods.map(|(key, id)| (&**key, *id))
    }

    /// Pods of a namespace among which are all that `selector` may select, with their workloads; those
    /// that may be of any namespace among them.
    pub(crate) fn candidates(
        &self,
        namespace: &str,
        selector: &Selector,
    ) -> impl Iterator<Item = (&ObjectKey, u32)> {
        let lists = [namespace, ""].map(|name| self.by_namespace.get(name));
        lists.into_iter().flatten().flat_map(|own| {
            let found = own.index.candidates(selector).into_iter();
            found.map(|at| {
                let (key, id) = &own.pods[at as usize];
                (&**key, *id)
            })
        })
    }

    pub(crate) fn slices(&self, namespace: &str, service: &str) -> &[SliceFields] {
        let id = (namespace.to_owned(), service.to_owned());
        self.slices.get(&id).map_or(&[], Vec::as_slice)
    }
}
