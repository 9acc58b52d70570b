//! Whether a peer of a rule is one end of a connection, and whether a policy is about a pod.

use std::sync::Arc;

use underpin_model::wording;

use crate::{
    addresses::{AddressRange, AddressSet, Coverage},
    labels::{Labels, Selector, Tri},
    party::{Node, Party, Pod, covered},
    policy::{Direction, Namespaces, Peer, PeerTier, Policy, Tier},
    profile::Profile,
    reason::Reason,
};

/// What matching needs to know beside peer and party.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matcher<'a> {
    pub(crate) profile: Profile,
    /// The nodes of the world; none when they are not known.
    pub(crate) nodes: &'a [Arc<Node>],
}

impl Namespaces {
    pub(crate) fn matches(&self, pod: &Pod) -> Tri {
        match self {
            Self::Named(name) => match &pod.namespace {
                Some(namespace) => (namespace == name).into(),
                None => Tri::Maybe,
            },
            Self::Selected(selector) => selector.matches(&pod.namespace_labels),
            Self::Unknown(_) => Tri::Maybe,
        }
    }
}

impl Matcher<'_> {
    /// Whether the selectors of `policy` select `pod`.
    pub(crate) fn selects(&self, policy: &Policy, pod: &Pod) -> Tri {
        let tier = match policy.tier {
            Tier::Network => PeerTier::Network,
            Tier::Admin | Tier::Baseline => PeerTier::Cluster,
        };
        let subject = &policy.subject;
        self.selected(&subject.namespaces, &subject.pods, tier, pod)
    }

    fn selected(&self, namespaces: &Namespaces, pods: &Selector, tier: PeerTier, pod: &Pod) -> Tri {
        let matched = namespaces.matches(pod).and(pods.matches(&pod.labels));
        if self.profile == Profile::NpGuard {
            return matched;
        }
        match (pod.host_network, tier) {
            (Tri::No, _) => matched,
            // Plugins may treat it as the node that it runs on, or as a pod like any other.
            (_, PeerTier::Network) | (Tri::Maybe, _) => matched.at_most_maybe(),
            (Tri::Yes, PeerTier::Cluster) => Tri::No,
        }
    }

    /// Whether `party` is among those that `peer` means.
    pub(crate) fn matches(&self, peer: &Peer, party: &Party) -> Tri {
        let is_np_guard = self.profile == Profile::NpGuard;
        match (peer, party) {
            (Peer::Unknown(_), _) => Tri::Maybe,
            (
                Peer::Pods {
                    namespaces,
                    pods,
                    tier,
                },
                Party::Pod(pod),
            ) => self.selected(namespaces, pods, *tier, pod),
            (Peer::Pods { .. }, Party::Range(_) | Party::Node(_) | Party::Name(_)) => Tri::No,
            (Peer::Addresses { .. }, Party::Pod(_)) if is_np_guard => Tri::No,
            (Peer::Addresses { set, tier, gap }, _) => {
                let matched = addressed(set, *tier, party);
                if gap.is_some() {
                    matched.at_most_maybe()
                } else {
                    matched
                }
            }
            (Peer::Nodes(_) | Peer::DomainNames(_), _) if is_np_guard => Tri::No,
            (Peer::Nodes(selector), _) => self.is_node(selector, party),
            (Peer::DomainNames(names), Party::Name(name)) => {
                names.iter().any(|pattern| means(pattern, name)).into()
            }
            // Which addresses a name has is told by a name server alone.
            (Peer::DomainNames(_), Party::Range(_)) => Tri::Maybe,
            (Peer::DomainNames(_), Party::Pod(_) | Party::Node(_)) => Tri::No,
        }
    }

    fn is_node(&self, selector: &Selector, party: &Party) -> Tri {
        match party {
            Party::Pod(pod) if pod.host_network == Tri::No => Tri::No,
            Party::Pod(_) | Party::Name(_) => Tri::Maybe,
            Party::Node(node) => selector.matches(&node.labels),
            Party::Range(_) if self.nodes.is_empty() => Tri::Maybe,
            Party::Range(range) => {
                let here = self.nodes.iter().filter(|node| {
                    let mut addresses = node.addresses.iter();
                    addresses.any(|address| range.holds(&AddressRange::single(*address)))
                });
                let matched = here.map(|node| selector.matches(&node.labels)).max();
                let one_address = range.first() == range.last();
                match matched.unwrap_or(Tri::No) {
                    Tri::Yes if one_address => Tri::Yes,
                    matched => matched.at_most_maybe(),
                }
            }
        }
    }

    /// Why it is not known whether `policy` is about one direction of `pod`.
    pub(crate) fn why_subject(policy: &Policy, direction: Direction, pod: &Pod) -> Reason {
        let subject = &policy.subject;
        if let Some(gap) = &subject.uncertain[direction as usize] {
            return gap.reason(&policy.object.key);
        }
        Self::why_selected(policy, (&subject.namespaces, &subject.pods), pod)
    }

    /// Why it is not known whether `peer` of `policy` is `party`.
    pub(crate) fn why_peer(policy: &Policy, peer: &Peer, party: &Party) -> Reason {
        match (peer, party) {
            (Peer::Unknown(gap) | Peer::Addresses { gap: Some(gap), .. }, _) => {
                gap.reason(&policy.object.key)
            }
            (
                Peer::Pods {
                    namespaces, pods, ..
                },
                Party::Pod(pod),
            ) => Self::why_selected(policy, (namespaces, pods), pod),
            (Peer::Addresses { tier, .. }, Party::Pod(pod)) => {
                if pod.host_network != Tri::No {
                    Reason::HostNetwork
                } else if *tier == PeerTier::Network {
                    Reason::BlockOfPods
                } else {
                    Reason::PodAddress
                }
            }
            (Peer::Nodes(_), Party::Pod(_)) => Reason::HostNetwork,
            (Peer::Nodes(_), _) => Reason::Nodes,
            (Peer::DomainNames(names), _) => Reason::DomainName(wording::list(names)),
            (Peer::Addresses { .. } | Peer::Pods { .. }, Party::Name(name)) => {
                Reason::DomainName(name.clone())
            }
            (Peer::Addresses { .. } | Peer::Pods { .. }, Party::Range(_) | Party::Node(_)) => {
                Reason::AddressesDiffer
            }
        }
    }

    fn why_selected(
        policy: &Policy,
        (namespaces, pods): (&Namespaces, &Selector),
        pod: &Pod,
    ) -> Reason {
        let key = &policy.object.key;
        let why = |labels: &Labels| labels.why.as_deref().cloned();
        if namespaces.matches(pod) == Tri::Maybe {
            let gap = match namespaces {
                Namespaces::Unknown(gap) => Some(gap),
                Namespaces::Selected(selector) => selector.gap(),
                Namespaces::Named(_) => None,
            };
            let gap = gap.map(|gap| gap.reason(key));
            return gap
                .or_else(|| why(&pod.namespace_labels))
                .unwrap_or_else(|| match &pod.namespace {
                    Some(namespace) => Reason::NamespaceLabels(namespace.clone()),
                    None => Reason::UnknownPods,
                });
        }
        if pods.matches(&pod.labels) == Tri::Maybe {
            let gap = pods.gap().map(|gap| gap.reason(key));
            return gap
                .or_else(|| why(&pod.labels))
                .unwrap_or(match &pod.namespace {
                    Some(_) => Reason::PodLabels,
                    None => Reason::UnknownPods,
                });
        }
        Reason::HostNetwork
    }
}

