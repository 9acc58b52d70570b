//! What policies let pass, as questions that can be asked of another world.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{Evidence, ObjectKey, Requirement};

use crate::{
    engine::Engine,
    labels::{Selector, Tri},
    policy::{Action, Direction, Namespaces, Peer, Policy, Rule},
    question::Endpoint,
    read::NAME_LABEL,
};

/// A peer that a rule lets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The policy.
    pub policy: ObjectKey,
    /// Which way.
    pub direction: Direction,
    /// The peer, and where it is written.
    pub evidence: Evidence,
    /// Who it is about, one for each namespace or block that it names.
    pub peers: Vec<Endpoint>,
    /// Of peers by labels of namespaces: such pods of namespaces that the world does not hold.
    pub unlisted: Vec<Endpoint>,
    /// The workloads that the policy is about for certain, sorted.
    pub subjects: Vec<ObjectKey>,
    /// Pods just as the policy selects them, one for each namespace, that the world need not hold.
    pub selected: Vec<Endpoint>,
}

impl Engine {
    /// What the policies that `wanted` picks let pass: peers that name somebody, in the order of
    /// policies and fields. A rule for everybody is asked for each namespace of the world.
    pub fn allowances(&self, wanted: impl Fn(&ObjectKey) -> bool) -> Vec<Allowance> {
        let mut policies: Vec<&Policy> = self.policies.iter().collect();
        policies.retain(|policy| wanted(&policy.object.key));
        policies.sort_by(|a, b| a.object.key.cmp(&b.object.key));
        let mut allowances = Vec::new();
        for policy in policies {
            let subjects = self.subjects(policy);
            let subject = &policy.subject;
            let selected = self.witnesses(&subject.namespaces, &subject.pods);
            for direction in [Direction::Ingress, Direction::Egress] {
                let rules = policy.rules(direction).unwrap_or_default();
                for rule in rules.iter().filter(|rule| rule.action == Action::Allow) {
                    allowances.extend(self.of_rule(
                        policy,
                        direction,
                        rule,
                        (&subjects, &selected),
                    ));
                }
            }
        }
        allowances
    }

    fn of_rule(
        &self,
        policy: &Policy,
        direction: Direction,
        rule: &Rule,
        (subjects, selected): (&[ObjectKey], &[Endpoint]),
    ) -> Vec<Allowance> {
        let allowance = |path, note: String, peers, unlisted| Allowance {
            policy: policy.object.key.clone(),
            direction,
            evidence: policy.object.evidence(path, note),
            peers,
            unlisted,
            subjects: subjects.to_vec(),
            selected: selected.to_vec(),
        };
        let Some(peers) = &rule.peers else {
            let path = Policy::rule_path(direction, rule.index);
            let all = Namespaces::Selected(Selector::everything());
            let anybody = self.witnesses(&all, &Selector::everything());
            let unlisted = unlisted(&all, &Selector::everything());
            let note = "allows everybody".to_owned();
            return vec![allowance(path, note, anybody, unlisted)];
        };
        let each = peers.iter().enumerate();
        each.filter_map(|(at, id)| {
            let (who, peers, unlisted) = match self.peers.get(*id) {
                Peer::Pods {
                    namespaces, pods, ..
                } => (
                    meaning(namespaces, pods),
                    self.witnesses(namespaces, pods),
                    unlisted(namespaces, pods),
                ),
                Peer::Addresses { set, .. } => {
                    let ends = set
                        .ranges()
                        .iter()
                        .flat_map(|range| [range.first(), range.last()]);
                    let ranges: Vec<String> =
                        set.ranges().iter().map(ToString::to_string).collect();
                    let ends = ends.map(Endpoint::Address).collect();
                    (ranges.join(", "), ends, Vec::new())
                }
                Peer::Nodes(_) | Peer::DomainNames(_) | Peer::Unknown(_) => return None,
            };
            let path = Policy::peer_path(direction, rule.index, at);
            Some(allowance(path, format!("allows {who}"), peers, unlisted))
        })
        .collect()
    }

