//! What must go together, and how much of it one run may take.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Doomed, Group, Plan, Reason,
    decide::{Candidates, Case, later},
};
use crate::{
    graph::{Graph, Node},
    reference::RepositoryPath,
    settings::Settings,
};

/// The candidates as groups that go together. What has to wait is given its reason.
pub(super) fn groups(
    case: &Case<'_>,
    candidates: &[Node],
    since: &[Timestamp],
    reasons: &mut [BTreeSet<Reason>],
) -> Vec<Candidates> {
    let (graph, settings) = (case.graph, case.input.settings);
    let together = connected(graph, candidates);
    let tops = |nodes: &[Node]| nodes.iter().filter(|node| graph.is_top(**node)).count();
    // Each of these is an image, although none of its manifests can be told to be the one.
    let without = together.iter().filter(|nodes| tops(nodes) == 0).count();
    let everything: Vec<Node> = (0..graph.len()).collect();
    let images = tops(&everything) + without;
    let most = images.saturating_mul(settings.maximum_share) / 100;
    let mut groups = Vec::new();
    for nodes in together {
        if let Some(waiting) = waiting(case, &nodes, reasons) {
            let digest = graph.digest(waiting);
            for node in nodes {
                if reasons[node].is_empty() {
                    reasons[node].insert(Reason::WaitsFor(digest.clone()));
                }
            }
            continue;
        }
        let sorted = graph.sorted(&nodes);
        let doomed = sorted.iter().map(|node| Doomed {
            digest: graph.digest(*node).clone(),
            tags: graph.tags[*node].iter().map(|tag| (*tag).clone()).collect(),
            size: graph.manifest(*node).size,
        });
        let before = nodes.iter().filter_map(|node| case.candidate_before(*node));
        groups.push(Candidates {
            since: nodes
                .iter()
                .map(|node| since[*node])
                .max()
                .unwrap_or(case.input.now),
            images: tops(&nodes).max(1),
            most,
            group: Group {
                repository: case.path.clone(),
                candidate_since: before.max().unwrap_or(case.input.now),
                manifests: doomed.collect(),
            },
        });
    }
    groups
}

/// Manifests that hold each other, or say something of each other, directly or through others.
fn connected(graph: &Graph<'_>, nodes: &[Node]) -> Vec<Vec<Node>> {
    let mut left: BTreeSet<Node> = nodes.iter().copied().collect();
    let mut all = Vec::new();
    while let Some(first) = left.pop_first() {
        let mut nodes = vec![first];
        let mut at = 0;
        while at < nodes.len() {
            let node = nodes[at];
            at += 1;
            let above = graph.parents[node].iter().chain(&graph.subjects[node]);
            let around: Vec<Node> = graph.below(node).chain(above.copied()).collect();
            nodes.extend(around.into_iter().filter(|other| left.remove(other)));
        }
        nodes.sort_unstable();
        all.push(nodes);
    }
    all
}

/// Notes what may not go yet, for no earlier run, or none long enough ago, found that nothing needs
/// it; one of these, if there is any.
fn waiting(case: &Case<'_>, nodes: &[Node], reasons: &mut [BTreeSet<Reason>]) -> Option<Node> {
    let (now, apart) = (case.input.now, case.input.settings.apart);
    let mut first = None;
    for node in nodes {
        let since = case.candidate_before(*node);
        let until = later(since.unwrap_or(now), apart);
        if since.is_none() || now < until {
            reasons[*node].insert(Reason::Waits { since, until });
            first = first.or(Some(*node));
        }
    }
    first
}

/// Takes as much as one run may, what has been seen longest first. What is left over is given its
/// reason.
pub(super) fn within_limits(plan: &mut Plan, mut groups: Vec<Candidates>, settings: &Settings) {
    groups.sort_by(|left, right| {
        let key = |one: &Candidates| {
            let first = one
                .group
                .manifests
                .first()
                .map(|doomed| doomed.digest.clone());
            (one.since, one.group.repository.clone(), first)
        };
        key(left).cmp(&key(right))
    });
    let is_stopped = !plan.stops.is_empty();
    let mut number = settings.maximum_number;
    let mut taken: BTreeMap<RepositoryPath, usize> = BTreeMap::new();
    for candidates in groups {
        let Candidates {
            group,
            images,
            most,
            ..
        } = candidates;
        let of_repository = taken.entry(group.repository.clone()).or_default();
        let reason = if is_stopped {
            Some(Reason::Stopped)
        } else if *of_repository + images > most {
            Some(Reason::OverShare { most })
        } else if group.manifests.len() > number {
            Some(Reason::OverNumber {
                most: settings.maximum_number,
            })
        } else {
            None
        };
        if let Some(reason) = reason {
            stay(plan, &group, &reason);
            continue;
        }
        *of_repository += images;
        number -= group.manifests.len();
        plan.deletions.push(group);
    }
    plan.deletions.sort_by(|left, right| {
        let key = |group: &Group| {
            let first = group.manifests.first().map(|doomed| doomed.digest.clone());
            (group.repository.clone(), first)
        };
        key(left).cmp(&key(right))
    });
}

fn stay(plan: &mut Plan, group: &Group, reason: &Reason) {
    let Some(repository) = plan.repositories.get_mut(&group.repository) else {
        return;
    };
    for doomed in &group.manifests {
        if let Some(manifest) = repository.manifests.get_mut(&doomed.digest) {
            manifest.reasons.push(reason.clone());
        }
    }
}
