//! What stays and what goes, with every reason (R4.1 to R4.4).
//!
//! ```text
//! roots ──▶ needed straight ──▶ closure ──┐
//! settings, records ──▶ kept straight ──▶ closure ──▶ the rest: candidates ──▶ pace ──▶ deletions
//! ```
//!
//! Both closures go from an index to its children, and between a manifest and what says something
//! of it, in both directions.

mod decide;
mod freed;
mod group;
mod reason;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use freed::Freed;
pub use reason::{Reason, Stop};

use crate::{
    digest::Digest,
    graph::Graph,
    needs::{Missing, Needs, Resolver},
    record::{ManifestRecord, RepositoryRecord, RootsSeen, RunRecord},
    reference::{RepositoryPath, Tag},
    registry::Registry,
    root::{Root, Source},
    settings::Settings,
};

/// What a plan is made of.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// The registry, as read.
    pub registry: &'a Registry,
    /// Where roots were read.
    pub sources: &'a [Source],
    /// Every need.
    pub roots: &'a [Root],
    /// What earlier runs left; the newest of this registry counts.
    pub records: &'a [RunRecord],
    /// How careful to be.
    pub settings: &'a Settings,
    /// The time.
    pub now: Timestamp,
}

/// What stays and what goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Every manifest of every repository.
    pub repositories: BTreeMap<RepositoryPath, RepositoryPlan>,
    /// Why nothing may be deleted; empty where something may.
    pub stops: Vec<Stop>,
    /// Roots that name something of this registry that is not there.
    pub missing: Vec<Missing>,
    /// What goes, in the order in which it goes.
    pub deletions: Vec<Group>,
    /// What this run leaves to the next.
    pub record: RunRecord,
}

/// What stays and what goes of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryPlan {
    /// Every manifest, with why it stays; without a reason it goes.
    pub manifests: BTreeMap<Digest, ManifestPlan>,
}

/// What becomes of one manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestPlan {
    /// Its tags, which share its fate.
    pub tags: Vec<Tag>,
    /// Every reason why it stays, sorted; empty where it goes.
    pub reasons: Vec<Reason>,
    /// When it was seen first.
    pub since: Timestamp,
}

/// Manifests that go together or not at all, in the order in which they go: each before its
/// children and before what says something of it, so that a run that is cut leaves nothing behind
/// that points to what is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The repository.
    pub repository: RepositoryPath,
    /// Since when nothing has needed them.
    pub candidate_since: Timestamp,
    /// The manifests.
    pub manifests: Vec<Doomed>,
}

/// A manifest that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Its digest.
    pub digest: Digest,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// How many bytes the manifest has.
    pub size: u64,
}

/// Makes a plan.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let registry = input.registry;
    let graphs: BTreeMap<&RepositoryPath, Graph<'_>> = registry
        .repositories
        .iter()
        .map(|(path, read)| (path, Graph::of(read)))
        .collect();
    let foreign = &input.settings.consents.foreign_texts;
    let needs = Resolver::new(registry, &graphs, foreign).needs(input.roots);
    let previous = RunRecord::newest(input.records, &registry.host);
    let stops = stops(input, &needs, previous);
    let mut plan = Plan {
        repositories: BTreeMap::new(),
        missing: needs.missing.clone(),
        deletions: Vec::new(),
        record: empty_record(input, &needs, previous, &stops),
        stops,
    };
    let mut groups = Vec::new();
    for (path, repository) in &registry.repositories {
        let Some(graph) = graphs.get(path) else {
            continue;
        };
        let decision = decide::decide(&decide::Case {
            input,
            path,
            repository,
            graph,
            needs: needs.repositories.get(path),
            previous: previous.and_then(|record| record.repository(path)),
            is_complete: plan.stops.is_empty(),
        });
        plan.repositories.insert(path.clone(), decision.plan);
        plan.record
            .repositories
            .insert(path.clone(), decision.record);
        groups.extend(decision.groups);
    }
    remember_unseen(&mut plan, previous, registry);
    group::within_limits(&mut plan, groups, input.settings);
    plan
}