    /// A pod for each namespace that is meant, with just the labels that are asked for.
    fn witnesses(&self, namespaces: &Namespaces, pods: &Selector) -> Vec<Endpoint> {
        let Some(asked) = pods.readable() else {
            return Vec::new();
        };
        let labels: BTreeMap<String, String> = asked.0.iter().filter_map(label).collect();
        let in_namespace = |namespace: &str| Endpoint::Pods {
            namespace: namespace.to_owned(),
            labels: Some(Clone::clone(&labels)),
        };
        match namespaces {
            Namespaces::Named(name) => vec![in_namespace(name)],
            Namespaces::Unknown(_) => Vec::new(),
            Namespaces::Selected(selector) => {
                let mut names: Vec<&str> = self.inventory.all_namespaces().into_iter().collect();
                names.retain(|name| {
                    selector.matches(&self.inventory.namespace_labels(name)) == Tri::Yes
                });
                let named = selector
                    .values_asked()
                    .filter(|(key, _)| *key == NAME_LABEL);
                names.extend(named.flat_map(|(_, values)| values.iter().map(String::as_str)));
                names.sort_unstable();
                names.dedup();
                names.into_iter().map(in_namespace).collect()
            }
        }
    }

    /// The workloads that a policy is about for certain.
    fn subjects(&self, policy: &Policy) -> Vec<ObjectKey> {
        let matcher = self.matcher();
        let is_about = |id: u32| matcher.selects(policy, self.pod(id)) == Tri::Yes;
        let subjects: BTreeSet<&ObjectKey> = match &policy.subject.namespaces {
            Namespaces::Named(name) => {
                let own = self.inventory.of_namespace(name);
                own.filter(|(_, id)| is_about(*id))
                    .map(|(key, _)| key)
                    .collect()
            }
            Namespaces::Unknown(_) => BTreeSet::new(),
            Namespaces::Selected(_) => {
                let all = self.inventory.workloads.iter();
                let all = all.filter(|(_, ids)| ids.iter().any(|id| is_about(*id)));
                all.map(|(key, _)| &**key).collect()
            }
        };
        subjects.into_iter().cloned().collect()
    }
}

/// The label that is asked for; the first where several will do.
fn label(requirement: &Requirement) -> Option<(String, String)> {
    match requirement {
        Requirement::In(key, values) => Some((key.clone(), values.first()?.clone())),
        Requirement::Exists(key) => Some((key.clone(), String::new())),
        Requirement::NotIn(..) | Requirement::DoesNotExist(_) => None,
    }
}

/// Such pods of namespaces that the world does not hold, one for each value of a label that will do. None
/// where the names of the namespaces are asked for: these are known.
fn unlisted(namespaces: &Namespaces, pods: &Selector) -> Vec<Endpoint> {
    let (Namespaces::Selected(namespaces), Some(pods)) = (namespaces, pods.readable()) else {
        return Vec::new();
    };
    let Some(asked) = namespaces.readable() else {
        return Vec::new();
    };
    let by_name = |one: &Requirement| matches!(one, Requirement::In(key, _) if key == NAME_LABEL);
    if asked.0.iter().any(by_name) {
        return Vec::new();
    }
    let first: BTreeMap<String, String> = asked.0.iter().filter_map(label).collect();
    let mut all = vec![first.clone()];
    for requirement in &asked.0 {
        if let Requirement::In(key, values) = requirement {
            all.extend(values.iter().skip(1).map(|value| {
                let mut other = first.clone();
                other.insert(key.clone(), value.clone());
                other
            }));
        }
    }
    let labels: BTreeMap<String, String> = pods.0.iter().filter_map(label).collect();
    let of = |namespaces| Endpoint::PodsOfSome {
        namespaces,
        labels: labels.clone(),
    };
    all.into_iter().map(of).collect()
}

fn meaning(namespaces: &Namespaces, pods: &Selector) -> String {
    let pods = match pods.readable() {
        Some(selector) if !selector.0.is_empty() => format!("pods with {selector}"),
        _ => "pods".to_owned(),
    };
    let selected = match namespaces {
        Namespaces::Named(name) => return format!("{pods} of namespace {name}"),
        Namespaces::Selected(selector) => selector.readable(),
        Namespaces::Unknown(_) => None,
    };
    match selected {
        Some(selector) => match &selector.0[..] {
            [] => format!("{pods} of all namespaces"),
            [Requirement::In(key, names)] if key == NAME_LABEL => {
                let noun = if names.len() == 1 {
                    "namespace"
                } else {
                    "namespaces"
                };
                format!("{pods} of {noun} {}", underpin_model::wording::list(names))
            }
            _ => format!("{pods} of namespaces with {selector}"),
        },
        None => pods,
    }
}
