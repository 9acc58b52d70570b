//! Needs as they are found, each once with all that says so.

use std::collections::BTreeMap;

use underpin_model::{Confidence, Consumer, Evidence, Need, PortRef, Protocol, Supplier};

use super::{NeedProblem, ProblemKind};

/// What makes two needs the same.
type Key = (Consumer, Supplier, Protocol, Option<PortRef>);

/// Needs as they are found, and what stands in the way of knowing them.
#[derive(Debug, Default)]
pub(super) struct Found {
    needs: BTreeMap<Key, Need>,
    problems: Vec<NeedProblem>,
}

/// All that was found: needs, sorted, and problems.
#[derive(Debug)]
pub(super) struct Result {
    pub(super) needs: Vec<Need>,
    pub(super) problems: Vec<NeedProblem>,
}

impl Found {
    /// Adds what says that a need is one.
    pub(super) fn add(
        &mut self,
        from: &Consumer,
        to: (Supplier, Protocol, Option<PortRef>),
        confidence: Confidence,
        evidence: Evidence,
    ) {
        let (to, protocol, port) = to;
        let key = (from.clone(), to.clone(), protocol, port.clone());
        let need = self.needs.entry(key).or_insert_with(|| Need {
            from: from.clone(),
            to,
            protocol,
            port,
            confidence,
            evidence: Vec::new(),
            reason: None,
        });
        need.confidence = need.confidence.max(confidence);
        if need.evidence.last() != Some(&evidence) {
            need.evidence.push(evidence);
        }
    }

    /// Adds what stands in the way of knowing a need.
    pub(super) fn problem(&mut self, kind: ProblemKind, evidence: Evidence) {
        self.problems.push(NeedProblem { kind, evidence });
    }

    /// The needs, sorted. One without a port is taken into those with one: it says no more.
    pub(super) fn finish(self) -> Result {
        let mut needs: Vec<Need> = Vec::with_capacity(self.needs.len());
        let mut portless: Option<Need> = None;
        let same =
            |a: &Need, b: &Need| a.from == b.from && a.to == b.to && a.protocol == b.protocol;
        for need in self.needs.into_values() {
            // Without a port sorts before every port.
            if need.port.is_none() {
                needs.extend(portless.replace(need));
                continue;
            }
            match portless.take() {
                Some(open) if same(&open, &need) => needs.push(joined(need, open)),
                other => {
                    needs.extend(other);
                    needs.push(need);
                }
            }
        }
        needs.extend(portless);
        for need in &mut needs {
            need.evidence.sort_by(|a, b| {
                let key = |one: &Evidence| (one.object.clone(), one.path.clone(), one.note.clone());
                key(a).cmp(&key(b))
            });
            need.evidence.dedup();
        }
        Result {
            needs,
            problems: self.problems,
        }
    }
}

fn joined(mut need: Need, open: Need) -> Need {
    need.confidence = need.confidence.max(open.confidence);
    need.evidence.extend(open.evidence);
    need
}
