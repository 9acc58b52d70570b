//! One repository: what is needed, what is kept besides, and what is left.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::{SignedDuration, Timestamp};

use super::{Group, ManifestPlan, PlanInput, Reason, RepositoryPlan, group};
use crate::{
    digest::Digest,
    graph::{Graph, Node},
    natural::natural_key,
    needs::RepositoryNeeds,
    record::{ManifestRecord, RepositoryRecord},
    reference::{RepositoryPath, Tag},
    registry::{Deletion, Repository},
};

/// One repository, with what it is decided on.
pub(super) struct Case<'c> {
    pub(super) input: &'c PlanInput<'c>,
    pub(super) path: &'c RepositoryPath,
    pub(super) repository: &'c Repository,
    pub(super) graph: &'c Graph<'c>,
    pub(super) needs: Option<&'c RepositoryNeeds>,
    pub(super) previous: Option<&'c RepositoryRecord>,
    pub(super) is_complete: bool,
}

/// What is decided.
pub(super) struct Decision {
    pub(super) plan: RepositoryPlan,
    pub(super) record: RepositoryRecord,
    pub(super) groups: Vec<Candidates>,
}

/// Manifests that may go together, and the place of their repository among limits.
pub(super) struct Candidates {
    pub(super) group: Group,
    /// When the one of them that was seen last was seen first.
    pub(super) since: Timestamp,
    /// How many of them are images of their own.
    pub(super) images: usize,
    /// How many images of the repository one run may take.
    pub(super) most: usize,
}

/// Reasons of every manifest of a repository.
type Reasons = Vec<BTreeSet<Reason>>;

pub(super) fn decide(case: &Case<'_>) -> Decision {
    let graph = case.graph;
    let mut record = RepositoryRecord {
        tags: tags_now(case.repository),
        ..RepositoryRecord::default()
    };
    if let Some(previous) = case.previous {
        record.moved_tags = previous.moved(&record.tags);
    }
    let since: Vec<Timestamp> = (0..graph.len()).map(|node| case.since(node)).collect();
    let mut reasons: Reasons = vec![BTreeSet::new(); graph.len()];
    need(case, &mut reasons);
    close(graph, &mut reasons);
    let needed: Vec<bool> = reasons.iter().map(|own| !own.is_empty()).collect();
    keep(case, &record, &since, &mut reasons);
    close(graph, &mut reasons);
    let candidates: Vec<Node> = (0..graph.len())
        .filter(|node| reasons[*node].is_empty())
        .collect();
    for node in 0..graph.len() {
        let is_candidate = reasons[node].is_empty();
        let seen = ManifestRecord {
            since: since[node],
            candidate_since: case.candidate_since(node, is_candidate, needed[node]),
        };
        record.manifests.insert(graph.digest(node).clone(), seen);
    }
    let groups = group::groups(case, &candidates, &since, &mut reasons);
    let manifests = reasons.into_iter().enumerate().map(|(node, reasons)| {
        let plan = ManifestPlan {
            tags: graph.tags[node].iter().map(|tag| (*tag).clone()).collect(),
            reasons: reasons.into_iter().collect(),
            since: since[node],
        };
        (graph.digest(node).clone(), plan)
    });
    Decision {
        plan: RepositoryPlan {
            manifests: manifests.collect(),
        },
        record,
        groups,
    }
}

fn tags_now(repository: &Repository) -> BTreeMap<Tag, Digest> {
    let known = repository.tags.iter();
    let known = known.filter_map(|(tag, reading)| Some((tag.clone(), reading.present()?.clone())));
    known.collect()
}

impl Case<'_> {
    fn seen(&self, node: Node) -> Option<&ManifestRecord> {
        self.previous?.manifests.get(self.graph.digest(node))
    }

    /// When a manifest was seen first. What stands in the future is not believed.
    fn since(&self, node: Node) -> Timestamp {
        let now = self.input.now;
        self.seen(node).map_or(now, |seen| seen.since.min(now))
    }

    /// Since which run nothing has needed a manifest, for the next run. A need breaks it, and so does a
    /// tag that it did not have: somebody has promoted it. A run that was stopped neither begins nor
    /// breaks anything but by a need that it has seen.
    fn candidate_since(
        &self,
        node: Node,
        is_candidate: bool,
        is_needed: bool,
    ) -> Option<Timestamp> {
        if is_needed {
            return None;
        }
        let before = self.candidate_before(node);
        if self.is_complete {
            is_candidate.then(|| before.unwrap_or(self.input.now))
        } else {
            before
        }
    }

    /// Since which earlier run nothing has needed it, with the same tags.
    pub(super) fn candidate_before(&self, node: Node) -> Option<Timestamp> {
        let since = self.seen(node)?.candidate_since?;
        let digest = self.graph.digest(node);
        let had = |tag: &&Tag| {
            self.previous
                .is_some_and(|one| one.tags.get(*tag) == Some(digest))
        };
        self.graph.tags[node].iter().all(had).then_some(since)
    }
}