fn addressed(set: &AddressSet, tier: PeerTier, party: &Party) -> Tri {
    match party {
        Party::Range(range) => match set.coverage(range) {
            Coverage::Inside => Tri::Yes,
            Coverage::Partly => Tri::Maybe,
            Coverage::Outside => Tri::No,
        },
        Party::Node(node) => {
            let addresses = node.addresses.iter().copied();
            covered(set, addresses.map(AddressRange::single))
        }
        Party::Name(_) if set.ranges().is_empty() => Tri::No,
        Party::Name(_) => Tri::Maybe,
        Party::Pod(pod) => {
            let within = pod.addresses.within(set);
            // A NetworkPolicy's blocks are meant for what is outside; whether a plugin applies
            // them to pods is its own affair.
            if tier == PeerTier::Network || pod.host_network != Tri::No {
                within.at_most_maybe()
            } else {
                within
            }
        }
    }
}

/// Whether a domain name of a policy means a host: `*.` stands for one or more whole labels.
fn means(pattern: &str, name: &str) -> bool {
    let plain = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
    let (pattern, name) = (plain(pattern), plain(name));
    match pattern.strip_prefix("*.") {
        Some(domain) => name
            .strip_suffix(domain)
            .and_then(|labels| labels.strip_suffix('.'))
            .is_some_and(|labels| !labels.is_empty()),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_whole_labels() {
        for (pattern, name, expect) in [
            ("kubernetes.io", "kubernetes.io", true),
            ("kubernetes.io.", "Kubernetes.io", true),
            ("kubernetes.io", "www.kubernetes.io", false),
            ("*.kubernetes.io", "latest.blog.kubernetes.io", true),
            ("*.kubernetes.io", "kubernetes.io", false),
            ("*.kubernetes.io", "my-kubernetes.io", false),
        ] {
            assert_eq!(means(pattern, name), expect, "{pattern} {name}");
        }
    }
}
