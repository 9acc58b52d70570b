//! What policies select: namespaces that their lists name, and selectors that match nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use underpin_model::{Evidence, FieldPath, LabelSelector, ObjectKey, Requirement};

use crate::{
    engine::Engine,
    labels::{Selector, Tri},
    policy::{Action, Direction, Namespaces, Peer, Policy, Tier},
    read::NAME_LABEL,
};

/// A selector of a policy that nothing in the world matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmatchedSelector {
    /// The policy.
    pub policy: ObjectKey,
    /// The selector, and where it is written.
    pub evidence: Evidence,
    /// Which way the rule goes that it stands in; absent for the pods that the policy is about.
    pub direction: Option<Direction>,
    /// What is not there.
    pub missing: Missing,
}

/// What a selector asks for and nothing is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// A namespace of this name, neither as an object nor with a workload.
    Namespace(String),
    /// A namespace with such labels.
    NamespaceLabels(LabelSelector),
    /// A pod with such labels, in namespaces in which there are pods.
    Pods {
        /// The namespaces, sorted.
        namespaces: Vec<String>,
        /// The labels.
        selector: LabelSelector,
    },
}

/// The namespaces that the lists of what may come in name, by name or by other labels.
#[derive(Clone, Debug, Default)]
pub struct AllowLists {
    names: BTreeSet<String>,
    selectors: BTreeSet<Selector>,
    /// Namespaces whose policies let in pods of their own: a peer without a selector of namespaces
    /// means the policy's own, which it does not write.
    own: BTreeSet<String>,
}

impl AllowLists {
    /// Whether no list names any namespace.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.selectors.is_empty()
    }

    /// What the lists name: namespaces, and labels of namespaces.
    pub fn named(&self) -> Vec<String> {
        let readable = self.selectors.iter().filter_map(Selector::readable);
        let labels = readable.map(|selector| format!("namespaces with {selector}"));
        self.names.iter().cloned().chain(labels).collect()
    }
}

/// Pods of namespaces, as a policy means them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Meant<'e> {
    namespaces: &'e Namespaces,
    pods: &'e Selector,
}

impl Engine {
    /// The namespaces that the ingress rules of all policies name to be allowed. A selector without
    /// requirements means all namespaces and names none.
    pub fn allow_lists(&self) -> AllowLists {
        let mut lists = AllowLists::default();
        let mut seen = BTreeSet::new();
        for policy in &self.policies {
            let rules = policy.rules(Direction::Ingress).unwrap_or_default();
            let allowing = rules.iter().filter(|rule| rule.action == Action::Allow);
            for id in allowing.flat_map(|rule| rule.peers.iter().flatten()) {
                if !seen.insert(*id) {
                    continue;
                }
                match self.peers.get(*id) {
                    Peer::Pods {
                        namespaces: Namespaces::Selected(selector),
                        ..
                    } => lists.add(selector),
                    Peer::Pods {
                        namespaces: Namespaces::Named(own),
                        ..
                    } => {
                        lists.own.insert(own.clone());
                    }
                    // It may name any.
                    Peer::Unknown(gap) => {
                        lists.selectors.insert(Selector::unknown(gap.clone()));
                    }
                    _ => {}
                }
            }
        }
        lists
    }

    /// Whether a namespace is named by one of the lists, or may be: a selector that cannot be read
    /// may mean any.
    pub fn is_listed(&self, namespace: &str, lists: &AllowLists) -> bool {
        let labels = self.inventory.namespace_labels(namespace);
        lists.names.contains(namespace)
            || lists.own.contains(namespace)
            || lists
                .selectors
                .iter()
                .any(|selector| selector.matches(&labels) != Tri::No)
    }

    /// The selectors that nothing in the world matches, in the order of policies and fields. Pods
    /// are looked for only where there are any: without a workload, a namespace's pods are made
    /// elsewhere.
    pub fn unmatched_selectors(&self) -> Vec<UnmatchedSelector> {
        let mut search = Search {
            engine: self,
            pods: BTreeMap::new(),
            namespaces: BTreeMap::new(),
        };
        let mut gaps: Vec<UnmatchedSelector> = Vec::new();
        let mut policies: Vec<&Policy> = self.policies.iter().collect();
        policies.sort_by(|a, b| a.object.key.cmp(&b.object.key));
        for policy in policies {
            gaps.extend(search.of_subject(policy));
            for direction in [Direction::Ingress, Direction::Egress] {
                gaps.extend(search.of_rules(policy, direction));
            }
        }
        gaps
    }
}

