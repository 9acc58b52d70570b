//! Network policies of all kinds in one form.

use std::{collections::BTreeMap, fmt, sync::Arc};

use underpin_model::{Evidence, FieldPath, Object, Protocol};

use crate::{
    addresses::AddressSet,
    gap::Gap,
    labels::{Selector, Tri},
    ports::Connections,
};

/// The order in which policies are asked; the first tier that decides has the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// AdminNetworkPolicy, and ClusterNetworkPolicy of tier Admin.
    Admin,
    /// NetworkPolicy.
    Network,
    /// BaselineAdminNetworkPolicy, and ClusterNetworkPolicy of tier Baseline.
    Baseline,
}

/// Which way traffic goes, seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Out of the source.
    Egress,
    /// Into the destination.
    Ingress,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        })
    }
}

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    Deny,
    Pass,
}

/// A policy.
#[derive(Debug)]
pub(crate) struct Policy {
    /// As the world holds it.
    pub(crate) object: Arc<Object>,
    pub(crate) tier: Tier,
    /// Whether it may be of the tier Baseline as well: of one whose tier is not known.
    pub(crate) perhaps_baseline: bool,
    /// Smaller is asked first; the same for all NetworkPolicies.
    pub(crate) priority: i64,
    pub(crate) subject: Subject,
    /// The rules per direction; none where the policy says nothing of that direction.
    pub(crate) egress: Option<Vec<Rule>>,
    pub(crate) ingress: Option<Vec<Rule>>,
}

/// The pods that a policy is about.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) namespaces: Namespaces,
    pub(crate) pods: Selector,
    /// Why it is not known, per direction, whether the policy is about these pods.
    pub(crate) uncertain: [Option<Gap>; 2],
}

/// Namespaces by name or by selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Namespaces {
    Named(String),
    Selected(Selector),
    /// One namespace, of which it is not known which.
    Unknown(Gap),
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) action: Action,
    /// Its place in the list that it stands in.
    pub(crate) index: usize,
    /// The name that tiers let rules have.
    pub(crate) name: Option<String>,
    /// The peers, or everybody.
    pub(crate) peers: Option<Vec<PeerId>>,
    /// The ports, or all.
    pub(crate) ports: Option<Vec<PortEntry>>,
}

/// A peer in [`Peers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeerId(pub(crate) u32);

/// Whom a rule is about. Equal peers of different rules are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    Pods {
        namespaces: Namespaces,
        pods: Selector,
        tier: PeerTier,
    },
    Addresses {
        set: AddressSet,
        tier: PeerTier,
        /// Why fewer may be meant.
        gap: Option<Gap>,
    },
    Nodes(Selector),
    DomainNames(Vec<String>),
    Unknown(Gap),
}

/// NetworkPolicy and the cluster-wide policies differ in what they make of pods of the host
/// network, and of pods' addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PeerTier {
    Network,
    Cluster,
}

/// Every peer once.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    list: Vec<Arc<Peer>>,
    ids: BTreeMap<Arc<Peer>, PeerId>,
}

impl Peers {
    pub(crate) fn intern(&mut self, peer: Peer) -> PeerId {
        if let Some(id) = self.ids.get(&peer) {
            return *id;
        }
        // More peers than fit would not fit into memory either.
        let id = PeerId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        let peer = Arc::new(peer);
        self.list.push(peer.clone());
        self.ids.insert(peer, id);
        id
    }

    pub(crate) fn get(&self, id: PeerId) -> &Peer {
        &self.list[id.0 as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.list.iter().map(|peer| &**peer)
    }
}

/// One entry of a rule's ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortEntry {
    Numbers(Connections),
    /// A port that the destination's containers name; without a protocol, of any.
    Named(Option<Protocol>, String),
    /// Some of these.
    Unknown(Gap, Connections),
}

/// The ports that a pod's containers name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NamedPorts {
    pub(crate) known: Vec<(String, Protocol, u16)>,
    /// Whether there may be further ones.
    pub(crate) open: bool,
}

/// What a rule's ports are at one destination: certainly, and at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    pub(crate) certain: Connections,
    pub(crate) possible: Connections,
}

