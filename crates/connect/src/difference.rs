//! The nearest miss: of a rule that is not about a connection, which of its peers comes nearest,
//! what it asks for, and what the other end is instead.

use std::fmt;

use underpin_model::{Evidence, Requirement, wording};

use crate::{
    addresses::AddressRange,
    labels::{Labels, Selector, Tri, satisfied},
    party::Party,
    policy::{Direction, Namespaces, Peer, Peers, Policy, Rule},
    ports::Connections,
};

/// What a rule is about instead of the connection that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which of the rule's peers comes nearest, from 0; absent where it is the ports that differ.
    pub peer: Option<usize>,
    /// Its field, where that is written, and in words what it asks for and what is there instead.
    pub evidence: Evidence,
    /// How much of what it asks for is not so: of several rules, the smallest comes nearest.
    pub unmet: usize,
}

/// Weighs more than any label: a peer that is of another sort is never the nearest of several.
const OTHER_SORT: usize = 1000;

/// The nearest of the peers of a rule that means none of them.
pub(crate) fn peer_difference(
    peers: &Peers,
    policy: &Policy,
    rule: &Rule,
    direction: Direction,
    other: &Party,
) -> Option<Difference> {
    let ids = rule.peers.as_deref()?;
    let misses = ids.iter().enumerate().map(|(at, id)| {
        let (unmet, note) = miss(peers.get(*id), other);
        (unmet, at, note)
    });
    let (unmet, at, note) = misses.min_by_key(|(unmet, at, _)| (*unmet, *at))?;
    let path = Policy::peer_path(direction, rule.index, at);
    Some(Difference {
        peer: Some(at),
        evidence: policy.object.evidence(path, note),
        unmet,
    })
}

/// The ports of a rule that is about others.
pub(crate) fn port_difference(
    policy: &Policy,
    rule: &Rule,
    direction: Direction,
    about: &Connections,
) -> Difference {
    let note = if about.is_empty() {
        "names ports that the destination does not have".to_owned()
    } else {
        format!("is about {about}")
    };
    let path = Policy::rule_path(direction, rule.index);
    Difference {
        peer: None,
        evidence: policy.object.evidence(path, note),
        unmet: 1,
    }
}

/// How much of a peer is not so, and in words.
fn miss(peer: &Peer, other: &Party) -> (usize, String) {
    match (peer, other) {
        (
            Peer::Pods {
                namespaces, pods, ..
            },
            Party::Pod(pod),
        ) => {
            let mut words = Vec::new();
            if namespaces.matches(pod) == Tri::No {
                let own = pod.namespace.as_deref().unwrap_or("unknown");
                words.push(namespace_miss(namespaces, own, &pod.namespace_labels));
            }
            words
                .extend(unmet(pods, &pod.labels).map(|one| {
                    format!("means pods {one}, and this one {}", has(one, &pod.labels))
                }));
            if words.is_empty() {
                return (OTHER_SORT, "means no pods of the host network".to_owned());
            }
            (words.len(), words.join("; "))
        }
        (Peer::Pods { .. }, _) => {
            let what = "means pods of the cluster, and the other end is none";
            (OTHER_SORT, what.to_owned())
        }
        (Peer::Addresses { set, .. }, _) => {
            let blocks: Vec<String> = set.ranges().iter().map(AddressRange::to_string).collect();
            (OTHER_SORT, format!("means {}", wording::list(&blocks)))
        }
        (Peer::Nodes(_), _) => (OTHER_SORT, "means nodes".to_owned()),
        (Peer::DomainNames(names), _) => (OTHER_SORT, format!("means {}", wording::list(names))),
        (Peer::Unknown(_), _) => (OTHER_SORT, "is not known".to_owned()),
    }
}

fn namespace_miss(namespaces: &Namespaces, own: &str, labels: &Labels) -> String {
    match namespaces {
        Namespaces::Named(name) => format!("means pods of namespace {name}, and this is {own}"),
        Namespaces::Unknown(_) => "means pods of a namespace that is not known".to_owned(),
        Namespaces::Selected(selector) => {
            let first = unmet(selector, labels).next();
            match first {
                Some(one) => format!(
                    "means namespaces {one}, and namespace {own} {}",
                    has(one, labels)
                ),
                None => format!("means other namespaces than {own}"),
            }
        }
    }
}

/// The requirements that labels certainly do not satisfy.
fn unmet<'s>(selector: &'s Selector, labels: &Labels) -> impl Iterator<Item = Asked<'s>> {
    let requirements = selector.requirements().iter();
    let differs: Vec<Asked<'s>> = requirements
        .filter(|requirement| satisfied(requirement, labels) == Tri::No)
        .map(Asked)
        .collect();
    differs.into_iter()
}

/// A requirement in words.
#[derive(Clone, Copy)]
struct Asked<'s>(&'s Requirement);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Requirement::In(key, values) => match &values[..] {
                [only] => write!(f, "with {key}={only}"),
                values => write!(f, "with {key} in ({})", values.join(",")),
            },
            Requirement::NotIn(key, values) => {
                write!(f, "with {key} not in ({})", values.join(","))
            }
            Requirement::Exists(key) => write!(f, "with a label {key}"),
            Requirement::DoesNotExist(key) => write!(f, "without a label {key}"),
        }
    }
}

/// What is there instead: `has app=web`, `has no label app`.
fn has(asked: Asked<'_>, labels: &Labels) -> String {
    let (Requirement::In(key, _)
    | Requirement::NotIn(key, _)
    | Requirement::Exists(key)
    | Requirement::DoesNotExist(key)) = asked.0;
    match labels.known.get(key) {
        Some(value) => format!("has {key}={value}"),
        None => format!("has no label {key}"),
    }
}