/// Why nothing may be deleted (R4.3).
fn stops(input: &PlanInput<'_>, needs: &Needs, previous: Option<&RunRecord>) -> Vec<Stop> {
    let consents = &input.settings.consents;
    let mut stops = Vec::new();
    for source in input.sources {
        stops.extend(source.unread.iter().map(|one| Stop::SourceUnread {
            source: source.name.to_string(),
            reason: one.what.clone(),
            consent: one.consent.clone(),
        }));
    }
    stops.extend(
        input
            .registry
            .unread
            .iter()
            .map(|part| Stop::RegistryUnread {
                what: part.what.clone(),
                reason: part.reason.clone(),
            }),
    );
    let unreadable = needs.unreadable.iter();
    stops.extend(unreadable.map(|root| Stop::Unreadable { root: *root }));
    if needs.named == 0 {
        stops.push(Stop::NoRoots);
    }
    if let Some(previous) = previous {
        let now = RootsSeen {
            at: input.now,
            number: needs.named,
        };
        let is_allowed = |now| consents.fewest_roots.is_some_and(|fewest| now >= fewest);
        if let Some(before) = RootsSeen::most(&previous.roots)
            && now.number > 0
            && now.is_half_of(before)
            && !is_allowed(now.number)
        {
            stops.push(Stop::FewerRoots {
                before,
                now: now.number,
            });
        }
        let names: BTreeSet<&str> = input.sources.iter().map(|source| &*source.name).collect();
        let gone = previous.sources.iter().filter(|source| {
            !names.contains(source.as_str()) && !consents.sources_gone.contains(*source)
        });
        stops.extend(gone.map(|source| Stop::SourceGone {
            source: source.clone(),
        }));
        if previous.at > input.now {
            stops.push(Stop::Clock {
                recorded: previous.at,
            });
        }
    }
    stops.sort();
    stops.dedup();
    stops
}

/// The head of what is remembered. A run that was stopped changes nothing of what the next one is
/// compared with: otherwise it would be enough to run twice.
fn empty_record(
    input: &PlanInput<'_>,
    needs: &Needs,
    previous: Option<&RunRecord>,
    stops: &[Stop],
) -> RunRecord {
    let complete = stops.is_empty();
    let compared = previous.filter(|_| !complete);
    let now: BTreeSet<String> = input
        .sources
        .iter()
        .map(|source| source.name.to_string())
        .collect();
    RunRecord {
        schema: RunRecord::SCHEMA.to_owned(),
        at: previous.map_or(input.now, |previous| previous.at.max(input.now)),
        registry: input.registry.host.clone(),
        complete,
        roots: compared.map_or_else(
            || roots_seen(input.now, needs, previous),
            |previous| previous.roots.clone(),
        ),
        sources: compared.map_or(now, |previous| previous.sources.clone()),
        repositories: BTreeMap::new(),
    }
}

/// What the next run is compared with after one that was not stopped. That there is far less, somebody has
/// consented to then.
fn roots_seen(at: Timestamp, needs: &Needs, previous: Option<&RunRecord>) -> Vec<RootsSeen> {
    let now = RootsSeen {
        at,
        number: needs.named,
    };
    let before = previous.map_or(&[][..], |previous| &previous.roots);
    let fewer = RootsSeen::most(before).filter(|before| now.is_half_of(*before));
    now.with(fewer.map_or(before, |_| &[]))
}

/// What this run could not see is not forgotten.
fn remember_unseen(plan: &mut Plan, previous: Option<&RunRecord>, registry: &Registry) {
    if registry.unread.is_empty() {
        return;
    }
    for (path, before) in previous.iter().flat_map(|record| &record.repositories) {
        let now = plan.record.repositories.entry(path.clone()).or_default();
        let RepositoryRecord {
            manifests,
            moved_tags,
            tags,
        } = before;
        for (digest, seen) in manifests {
            let unseen = || ManifestRecord { ..seen.clone() };
            now.manifests.entry(digest.clone()).or_insert_with(unseen);
        }
        now.moved_tags.extend(moved_tags.iter().cloned());
        for (tag, digest) in tags {
            let known = now.tags.entry(tag.clone());
            known.or_insert_with(|| digest.clone());
        }
    }
}
