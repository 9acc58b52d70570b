//! The engine: a world's policies and pods, ready to be asked.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use underpin_model::{ObjectKey, World};

use crate::{
    addresses::{AddressRange, elementary_ranges},
    evaluate::{Applicable, Case, Event, Outcome},
    index::LabelIndex,
    ingress::{Entry, entries},
    inventory::Inventory,
    labels::{Labels, Tri},
    matching::Matcher,
    networks::{Isolation, Networks, Way},
    party::{Party, Pod},
    policy::{Defect, Direction, Namespaces, Peer, Peers, Policy, Tier},
    ports::Connections,
    profile::{Options, Profile},
    read::{Network, Reader, network, policy, unread_of},
    reason::Reason,
};

/// The address at which every node answers its own pods' DNS queries, if it has a NodeLocal
/// DNSCache.
const NODE_LOCAL_DNS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10));

/// Who may connect to whom in one world.
#[derive(Debug)]
pub struct Engine {
    pub(crate) profile: Profile,
    /// In the order in which they are asked.
    pub(crate) policies: Vec<Policy>,
    pub(crate) peers: Peers,
    pub(crate) inventory: Inventory,
    defects: Vec<Defect>,
    /// Policies that are about pods of one namespace, and those about any.
    by_namespace: BTreeMap<String, Vec<u32>>,
    cluster_wide: Vec<u32>,
    unread: Unread,
    /// Every list of policies once, and per pod and direction which it is.
    pub(crate) groups: Vec<Applicable>,
    pub(crate) group_of: Vec<[u32; 2]>,
    /// What Ingresses forward to.
    entries: Vec<Entry>,
}

/// Which policies could not be read.
#[derive(Debug, Default)]
struct Unread {
    /// NetworkPolicies everywhere but in the namespaces that were read all the same.
    everywhere: Option<String>,
    /// Per namespace that pods or policies name.
    namespaces: BTreeMap<String, Option<String>>,
    /// Cluster-wide policies by tier.
    tiers: [Option<String>; 3],
}

impl Engine {
    /// Reads all policies, pods, namespaces, nodes and Services of a world.
    pub fn new(world: &World, options: &Options) -> Self {
        let mut peers = Peers::default();
        let mut defects = Vec::new();
        let mut policies: Vec<Policy> = Vec::new();
        let mut networks: Vec<Network> = Vec::new();
        for object in world.shared() {
            let mut reader = Reader::new(object, &mut peers, &mut defects);
            policies.extend(policy(object, &mut reader));
            networks.extend(network(object, &mut reader));
        }
        policies.shrink_to_fit();
        policies.sort_by_key(|policy| (policy.tier, policy.priority));
        let inventory = Inventory::new(world, options, Networks::new(networks));
        let mut engine = Self {
            profile: options.profile,
            unread: Unread::new(world, &inventory),
            entries: entries(world),
            policies,
            peers,
            inventory,
            defects,
            by_namespace: BTreeMap::new(),
            cluster_wide: Vec::new(),
            groups: Vec::new(),
            group_of: Vec::new(),
        };
        engine.index_policies();
        engine.group_pods();
        engine
    }

    /// What Ingresses, Gateways' routes and OpenShift's Routes forward to, by kind and then sorted by
    /// object: what an ingress controller or a gateway needs.
    pub fn ingress_entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What in the policies cannot be understood, sorted by object.
    pub fn defects(&self) -> &[Defect] {
        &self.defects
    }

    /// The workloads of the world, and pods without one, sorted.
    pub fn workloads(&self) -> impl Iterator<Item = &ObjectKey> {
        self.inventory.workloads.keys().map(|key| &**key)
    }

    /// The workloads of a namespace, and pods without one, sorted.
    pub fn workloads_in<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a ObjectKey> {
        let mut keys: Vec<&ObjectKey> = self
            .inventory
            .of_namespace(namespace)
            .map(|(key, _)| key)
            .collect();
        keys.dedup();
        keys.into_iter()
    }

    /// Whether the world holds pods of a workload, or such a pod.
    pub fn knows(&self, workload: &ObjectKey) -> bool {
        self.inventory.workloads.contains_key(workload)
    }

    fn index_policies(&mut self) {
        for (index, policy) in (0_u32..).zip(&self.policies) {
            match &policy.subject.namespaces {
                Namespaces::Named(name) => {
                    self.by_namespace
                        .entry(name.clone())
                        .or_default()
                        .push(index);
                }
                Namespaces::Selected(_) | Namespaces::Unknown(_) => self.cluster_wide.push(index),
            }
        }
    }

