//! What two worlds allow differently.
//!
//! A namespace that was renamed with everything in it is the same namespace: a rename that the
//! policies follow changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use underpin_model::ObjectKey;
use underpin_refs::namespace_of;

use crate::{
    addresses::AddressRange,
    answer::{Answer, Effect, Line, Verdict},
    engine::Engine,
    evaluate::Outcome,
    matrix::{Matrix, Member},
    ports::Connections,
    question::{Endpoint, Question, Target},
};

/// Namespaces that have another name in the world after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames {
    after: BTreeMap<String, String>,
    before: BTreeMap<String, String>,
}

impl Renames {
    /// These namespaces, from their name before to their name after.
    pub fn new(renamed: impl IntoIterator<Item = (String, String)>) -> Self {
        let after: BTreeMap<String, String> = renamed.into_iter().collect();
        let reversed = after.iter().map(|(old, new)| (new.clone(), old.clone()));
        Self {
            before: reversed.collect(),
            after,
        }
    }

    /// Namespaces that are gone, each with a new one that holds mostly the same workloads. None
    /// where two would do.
    pub fn detect(before: &Engine, after: &Engine) -> Self {
        let (old, new) = (
            workloads_by_namespace(before),
            workloads_by_namespace(after),
        );
        let only = |of: &Workloads, others: &Workloads| -> Workloads {
            let own = of.iter().filter(|(name, _)| !others.contains_key(*name));
            own.map(|(name, held)| (name.clone(), held.clone()))
                .collect()
        };
        let (gone, come) = (only(&old, &new), only(&new, &old));
        let best = |held: &BTreeSet<Workload>, among: &Workloads| -> Option<String> {
            let alike = among.iter().filter(|(_, others)| {
                let shared = held.intersection(others).count();
                shared * 2 >= held.len().max(others.len())
            });
            let names: Vec<&String> = alike.map(|(name, _)| name).collect();
            match names[..] {
                [only] => Some(only.clone()),
                _ => None,
            }
        };
        Self::new(gone.iter().filter_map(|(name, held)| {
            let new = best(held, &come)?;
            let back = best(&come[&new], &gone)?;
            (back == *name).then(|| (name.clone(), new))
        }))
    }

    /// The renamed namespaces: before and after.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.after.iter();
        pairs.map(|(old, new)| (old.as_str(), new.as_str()))
    }

    fn key_after(&self, key: &ObjectKey) -> ObjectKey {
        renamed(key, &self.after)
    }

    /// The question as it was asked before the change.
    fn question_before(&self, question: &Question) -> Question {
        let name = |name: &String| self.before.get(name).unwrap_or(name).clone();
        let endpoint = |endpoint: &Endpoint| match endpoint {
            Endpoint::Workload(key) => Endpoint::Workload(renamed(key, &self.before)),
            Endpoint::Pods { namespace, labels } => Endpoint::Pods {
                namespace: name(namespace),
                labels: labels.clone(),
            },
            other => other.clone(),
        };
        Question {
            from: endpoint(&question.from),
            to: match &question.to {
                Target::Endpoint(to) => Target::Endpoint(endpoint(to)),
                Target::Service {
                    namespace,
                    name: service,
                } => Target::Service {
                    namespace: name(namespace),
                    name: service.clone(),
                },
            },
            protocol: question.protocol,
            port: question.port.clone(),
        }
    }
}

/// A workload without its namespace.
type Workload = (String, String, String);
type Workloads = BTreeMap<String, BTreeSet<Workload>>;

fn workloads_by_namespace(engine: &Engine) -> Workloads {
    let mut found = Workloads::new();
    for key in engine.workloads() {
        let workload = (
            key.kind.group.clone(),
            key.kind.kind.clone(),
            key.name.clone(),
        );
        let namespace = found.entry(namespace_of(key).to_owned());
        namespace.or_default().insert(workload);
    }
    found
}

fn renamed(key: &ObjectKey, names: &BTreeMap<String, String>) -> ObjectKey {
    let mut key = key.clone();
    if let Some(name) = key.namespace.as_ref().and_then(|name| names.get(name)) {
        key.namespace = Some(name.clone());
    }
    key
}

/// A pair between which something else is allowed than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Who connects, by the name after the change.
    pub from: Member,
    /// To whom, by the name after the change.
    pub to: Member,
    /// What was allowed.
    pub before: Outcome,
    /// What is allowed now.
    pub after: Outcome,
}

impl Change {
    /// What was allowed for certain and is refused for certain.
    pub fn lost(&self) -> Connections {
        let after = &self.after;
        self.before
            .allowed
            .without(&after.allowed)
            .without(&after.unknown)
    }

    /// What was refused for certain and is allowed for certain.
    pub fn gained(&self) -> Connections {
        let before = &self.before;
        self.after
            .allowed
            .without(&before.allowed)
            .without(&before.unknown)
    }
}