impl AllowLists {
    fn add(&mut self, selector: &Selector) {
        let Some(LabelSelector(requirements)) = selector.readable() else {
            self.selectors.insert(selector.clone());
            return;
        };
        match &requirements[..] {
            [] => {}
            [Requirement::In(key, names)] if key == NAME_LABEL => {
                self.names.extend(names.iter().cloned());
            }
            _ => {
                self.selectors.insert(selector.clone());
            }
        }
    }
}

/// Looks for what selectors mean; each question is answered once.
struct Search<'e> {
    engine: &'e Engine,
    pods: BTreeMap<Meant<'e>, Option<Missing>>,
    namespaces: BTreeMap<&'e Selector, Vec<&'e str>>,
}

impl<'e> Search<'e> {
    fn of_subject(&mut self, policy: &'e Policy) -> Option<UnmatchedSelector> {
        if policy.subject.uncertain.iter().any(Option::is_some) {
            return None;
        }
        let meant = Meant {
            namespaces: &policy.subject.namespaces,
            pods: &policy.subject.pods,
        };
        let missing = self.missing(meant)?;
        let path = policy.subject_path(matches!(missing, Missing::Pods { .. }));
        Some(gap(policy, path, None, missing))
    }

    fn of_rules(&mut self, policy: &'e Policy, direction: Direction) -> Vec<UnmatchedSelector> {
        let mut gaps = Vec::new();
        for rule in policy.rules(direction).unwrap_or_default() {
            for (at, id) in rule.peers.iter().flatten().enumerate() {
                let Peer::Pods {
                    namespaces, pods, ..
                } = self.engine.peers.get(*id)
                else {
                    continue;
                };
                let path = Policy::peer_path(direction, rule.index, at);
                gaps.extend(self.of_names(policy, namespaces, &path, direction));
                let missing = self.missing(Meant { namespaces, pods });
                gaps.extend(missing.map(|missing| {
                    let is_pods = matches!(missing, Missing::Pods { .. });
                    let path = policy.selector_path(&path, is_pods);
                    gap(policy, path, Some(direction), missing)
                }));
            }
        }
        gaps
    }

    /// Namespaces that a peer names and that are not there, each by itself.
    fn of_names(
        &self,
        policy: &Policy,
        namespaces: &Namespaces,
        peer: &FieldPath,
        direction: Direction,
    ) -> Vec<UnmatchedSelector> {
        let Namespaces::Selected(selector) = namespaces else {
            return Vec::new();
        };
        let asked = selector
            .values_asked()
            .filter(|(key, _)| *key == NAME_LABEL)
            .flat_map(|(_, names)| names);
        let missing = asked.filter(|name| !self.engine.inventory.knows(name));
        let path = policy.selector_path(peer, false);
        missing
            .map(|name| {
                let path = value_path(&policy.object, &path, name);
                let missing = Missing::Namespace(name.clone());
                gap(policy, path, Some(direction), missing)
            })
            .collect()
    }

    /// What nothing matches; the names of namespaces aside.
    fn missing(&mut self, meant: Meant<'e>) -> Option<Missing> {
        if let Some(known) = self.pods.get(&meant) {
            return known.clone();
        }
        let missing = self.look_for(meant);
        self.pods.insert(meant, missing.clone());
        missing
    }

