//! Networks of OVN-Kubernetes that pods are on instead of the cluster's default one, and what they keep
//! apart before any policy is asked.
//!
//! As its documents say ("User Defined Networks" among its features; OKEP-5193 and OKEP-5224):
//!
//! - A namespace that carries the label `k8s.ovn.org/primary-user-defined-network` has its pods on the
//!   one UserDefinedNetwork in it, or the one ClusterUserDefinedNetwork that selects it, whose role is
//!   Primary. Without the label its pods are on the default network, whatever networks there are.
//! - With the label and without a network, no pod is created until there is one. A namespace has one
//!   primary network at most: with several, pods fail to be created until that is mended.
//! - Pods reach, over their primary network, the pods on the same one and what is outside of the cluster.
//!   NetworkPolicies count within it, and cannot lead out of it.
//! - On the default network such a pod is reached by the kubelet of its node alone, and on the ports that its
//!   annotation `k8s.ovn.org/open-default-ports` names.
//! - A Service is reached from the network of its namespace. The API server and the cluster's DNS are
//!   reached from all; nodes' ports and load balancers lead to every network.
//! - A ClusterNetworkConnect leads from some networks to others.
//! - A network of role Secondary changes nothing of this.
//!
//! What they leave open is unknown here: pods of the host network, nodes beside kubelets, and whether a
//! connection of networks is in effect.

use std::{collections::BTreeMap, sync::Arc};

use underpin_model::World;

use crate::{
    labels::{Labels, Tri},
    party::{Party, Pod},
    policy::Direction,
    profile::Profile,
    read::{
        Network, NetworkConnect, PRIMARY_LABEL, PrimaryNetwork, unread_connects, unread_networks,
    },
    reason::Reason,
};

/// Services on the default network that are reached from every network, as OVN-Kubernetes
/// (`--udn-allowed-default-services`) and OpenShift set it: the API server and the cluster's DNS.
const REACHED_FROM_ALL: [(&str, &str); 3] = [
    ("default", "kubernetes"),
    ("kube-system", "kube-dns"),
    ("openshift-dns", "dns-default"),
];

/// The network that a pod's connections take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Membership {
    /// The one that all pods of a cluster are on by default.
    ClusterDefault,
    /// One of [`Networks`].
    On(u32),
    /// That is not known.
    Unknown(Arc<Reason>),
}

impl Membership {
    /// Whether it may be another than the cluster's default one.
    pub(crate) fn is_special(&self) -> bool {
        *self != Self::ClusterDefault
    }
}

/// How a connection comes to its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the pod's address.
    Straight,
    /// By an address of a Service, which is one of the network that its namespace is on.
    Service,
    /// By what leads there from every network.
    EveryNetwork,
}

impl Way {
    /// By a Service. A headless one is but a name for its pods' addresses.
    pub(crate) fn by_service(namespace: &str, name: &str, headless: bool) -> Self {
        if REACHED_FROM_ALL.contains(&(namespace, name)) {
            Self::EveryNetwork
        } else if headless {
            Self::Straight
        } else {
            Self::Service
        }
    }
}

/// Whether the network that a pod is on keeps it from another end.
#[derive(Debug)]
pub(crate) enum Isolation<'a> {
    /// It does not: policies decide.
    No,
    /// It does.
    Yes,
    /// That is not known.
    Maybe(Doubt<'a>),
}

/// Why it is not known whether a network keeps two ends apart.
#[derive(Debug)]
pub(crate) enum Doubt<'a> {
    /// On which network one of them is.
    Membership(&'a Reason),
    /// A pod of the host network is one of them.
    HostNetwork,
    /// A node is the other.
    Node,
    /// The pod opens ports on the default network.
    OpensPorts,
    /// This may connect the two networks.
    Connected(&'a NetworkConnect),
    /// What connects networks could not be read.
    ConnectsUnread(&'a str),
}

impl Isolation<'_> {
    pub(crate) fn certainty(&self) -> Tri {
        match self {
            Self::No => Tri::No,
            Self::Yes => Tri::Yes,
            Self::Maybe(_) => Tri::Maybe,
        }
    }
}

/// The networks of a world that pods may be on.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    primary: Vec<PrimaryNetwork>,
    connects: Vec<NetworkConnect>,
    /// Whether any pod may be on another network than the cluster's default one.
    in_play: bool,
    /// Why networks may be missing: anywhere, and in namespaces of which anything is known.
    unread: Option<String>,
    unread_in: BTreeMap<String, Option<String>>,
    connects_unread: Option<String>,
}