impl Rule {
    /// Its ports at a destination; `None` for one that is no pod, and so names no ports.
    pub(crate) fn reach(&self, named: Option<&NamedPorts>) -> Reach {
        let Some(entries) = &self.ports else {
            return Reach {
                certain: Connections::all(),
                possible: Connections::all(),
            };
        };
        let mut reach = Reach::default();
        for entry in entries {
            let (certain, possible) = entry.reach(named);
            reach.certain.add(&certain);
            reach.possible.add(&possible);
        }
        reach
    }

    pub(crate) fn names_ports(&self) -> bool {
        let entries = self.ports.iter().flatten();
        entries
            .into_iter()
            .any(|entry| matches!(entry, PortEntry::Named(..)))
    }
}

impl PortEntry {
    /// An entry of which nothing is known.
    pub(crate) fn unknown(gap: Gap) -> Self {
        Self::Unknown(gap, Connections::all())
    }

    /// The ports of one entry at a destination: certainly, and at most.
    pub(crate) fn reach(&self, named: Option<&NamedPorts>) -> (Connections, Connections) {
        match self {
            Self::Numbers(numbers) => (numbers.clone(), numbers.clone()),
            Self::Unknown(_, possible) => (Connections::default(), possible.clone()),
            Self::Named(protocol, name) => {
                let mut certain = Connections::default();
                let Some(named) = named else {
                    return (certain.clone(), certain);
                };
                for (known, of, number) in &named.known {
                    if known == name && protocol.is_none_or(|asked| asked == *of) {
                        certain.add(&Connections::port(*of, *number));
                    }
                }
                let mut possible = certain.clone();
                if named.open {
                    possible.add(&protocol.map_or_else(Connections::all, Connections::of));
                }
                (certain, possible)
            }
        }
    }
}

impl Policy {
    /// Whether it is asked in a tier.
    pub(crate) fn is_asked_in(&self, tier: Tier) -> bool {
        self.tier == tier || (self.perhaps_baseline && tier == Tier::Baseline)
    }

    pub(crate) fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Egress => self.egress.as_deref(),
            Direction::Ingress => self.ingress.as_deref(),
        }
    }

    /// How certain it is that the policy is about one direction of pods that its selectors match
    /// this well.
    pub(crate) fn certainty(&self, direction: Direction, matched: Tri) -> Tri {
        if self.subject.uncertain[direction as usize].is_some() {
            matched.at_most_maybe()
        } else {
            matched
        }
    }

    /// The path of a rule.
    pub(crate) fn rule_path(direction: Direction, rule: usize) -> FieldPath {
        let list = match direction {
            Direction::Egress => "egress",
            Direction::Ingress => "ingress",
        };
        FieldPath::new("spec").key(list).index(rule)
    }

    /// The path of a rule's peer.
    pub(crate) fn peer_path(direction: Direction, rule: usize, peer: usize) -> FieldPath {
        let list = match direction {
            Direction::Egress => "to",
            Direction::Ingress => "from",
        };
        Self::rule_path(direction, rule).key(list).index(peer)
    }

    /// The path of a rule's port.
    pub(crate) fn port_path(&self, direction: Direction, rule: usize, port: usize) -> FieldPath {
        let list = if self.object.key.kind.kind == "ClusterNetworkPolicy" {
            "protocols"
        } else {
            "ports"
        };
        Self::rule_path(direction, rule).key(list).index(port)
    }
}

/// Something in a policy that cannot be understood. What hangs on it is unknown; the rest counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// Where, and in its note what.
    pub evidence: Evidence,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_peers_are_one() {
        let mut peers = Peers::default();
        let nodes = || Peer::Nodes(Selector::everything());
        let unknown = || Peer::Unknown(Gap::Unreadable);
        let (first, second) = (peers.intern(nodes()), peers.intern(unknown()));
        assert_ne!(first, second);
        assert_eq!(peers.intern(nodes()), first);
        assert_eq!(peers.get(second), &unknown());
        assert_eq!(peers.iter().count(), 2);
    }
}
