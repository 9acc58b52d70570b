//! Needs that somebody says are none.

use std::collections::BTreeMap;

use underpin_model::{Consumer, Evidence, Need, PortRef, Supplier};

use super::{NeedProblem, Needs, ProblemKind, SuppressedNeed, found::Result};

/// What somebody says is not needed.
#[derive(Clone, Debug)]
pub(super) struct Suppression {
    pub(super) consumers: Vec<Consumer>,
    pub(super) to: Supplier,
    /// The port, where one is named; without it, all.
    pub(super) port: Option<PortRef>,
    pub(super) reason: String,
    pub(super) evidence: Evidence,
}

/// Takes out what is suppressed, and tells of suppressions that suppress nothing.
pub(super) fn apply(suppressions: Vec<Suppression>, found: Result) -> Needs {
    let Result { needs, problems } = found;
    let mut by_pair: BTreeMap<(&Consumer, &Supplier), Vec<usize>> = BTreeMap::new();
    for (at, suppression) in suppressions.iter().enumerate() {
        for consumer in &suppression.consumers {
            by_pair
                .entry((consumer, &suppression.to))
                .or_default()
                .push(at);
        }
    }
    let mut used = vec![false; suppressions.len()];
    let mut all = Needs {
        problems,
        ..Needs::default()
    };
    for need in needs {
        let candidates = by_pair.get(&(&need.from, &need.to));
        let means = |at: &&usize| means(&suppressions[**at], &need);
        let found = candidates.into_iter().flatten().find(means).copied();
        match found {
            Some(at) => {
                used[at] = true;
                all.suppressed.push(SuppressedNeed {
                    need,
                    reason: suppressions[at].reason.clone(),
                    evidence: suppressions[at].evidence.clone(),
                });
            }
            None => all.needs.push(need),
        }
    }
    for (suppression, _) in suppressions.iter().zip(used).filter(|(_, used)| !used) {
        let mut evidence = suppression.evidence.clone();
        evidence.note.push_str(", and nothing else says that it is");
        all.problems.push(NeedProblem {
            kind: ProblemKind::UnusedSuppression,
            evidence,
        });
    }
    all.problems.sort_by(|a, b| key(a).cmp(&key(b)));
    all.problems.dedup();
    all
}

fn key(problem: &NeedProblem) -> impl Ord + '_ {
    let Evidence {
        object, path, note, ..
    } = &problem.evidence;
    (problem.kind, object, path, note)
}

fn means(suppression: &Suppression, need: &Need) -> bool {
    suppression.port.is_none() || suppression.port == need.port
}