    /// Finds for every pod the policies that are about it. Per namespace, policies ask an index of
    /// labels, so that many of both cost no more than the pairs that match.
    fn group_pods(&mut self) {
        let mut selected: Vec<[Vec<(u32, Tri)>; 2]> = Vec::new();
        selected.resize_with(self.inventory.pods.len(), Default::default);
        let matcher = self.matcher();
        for (namespace, index) in self.pods_by_namespace() {
            for at in self.policies_of(Some(namespace).filter(|name| !name.is_empty())) {
                let policy = &self.policies[at as usize];
                for id in index.candidates(&policy.subject.pods) {
                    let matched = matcher.selects(policy, &self.inventory.pods[id as usize]);
                    if matched == Tri::No {
                        continue;
                    }
                    for direction in [Direction::Egress, Direction::Ingress] {
                        if policy.rules(direction).is_some() {
                            let certainty = policy.certainty(direction, matched);
                            selected[id as usize][direction as usize].push((at, certainty));
                        }
                    }
                }
            }
        }
        let mut ids: BTreeMap<Applicable, u32> = BTreeMap::new();
        let mut group_of = Vec::with_capacity(selected.len());
        for (pod, lists) in self.inventory.pods.iter().zip(selected) {
            let mut unread = self.unread.of(pod.namespace.as_deref());
            // A pod of which the namespace is not known may be where nothing else is known.
            unread[Tier::Network as usize] |=
                pod.namespace.is_none() && self.profile == Profile::Documented;
            group_of.push(lists.map(|mut policies| {
                policies.sort_unstable();
                let group = Applicable { policies, unread };
                let next = u32::try_from(ids.len()).unwrap_or(u32::MAX);
                *ids.entry(group).or_insert(next)
            }));
        }
        let mut groups = vec![Applicable::default(); ids.len()];
        for (group, id) in ids {
            groups[id as usize] = group;
        }
        self.groups = groups;
        self.group_of = group_of;
    }

    /// The policies that may be about pods of a namespace; of any, if it is not known which.
    fn policies_of(&self, namespace: Option<&str>) -> impl Iterator<Item = u32> {
        let own = namespace.and_then(|name| self.by_namespace.get(name));
        let all = namespace.is_none().then(|| self.by_namespace.values());
        let named = own.into_iter().chain(all.into_iter().flatten());
        named.flatten().chain(&self.cluster_wide).copied()
    }

    /// The pods under their namespaces; under an empty name those of which it is not known.
    pub(crate) fn pods_by_namespace(&self) -> BTreeMap<&str, LabelIndex> {
        let mut by_namespace: BTreeMap<&str, Vec<(u32, &Labels)>> = BTreeMap::new();
        for (id, pod) in (0_u32..).zip(&self.inventory.pods) {
            let namespace = pod.namespace.as_deref().unwrap_or_default();
            let own = by_namespace.entry(namespace).or_default();
            own.push((id, &pod.labels));
        }
        let indexed =
            |(namespace, pods): (_, Vec<_>)| (namespace, LabelIndex::new(pods.into_iter()));
        by_namespace.into_iter().map(indexed).collect()
    }

