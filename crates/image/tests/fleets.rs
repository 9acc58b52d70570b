//! Random fleets against a naive oracle (R4.2, R4.3): nothing that is needed ever goes, and exactly
//! what nothing needs does.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod fleet;
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use fleet::{Fleet, Stage, fleets, path};
use jiff::Timestamp;
use proptest::{prelude::*, test_runner::TestRunner};
use support::Scene;
use underpin_image::{
    Deletion, Digest, FrozenPlan, JournalEntry, Plan, PlanInput, Reading, Registry, Repository,
    RunRecord, Settings, Source, images_needed, plan, read_journal, restoration,
};

/// How many fleets a usual run looks at; `UNDERPIN_FLEETS` says otherwise.
const FLEETS: u32 = 4_000;

fn count() -> u32 {
    let asked = std::env::var("UNDERPIN_FLEETS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(FLEETS)
}

fn run(
    fleet: &Fleet,
    stage: Stage,
    registry: &Registry,
    records: &[RunRecord],
    settings: &Settings,
    now: Timestamp,
) -> Plan {
    let sources = [Source {
        name: "production".into(),
        unread: Vec::new(),
    }];
    plan(&PlanInput {
        registry,
        sources: &sources,
        roots: &fleet.roots(stage),
        records,
        settings,
        now,
    })
}

fn doomed(plan: &Plan, repository: usize) -> BTreeSet<Digest> {
    let of = plan
        .deletions
        .iter()
        .filter(|group| group.repository == path(repository));
    of.flat_map(|group| &group.manifests)
        .map(|one| one.digest.clone())
        .collect()
}

/// Carries a plan out as a registry does.
fn carried_out(plan: &Plan, registry: &Registry) -> Registry {
    let mut registry = registry.clone();
    for group in &plan.deletions {
        let repository = registry.repositories.get_mut(&group.repository).unwrap();
        for doomed in &group.manifests {
            let all = registry.deletion == Deletion::DigestsWithTags;
            repository.tags.retain(|tag, reading| {
                let is_listed = doomed.tags.contains(tag);
                let is_on_it = *reading == Reading::Present(doomed.digest.clone());
                !(is_listed || all && is_on_it)
            });
            repository
                .manifests
                .insert(doomed.digest.clone(), Reading::Absent);
        }
    }
    registry
}

/// Whether everything that is left has all that it is made of.
fn is_whole(before: &Registry, after: &Registry) -> bool {
    after.repositories.iter().all(|(path, repository)| {
        let gone = |digest: &Digest| {
            let was = before.repositories[path].manifests.get(digest);
            was.is_some_and(|was| was.present().is_some())
                && repository
                    .manifests
                    .get(digest)
                    .is_none_or(|now| now.present().is_none())
        };
        let manifests = repository.manifests.values().filter_map(Reading::present);
        let mut held = manifests.flat_map(|one| {
            one.children
                .iter()
                .map(|child| &child.digest)
                .chain(&one.subject)
        });
        let mut tagged = repository.tags.values().filter_map(Reading::present);
        !held.any(gone) && !tagged.any(gone)
    })
}

/// Deletes with a journal, and puts everything back.
fn is_restored(plan: &Plan, before: &Registry, after: &Registry) -> bool {
    // The bytes do not matter here, but that the hash is theirs: names are bytes.
    let names: BTreeMap<Digest, String> = (0..10)
        .map(|m| (support::digest(&fleet::name(m)), fleet::name(m)))
        .collect();
    let mut journal = String::new();
    let all = plan.deletions.iter();
    let all = all.flat_map(|group| group.manifests.iter().map(move |one| (group, one)));
    for (position, (group, doomed)) in all.enumerate() {
        journal += &JournalEntry {
            schema: JournalEntry::SCHEMA.to_owned(),
            at: Timestamp::UNIX_EPOCH,
            registry: before.host.clone(),
            repository: group.repository.clone(),
            digest: doomed.digest.clone(),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            tags: doomed.tags.clone(),
            position,
            until: None,
            manifest: JournalEntry::encode(names[&doomed.digest].as_bytes()),
        }
        .line();
    }
    let (entries, errors) = read_journal(&journal);
    assert!(errors.is_empty());
    let restoration = restoration(&entries, after);
    assert!(restoration.left.is_empty());
    let mut restored = after.clone();
    for put in &restoration.manifests {
        let was = &before.repositories[&put.repository].manifests[&put.digest];
        let repository = restored.repositories.get_mut(&put.repository).unwrap();
        // A registry takes an index only if its children are there.
        for child in &was.present().unwrap().children {
            let held = before.repositories[&put.repository]
                .manifests
                .get(&child.digest);
            let there = repository.manifests.get(&child.digest);
            assert!(held.is_none_or(|held| held.present().is_none()) || there == held);
        }
        repository.manifests.insert(put.digest.clone(), was.clone());
    }
    for put in &restoration.tags {
        let repository = restored.repositories.get_mut(&put.repository).unwrap();
        repository
            .tags
            .insert(put.tag.clone(), Reading::Present(put.digest.clone()));
    }
    restored.repositories == before.repositories
}

/// Whether one manifest is about another one that is there, and that it does not hold itself.
fn is_about(read: &Repository, one: &Digest, other: &Digest) -> bool {
    let manifest = read.manifests[one].present().unwrap();
    let by_tag = read.tags.iter().any(|(tag, reading)| {
        reading.present() == Some(one) && *tag.as_str() == format!("sha256-{}", other.encoded())
    });
    one != other && (manifest.subject.as_ref() == Some(other) || by_tag) && !holds(read, one, other)
}

fn holds(read: &Repository, one: &Digest, other: &Digest) -> bool {
    let children = &read.manifests[one].present().unwrap().children;
    children.iter().any(|child| child.digest == *other)
}

fn there(read: &Repository) -> Vec<&Digest> {
    let there = read
        .manifests
        .iter()
        .filter(|(_, one)| one.present().is_some());
    there.map(|(digest, _)| digest).collect()
}

/// Manifests that nothing holds and that are about nothing else.
fn images(read: &Repository) -> Vec<&Digest> {
    let all = there(read);
    let is_image = |one: &&Digest| {
        let mut others = all.iter();
        !others.any(|other| holds(read, other, one) || is_about(read, one, other))
    };
    all.iter().copied().filter(is_image).collect()
}

/// Whether every manifest is an image, or below one: held by it, or about it, however far.
fn are_all_below(read: &Repository, images: &[&Digest]) -> bool {
    let all = there(read);
    let mut below: BTreeSet<&Digest> = images.iter().copied().collect();
    loop {
        let next = all.iter().filter(|one| {
            let mut above = below.iter();
            above.any(|other| holds(read, other, one) || is_about(read, one, other))
        });
        let next: BTreeSet<&Digest> = below.iter().chain(next).copied().collect();
        if next == below {
            return below.len() == all.len();
        }
        below = next;
    }
}

fn day(text: &str) -> Timestamp {
    Scene::day(text)
}

fn exactly_what_nothing_needs_goes(fleet: &Fleet) -> Result<usize, TestCaseError> {
    let settings = Fleet::settings();
    let (before, after) = (fleet.registry(Stage::Before), fleet.registry(Stage::After));
    let mut records = Vec::new();
    for at in ["2026-06-01", "2026-06-10"] {
        let made = run(fleet, Stage::Before, &before, &records, &settings, day(at));
        prop_assert!(made.deletions.is_empty(), "at {}", at);
        records.push(made.record);
    }
    let now = day("2026-06-11");
    let made = run(fleet, Stage::After, &after, &records, &settings, now);
    for repository in 0..fleet.repositories.len() {
        let needed = fleet.needed(repository, Stage::After);
        let needed: BTreeSet<Digest> = needed
            .iter()
            .map(|m| support::digest(&fleet::name(*m)))
            .collect();
        let goes = doomed(&made, repository);
        prop_assert!(goes.is_disjoint(&needed), "needed: {:?}", goes);
        prop_assert_eq!(goes, fleet.expected(repository));
    }
    // What is deleted leaves nothing broken, is not found to be needed, and can be put back.
    let left = carried_out(&made, &after);
    prop_assert!(is_whole(&after, &left));
    prop_assert!(is_restored(&made, &after, &left));
    let roots = fleet.roots(Stage::After);
    let input = PlanInput {
        registry: &after,
        sources: &[],
        roots: &roots,
        records: &records,
        settings: &settings,
        now,
    };
    let all = made.deletions.iter();
    let all = all.flat_map(|group| {
        group
            .manifests
            .iter()
            .map(|one| (&group.repository, &one.digest))
    });
    prop_assert!(images_needed(&made, &input, all).is_empty());
    // A frozen plan survives the way through its document, and holds as long as nothing moves.
    let frozen = FrozenPlan::of(&made, &input);
    let read = FrozenPlan::read(&frozen.to_json()).unwrap();
    prop_assert_eq!(&read, &frozen);
    prop_assert!(read.moved(&made, &after).is_empty());
    let again = run(fleet, Stage::After, &left, &records, &settings, now);
    prop_assert!(read.moved(&again, &left).is_empty());
    Ok(made
        .deletions
        .iter()
        .map(|group| group.manifests.len())
        .sum())
}

#[test]
fn r4_2_exactly_what_nothing_needs_goes() {
    let config = ProptestConfig {
        cases: count(),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let (runs, deleted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut runner = TestRunner::new(config);
    let result = runner.run(&fleets(), |fleet| {
        let number = exactly_what_nothing_needs_goes(&fleet)?;
        runs.fetch_add(usize::from(number > 0), Ordering::Relaxed);
        deleted.fetch_add(number, Ordering::Relaxed);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // Fleets of which nothing ever goes would prove nothing.
    let (runs, deleted) = (runs.into_inner(), deleted.into_inner());
    let asked = count() as usize;
    assert!(runs * 5 > asked && deleted > asked / 2, "{runs} {deleted}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: count(),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn r4_3_limits_hold_whatever_there_is(
        fleet in fleets(), kept in 0..4_usize, share in 0..101_usize, number in 0..8_usize,
    ) {
        let settings = Settings {
            minimum_kept: kept, maximum_share: share, maximum_number: number,
            ..Fleet::settings()
        };
        let registry = fleet.registry(Stage::Before);
        let mut records = Vec::new();
        for at in ["2026-06-01", "2026-06-10", "2026-06-11"] {
            let made = run(&fleet, Stage::Before, &registry, &records, &settings, day(at));
            let all: usize = made.deletions.iter().map(|group| group.manifests.len()).sum();
            prop_assert!(all <= number);
            for repository in 0..fleet.repositories.len() {
                let goes = doomed(&made, repository);
                let read = &registry.repositories[&path(repository)];
                let images = images(read);
                let images_gone = images.iter().filter(|image| goes.contains(image)).count();
                // Otherwise there are more images than can be told apart by this.
                let is_exact = are_all_below(read, &images);
                let images = images.len();
                prop_assert!(!is_exact || images_gone * 100 <= images * share);
                let left = images.saturating_sub(images_gone);
                prop_assert!(left >= kept.min(images));
            }
            records.push(made.record);
        }
    }
}