impl Networks {
    /// These networks, and what connects them.
    pub(crate) fn new(all: Vec<Network>) -> Self {
        let mut networks = Self::default();
        for one in all {
            match one {
                Network::Primary(network) => networks.primary.push(network),
                Network::Connect(connect) => networks.connects.push(connect),
            }
        }
        networks
    }

    /// Takes in which namespaces ask for a network of their own, and what could not be read of them.
    pub(crate) fn note_namespaces<'a>(
        &mut self,
        world: &World,
        mut namespaces: impl Iterator<Item = (&'a str, &'a Labels)>,
    ) {
        let told = |namespace| unread_networks(world, namespace).map(ToString::to_string);
        self.unread = told(None);
        self.connects_unread = unread_connects(world).map(ToString::to_string);
        if self.unread.is_some() {
            let held = world.objects().filter_map(|object| match &object.key {
                key if key.is_namespace() => Some(&key.name),
                key => key.namespace.as_ref(),
            });
            for name in held {
                if !self.unread_in.contains_key(name) {
                    self.unread_in.insert(name.clone(), told(Some(name)));
                }
            }
        }
        self.in_play = !self.primary.is_empty()
            || self.unread.is_some()
            || namespaces.any(|(_, labels)| labels.has(PRIMARY_LABEL) == Tri::Yes);
    }

    /// The network that is the primary one of the pods of a namespace; of a pod of which the namespace is not
    /// known, without one.
    pub(crate) fn of(&self, namespace: Option<&str>, labels: &Labels) -> Membership {
        if !self.in_play {
            return Membership::ClusterDefault;
        }
        let unknown = |reason| Membership::Unknown(Arc::new(reason));
        let Some(namespace) = namespace else {
            let why = labels.why.as_deref().cloned();
            return unknown(why.unwrap_or(Reason::UnknownPods));
        };
        let asks = labels.has(PRIMARY_LABEL);
        if asks == Tri::No {
            return Membership::ClusterDefault;
        }
        let (mut certain, mut doubtful) = (Vec::new(), None);
        for (at, network) in (0_u32..).zip(&self.primary) {
            match network.is_of(namespace, labels) {
                Tri::Yes => certain.push(at),
                Tri::Maybe => doubtful = doubtful.or(Some(network)),
                Tri::No => {}
            }
        }
        let unread = match self.unread_in.get(namespace) {
            Some(known) => known,
            None => &self.unread,
        };
        if asks == Tri::Maybe {
            if certain.is_empty() && doubtful.is_none() && unread.is_none() {
                return Membership::ClusterDefault;
            }
            let why = labels.why.as_deref().cloned();
            return unknown(why.unwrap_or_else(|| Reason::NamespaceLabels(namespace.to_owned())));
        }
        match (&certain[..], doubtful, unread) {
            ([only], None, _) => Membership::On(*only),
            (_, Some(network), _) => unknown(network.why(namespace, labels)),
            ([], None, Some(unread)) => unknown(Reason::Unread(unread.clone())),
            ([], None, None) => unknown(Reason::PrimaryNetwork(format!(
                "namespace {namespace} has the label {PRIMARY_LABEL}, and which network its pods are on is \
                 not known: no UserDefinedNetwork of role Primary is there for it"
            ))),
            ([first, second, ..], None, _) => {
                let name = |at: u32| &self.primary[at as usize].object.key;
                unknown(Reason::PrimaryNetwork(format!(
                    "{} and {} are both to be the primary network of namespace {namespace}, which can have \
                     but one",
                    name(*first),
                    name(*second)
                )))
            }
        }
    }

    /// The network that a pod is on for certain, where that is not the cluster's default one.
    pub(crate) fn get(&self, network: &Membership) -> Option<&PrimaryNetwork> {
        match network {
            Membership::On(at) => self.primary.get(*at as usize),
            Membership::ClusterDefault | Membership::Unknown(_) => None,
        }
    }

    /// Whether the network that `pod` is on keeps it from the other end. What the network of the other end
    /// says is asked of that one.
    pub(crate) fn isolation<'a>(
        &'a self,
        pod: &'a Pod,
        direction: Direction,
        other: &'a Party,
        way: Way,
        (profile, is_own_node): (Profile, &dyn Fn() -> bool),
    ) -> Isolation<'a> {
        if !pod.network.is_special() || way == Way::EveryNetwork {
            return Isolation::No;
        }
        let may_open = pod.opens_ports && direction == Direction::Ingress && way == Way::Straight;
        let on_host = |pod: &Pod| profile == Profile::Documented && pod.host_network != Tri::No;
        match other {
            // Traffic from and to the outside takes the primary network, and policies decide.
            Party::Range(_) | Party::Name(_) => Isolation::No,
            Party::Node(_) if direction == Direction::Ingress && is_own_node() => Isolation::No,
            Party::Node(_) => Isolation::Maybe(Doubt::Node),
            Party::Pod(other) if on_host(pod) || on_host(other) => {
                Isolation::Maybe(Doubt::HostNetwork)
            }
            Party::Pod(other) if pod.namespace.is_some() && pod.namespace == other.namespace => {
                Isolation::No
            }
            Party::Pod(other) => match (&pod.network, &other.network) {
                (Membership::ClusterDefault, _) => Isolation::No,
                (Membership::On(own), Membership::On(others)) if own == others => Isolation::No,
                (Membership::On(_), Membership::On(_)) => self.between(pod, other),
                (Membership::On(_), Membership::ClusterDefault) if !may_open => Isolation::Yes,
                (Membership::On(_), Membership::ClusterDefault) => {
                    Isolation::Maybe(Doubt::OpensPorts)
                }
                (Membership::On(_), Membership::Unknown(_))
                    if !may_open && self.is_alone(pod, other) =>
                {
                    Isolation::Yes
                }
                (Membership::Unknown(why), _) | (_, Membership::Unknown(why)) => {
                    Isolation::Maybe(Doubt::Membership(why))
                }
            },
        }
    }

    /// Whether a pod is on a network of its namespace that the other, of another namespace, cannot be on,
    /// whichever it is on, and that nothing leads to.
    fn is_alone(&self, pod: &Pod, other: &Pod) -> bool {
        let own = self.get(&pod.network).filter(|own| own.is_namespaced());
        own.is_some_and(|own| {
            let leads_there =
                |connect: &NetworkConnect| connect.may_select(own, &pod.namespace_labels);
            other.namespace.is_some()
                && self.connects_unread.is_none()
                && !self.connects.iter().any(leads_there)
        })
    }

    /// Whether pods on two networks are kept apart.
    fn between(&self, pod: &Pod, other: &Pod) -> Isolation<'_> {
        if let Some(unread) = &self.connects_unread {
            return Isolation::Maybe(Doubt::ConnectsUnread(unread));
        }
        let selected = |connect: &NetworkConnect, pod: &Pod| {
            self.get(&pod.network)
                .is_some_and(|network| connect.may_select(network, &pod.namespace_labels))
        };
        let mut connects = self.connects.iter();
        match connects.find(|connect| selected(connect, pod) && selected(connect, other)) {
            Some(connect) => Isolation::Maybe(Doubt::Connected(connect)),
            None => Isolation::Yes,
        }
    }

    /// Why it is not known whether the network of `pod` keeps it from another end.
    pub(crate) fn why(&self, isolation: &Isolation<'_>, pod: &Pod) -> Option<Reason> {
        let Isolation::Maybe(doubt) = isolation else {
            return None;
        };
        let own = match self.get(&pod.network) {
            Some(network) => network.object.key.to_string(),
            None => "its network".to_owned(),
        };
        Some(match doubt {
            Doubt::Membership(reason) => Reason::clone(reason),
            Doubt::HostNetwork => Reason::HostNetwork,
            Doubt::Node => Reason::PrimaryNetwork(format!(
                "of connections between nodes and pods on {own}, only probes of a pod's own kubelet are sure \
                 to pass"
            )),
            Doubt::OpensPorts => Reason::PrimaryNetwork(
                "the pod opens ports on the cluster's default network by the annotation \
                 k8s.ovn.org/open-default-ports"
                    .to_owned(),
            ),
            Doubt::Connected(connect) => Reason::PrimaryNetwork(format!(
                "{} may lead from {own} to the other network",
                connect.object.key
            )),
            Doubt::ConnectsUnread(unread) => Reason::Unread((*unread).to_owned()),
        })
    }

    /// What network another end is on, in words.
    pub(crate) fn whose(&self, other: &Party) -> String {
        let network = match other {
            Party::Pod(pod) => &pod.network,
            Party::Range(_) | Party::Node(_) | Party::Name(_) => &Membership::ClusterDefault,
        };
        match (self.get(network), network) {
            (Some(network), _) => network.object.key.to_string(),
            (None, Membership::Unknown(_)) => "another".to_owned(),
            (None, _) => "the cluster's default network".to_owned(),
        }
    }
}