    pub(crate) fn matcher(&self) -> Matcher<'_> {
        Matcher {
            profile: self.profile,
            nodes: &self.inventory.nodes,
        }
    }

    /// The policies that are about a pod which the world need not hold.
    pub(crate) fn applicable(&self, pod: &Pod, direction: Direction) -> Applicable {
        let matcher = self.matcher();
        let mut policies: Vec<(u32, Tri)> = self
            .policies_of(pod.namespace.as_deref())
            .map(|at| (at, &self.policies[at as usize]))
            .filter(|(_, policy)| policy.rules(direction).is_some())
            .map(|(at, policy)| {
                let matched = matcher.selects(policy, pod);
                (at, policy.certainty(direction, matched))
            })
            .filter(|(_, certainty)| *certainty != Tri::No)
            .collect();
        policies.sort_unstable();
        let mut unread = self.unread.of(pod.namespace.as_deref());
        unread[Tier::Network as usize] |= self.is_foreign(pod);
        Applicable { policies, unread }
    }

    /// Whether nothing is known of a pod's namespace, and so nothing of the policies in it.
    fn is_foreign(&self, pod: &Pod) -> bool {
        let known =
            |name: &String| self.inventory.knows(name) || self.by_namespace.contains_key(name);
        self.profile == Profile::Documented
            && pod.namespace.as_ref().is_some_and(|name| !known(name))
    }

    /// One direction: what of `scope` the network that `pod` is on, and the policies about it, allow with
    /// the other end, where the connection takes that way.
    pub(crate) fn judge(
        &self,
        (pod, applicable): (&Pod, &Applicable),
        direction: Direction,
        (other, way): (&Party, Way),
        scope: Connections,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Outcome {
        let matcher = self.matcher();
        let ports = match (direction, other) {
            (Direction::Ingress, _) => Some(&pod.ports),
            (Direction::Egress, Party::Pod(destination)) => Some(&destination.ports),
            (Direction::Egress, _) => None,
        };
        let case = Case {
            policies: &self.policies,
            applicable,
            direction,
            peer: &|id| matcher.matches(self.peers.get(id), other),
            ports,
            own_node: self.own_node(pod, other),
            isolation: self.isolation(pod, direction, other, way).certainty(),
        };
        case.judge(scope, sink)
    }

    /// Whether the network that a pod is on keeps it from the other end.
    pub(crate) fn isolation<'a>(
        &'a self,
        pod: &'a Pod,
        direction: Direction,
        other: &'a Party,
        way: Way,
    ) -> Isolation<'a> {
        let own_node = || self.own_node(pod, other) == Tri::Yes;
        let networks = &self.inventory.primary;
        networks.isolation(pod, direction, other, way, (self.profile, &own_node))
    }

    /// Whether the other end is, or acts as, the node that the pod runs on.
    fn own_node(&self, pod: &Pod, other: &Party) -> Tri {
        match other {
            Party::Node(node) => match &pod.node {
                Some(own) => (*own == node.name).into(),
                None => Tri::Maybe,
            },
            Party::Pod(other) if self.profile == Profile::Documented => {
                other.host_network.at_most_maybe()
            }
            Party::Range(range) if self.profile == Profile::Documented => {
                Tri::from(*range == AddressRange::single(NODE_LOCAL_DNS)).at_most_maybe()
            }
            Party::Pod(_) | Party::Range(_) | Party::Name(_) => Tri::No,
        }
    }

    /// What is not known of the policies of a tier about a pod.
    pub(crate) fn why_unread(&self, tier: Tier, pod: &Pod) -> Reason {
        match (
            self.unread.reason(tier, pod.namespace.as_deref()),
            &pod.namespace,
        ) {
            (None, Some(namespace)) => Reason::UndeclaredNamespace(namespace.clone()),
            (None, None) => {
                let why = pod.namespace_labels.why.as_deref();
                why.cloned().unwrap_or(Reason::UnknownPods)
            }
            (Some(what), _) => Reason::Unread(what),
        }
    }

    /// Addresses outside of the cluster, cut so that no policy tells those of one range apart.
    pub(crate) fn outside(&self, also: &[AddressRange]) -> Vec<AddressRange> {
        let mut ranges: Vec<AddressRange> = also.to_vec();
        let mut by_nodes = false;
        for peer in self.peers.iter() {
            match peer {
                Peer::Addresses { set, .. } => ranges.extend(set.ranges()),
                Peer::Nodes(_) => by_nodes = true,
                _ => {}
            }
        }
        if by_nodes {
            let nodes = self.inventory.nodes.iter();
            let addresses = nodes.flat_map(|node| node.addresses.iter().copied());
            ranges.extend(addresses.map(AddressRange::single));
        }
        ranges.sort_unstable();
        ranges.dedup();
        elementary_ranges(&ranges)
    }

    /// An address as a party: of a pod, of a node, or outside of the cluster.
    pub(crate) fn at_address(&self, address: IpAddr) -> Party {
        if let Some((_, id)) = self.inventory.with_address(address) {
            return Party::Pod(self.pod(id).clone());
        }
        let node = self.inventory.nodes.iter().find(|node| {
            let mut own = node.addresses.iter();
            own.any(|own| own.to_canonical() == address.to_canonical())
        });
        match node {
            Some(node) => Party::Node(node.clone()),
            None => Party::Range(AddressRange::single(address)),
        }
    }

    pub(crate) fn pod(&self, id: u32) -> &Arc<Pod> {
        &self.inventory.pods[id as usize]
    }

    pub(crate) fn group(&self, id: u32, direction: Direction) -> &Applicable {
        let group = self.group_of[id as usize][direction as usize];
        &self.groups[group as usize]
    }
}

impl Unread {
    fn new(world: &World, inventory: &Inventory) -> Self {
        let reason = |tier, namespace: Option<&str>| {
            unread_of(world, tier, namespace).map(ToString::to_string)
        };
        let namespaces = inventory
            .pods
            .iter()
            .filter_map(|pod| pod.namespace.clone());
        Self {
            everywhere: reason(Tier::Network, None),
            namespaces: namespaces
                .map(|namespace| {
                    let unread = reason(Tier::Network, Some(&namespace));
                    (namespace, unread)
                })
                .collect(),
            tiers: [
                reason(Tier::Admin, None),
                None,
                reason(Tier::Baseline, None),
            ],
        }
    }

    fn reason(&self, tier: Tier, namespace: Option<&str>) -> Option<String> {
        if tier != Tier::Network {
            return self.tiers[tier as usize].clone();
        }
        match namespace.and_then(|namespace| self.namespaces.get(namespace)) {
            Some(reason) => reason.clone(),
            None => self.everywhere.clone(),
        }
    }

    fn of(&self, namespace: Option<&str>) -> [bool; 3] {
        [Tier::Admin, Tier::Network, Tier::Baseline]
            .map(|tier| self.reason(tier, namespace).is_some())
    }
}