    fn look_for(&mut self, meant: Meant<'e>) -> Option<Missing> {
        let namespaces = match meant.namespaces {
            Namespaces::Named(name) => vec![name.as_str()],
            // It may be one that has such pods.
            Namespaces::Unknown(_) => return None,
            Namespaces::Selected(selector) => {
                let matched = self.matched(selector);
                let names = selector.values_asked().any(|(key, _)| key == NAME_LABEL);
                let asked = selector.readable()?;
                if matched.is_empty() && !names && !asked.0.is_empty() {
                    return Some(Missing::NamespaceLabels(asked.clone()));
                }
                matched
            }
        };
        let asked = meant.pods.readable()?;
        if asked.0.is_empty() {
            return None;
        }
        let mut held = Vec::new();
        for namespace in namespaces {
            let mut pods = self.engine.inventory.of_namespace(namespace).peekable();
            if pods.peek().is_none() {
                // Whoever makes its pods may make such.
                continue;
            }
            for (_, id) in pods {
                if meant.pods.matches(&self.engine.pod(id).labels) != Tri::No {
                    return None;
                }
            }
            held.push(namespace.to_owned());
        }
        (!held.is_empty()).then(|| Missing::Pods {
            namespaces: held,
            selector: asked.clone(),
        })
    }

    /// The namespaces that a selector matches, or may.
    fn matched(&mut self, selector: &'e Selector) -> Vec<&'e str> {
        let inventory = &self.engine.inventory;
        let matched = self.namespaces.entry(selector).or_insert_with(|| {
            let all = inventory.all_namespaces().into_iter();
            all.filter(|name| selector.matches(&inventory.namespace_labels(name)) != Tri::No)
                .collect()
        });
        matched.clone()
    }
}

fn gap(
    policy: &Policy,
    path: FieldPath,
    direction: Option<Direction>,
    missing: Missing,
) -> UnmatchedSelector {
    let note = match &missing {
        Missing::Namespace(name) => format!("names namespace {name}"),
        Missing::NamespaceLabels(selector) => format!("selects namespaces with {selector}"),
        Missing::Pods { selector, .. } => format!("selects pods with {selector}"),
    };
    UnmatchedSelector {
        policy: policy.object.key.clone(),
        evidence: policy.object.evidence(path, note),
        direction,
        missing,
    }
}

impl Policy {
    /// The path of the selector of namespaces, or of pods, in a peer.
    fn selector_path(&self, peer: &FieldPath, pods: bool) -> FieldPath {
        if self.tier == Tier::Network {
            return peer.key(if pods {
                "podSelector"
            } else {
                "namespaceSelector"
            });
        }
        let by_pods = peer.key("pods");
        match (pods, value_at(&self.object.value, &by_pods).is_some()) {
            (true, _) => by_pods.key("podSelector"),
            (false, true) => by_pods.key("namespaceSelector"),
            (false, false) => peer.key("namespaces"),
        }
    }

    /// The path of the selector that says which pods the policy is about.
    fn subject_path(&self, pods: bool) -> FieldPath {
        match self.tier {
            Tier::Network => FieldPath::new("spec.podSelector"),
            _ => self.selector_path(&FieldPath::new("spec.subject"), pods),
        }
    }
}

/// The path of the value in a selector that is the name of a namespace.
fn value_path(object: &underpin_model::Object, selector: &FieldPath, name: &str) -> FieldPath {
    let label = selector.key("matchLabels").key(NAME_LABEL);
    let Some(value) = value_at(&object.value, selector) else {
        return label;
    };
    let by_label = value.get("matchLabels").and_then(|all| all.get(NAME_LABEL));
    if by_label.and_then(Value::as_str) == Some(name) {
        return label;
    }
    let expressions = value.get("matchExpressions").and_then(Value::as_array);
    for (at, expression) in expressions.into_iter().flatten().enumerate() {
        let values = expression.get("values").and_then(Value::as_array);
        let position = values
            .into_iter()
            .flatten()
            .position(|value| value.as_str() == Some(name));
        if let Some(position) = position {
            let expression = selector.key("matchExpressions").index(at);
            return expression.key("values").index(position);
        }
    }
    label
}

/// The value at a path of plain keys and indices.
fn value_at<'v>(value: &'v Value, path: &FieldPath) -> Option<&'v Value> {
    path.as_str().split('.').try_fold(value, |at, part| {
        let (key, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        let indices = indices.split(['[', ']']).filter(|text| !text.is_empty());
        let mut at = at.get(key)?;
        for index in indices {
            at = at.get(index.parse::<usize>().ok()?)?;
        }
        Some(at)
    })
}