/// What roots need straight.
fn need(case: &Case<'_>, reasons: &mut Reasons) {
    let graph = case.graph;
    let whole = case.needs.and_then(RepositoryNeeds::whole_reason);
    let whole: Vec<Reason> = whole
        .into_iter()
        .chain(case.repository.opaque())
        .map(Reason::Opaque)
        .collect();
    for own in reasons.iter_mut() {
        own.extend(whole.iter().cloned());
    }
    for (node, needs) in case.needs.iter().flat_map(|needs| &needs.nodes) {
        let by = needs.iter().cloned();
        reasons[*node].extend(by.map(|(root, by)| Reason::Needed(root, by)));
    }
    hold_up(graph, reasons);
}

/// What is needed and has no tag keeps what holds it, and so on up to what has one: some registries
/// collect what nothing holds. Each manifest is gone through once.
fn hold_up(graph: &Graph<'_>, reasons: &mut Reasons) {
    let is_needed = |own: &BTreeSet<Reason>| own.iter().any(Reason::is_need);
    let mut todo: Vec<Node> = (0..graph.len())
        .filter(|node| is_needed(&reasons[*node]))
        .collect();
    let mut done: Vec<bool> = reasons.iter().map(is_needed).collect();
    while let Some(node) = todo.pop() {
        if !graph.tags[node].is_empty() {
            continue;
        }
        for parent in &graph.parents[node] {
            let holds = Reason::Holds(graph.digest(node).clone());
            reasons[*parent].insert(holds);
            if !done[*parent] {
                done[*parent] = true;
                todo.push(*parent);
            }
        }
    }
}

/// What is kept although nothing needs it.
fn keep(case: &Case<'_>, record: &RepositoryRecord, since: &[Timestamp], reasons: &mut Reasons) {
    let (graph, input) = (case.graph, case.input);
    let settings = input.settings;
    for (node, reasons) in reasons.iter_mut().enumerate() {
        if let Some(held) = &graph.held[node] {
            reasons.insert(Reason::Held(held.clone()));
        }
        let until = later(since[node], settings.minimum_age);
        if input.now < until {
            reasons.insert(Reason::Young {
                since: since[node],
                until,
            });
        }
        if input.registry.deletion == Deletion::DigestsWithTags {
            let moving = graph.tags[node]
                .iter()
                .filter(|tag| record.moved_tags.contains(**tag) || settings.is_mutable(tag));
            reasons.extend(moving.map(|tag| Reason::MutableTag((*tag).clone())));
        }
    }
    for node in newest(case, since) {
        reasons[node].insert(Reason::Newest);
    }
}

/// The newest images of a repository: pushed last, else seen first last, else with the highest tag.
fn newest(case: &Case<'_>, since: &[Timestamp]) -> Vec<Node> {
    let graph = case.graph;
    let pushed = &case.repository.pushed;
    let mut images: Vec<Node> = (0..graph.len())
        .filter(|node| graph.is_top(*node))
        .collect();
    images.sort_by_cached_key(|node| {
        let digest = graph.digest(*node);
        let at = pushed.get(digest).copied().unwrap_or(since[*node]);
        let tags = graph.tags[*node].iter();
        let highest = tags.map(|tag| natural_key(tag.as_str())).max();
        Reverse((at, highest, digest))
    });
    images.truncate(case.input.settings.minimum_kept);
    images
}

/// Everything that stays with what stays. Each manifest is gone through once.
fn close(graph: &Graph<'_>, reasons: &mut Reasons) {
    let mut todo: Vec<Node> = (0..graph.len())
        .filter(|node| !reasons[*node].is_empty())
        .collect();
    let mut done: Vec<bool> = reasons.iter().map(|own| !own.is_empty()).collect();
    while let Some(node) = todo.pop() {
        let digest = graph.digest(node);
        let ways = [
            (&graph.children[node], Reason::ChildOf(digest.clone())),
            (&graph.referrers[node], Reason::RefersTo(digest.clone())),
            (&graph.subjects[node], Reason::ReferredBy(digest.clone())),
        ];
        for (others, reason) in ways {
            for other in others {
                reasons[*other].insert(reason.clone());
                if !done[*other] {
                    done[*other] = true;
                    todo.push(*other);
                }
            }
        }
    }
}

/// A time and a duration later; the end of time where that cannot be said.
pub(super) fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}