/// What a change does to everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The namespaces that were taken for renamed.
    pub renames: Renames,
    /// Workloads that are gone, sorted.
    pub gone: Vec<ObjectKey>,
    /// Workloads that are new, sorted.
    pub new: Vec<ObjectKey>,
    /// Pairs of what is there before and after, by destination and then by source.
    pub pairs: Vec<Change>,
}

/// Compares all pairs of two worlds.
pub fn changes(before: &Engine, after: &Engine, renames: &Renames) -> Changes {
    // Both cut the addresses outside where either does, so that the ranges are the same.
    let cuts: Vec<AddressRange> = [before.outside(&[]), after.outside(&[])].concat();
    let (mut old, mut new) = (before.matrix(&cuts), after.matrix(&cuts));
    let indices: BTreeMap<Member, usize> = new.members().iter().cloned().zip(0..).collect();
    let mut changes = Changes {
        renames: renames.clone(),
        ..Changes::default()
    };
    let mut pairs = Vec::new();
    for (index, member) in old.members().iter().enumerate() {
        let name = match member {
            Member::Workload(key) => Member::Workload(renames.key_after(key)),
            outside @ Member::Outside(_) => outside.clone(),
        };
        match (indices.get(&name), member) {
            (Some(at), _) => pairs.push((index, *at)),
            (None, Member::Workload(key)) => changes.gone.push(key.clone()),
            (None, Member::Outside(_)) => {}
        }
    }
    let known: BTreeSet<usize> = pairs.iter().map(|(_, at)| *at).collect();
    let come = new.members().iter().enumerate();
    changes.new = come
        .filter(|(at, _)| !known.contains(at))
        .filter_map(|(_, member)| match member {
            Member::Workload(key) => Some(key.clone()),
            Member::Outside(_) => None,
        })
        .collect();
    pairs.sort_by_key(|(_, at)| *at);
    changes.pairs = compare(&mut old, &mut new, &pairs);
    changes
}

fn compare(old: &mut Matrix<'_>, new: &mut Matrix<'_>, pairs: &[(usize, usize)]) -> Vec<Change> {
    let mut equal: HashMap<(u32, u32), bool> = HashMap::new();
    let mut found = Vec::new();
    for &(to_old, to_new) in pairs {
        let (was, is) = (old.row(to_old), new.row(to_new));
        for &(from_old, from_new) in pairs {
            let ids = (was[from_old], is[from_new]);
            let same = *equal
                .entry(ids)
                .or_insert_with(|| old.outcome(ids.0) == new.outcome(ids.1));
            if !same {
                found.push(Change {
                    from: new.members()[from_new].clone(),
                    to: new.members()[to_new].clone(),
                    before: old.outcome(ids.0).clone(),
                    after: new.outcome(ids.1).clone(),
                });
            }
        }
    }
    found
}

/// A need with its answers before and after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedChange {
    /// What is needed, by the names after the change.
    pub question: Question,
    /// The answer before.
    pub before: Answer,
    /// The answer now.
    pub after: Answer,
}

impl NeedChange {
    /// Whether it was allowed for certain and is refused for certain.
    pub fn is_lost(&self) -> bool {
        self.before.verdict == Verdict::Allowed && self.after.verdict == Verdict::Refused
    }

    /// The rules, with the peers that matched, which allowed it before, in the directions that
    /// refuse it now.
    pub fn allowed_by(&self) -> Vec<&Line> {
        allowed_by(&self.before, &self.after)
    }
}

/// The rules, with the peers that matched, by which one answer allows what another refuses, in the
/// directions that refuse it.
pub fn allowed_by<'a>(before: &'a Answer, after: &Answer) -> Vec<&'a Line> {
    let refuses = |is_egress: bool| {
        after.flows.iter().any(|flow| {
            let trace = if is_egress {
                &flow.egress
            } else {
                &flow.ingress
            };
            trace.verdict == Verdict::Refused
        })
    };
    let (egress, ingress) = (refuses(true), refuses(false));
    let mut lines = Vec::new();
    for flow in &before.flows {
        for (trace, refused) in [(&flow.egress, egress), (&flow.ingress, ingress)] {
            let allowing = trace
                .lines
                .iter()
                .filter(|line| refused && line.effect == Effect::Allows);
            for line in allowing {
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
    }
    lines
}

/// The needs of which the answer is another than before: lost ones first, else in their order.
pub fn changed_needs(
    before: &Engine,
    after: &Engine,
    renames: &Renames,
    needs: &[Question],
) -> Vec<NeedChange> {
    let each = needs.iter().map(|question| NeedChange {
        question: question.clone(),
        before: before.answer(&renames.question_before(question)),
        after: after.answer(question),
    });
    let mut changed: Vec<NeedChange> = each
        .filter(|need| need.before.verdict != need.after.verdict)
        .collect();
    changed.sort_by_key(|need| !need.is_lost());
    changed
}
