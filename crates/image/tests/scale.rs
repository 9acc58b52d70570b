//! Large registries: linear, and within the time that a run may take.

#![allow(clippy::unwrap_used, reason = "tests: what is wrong here fails them")]

mod support;

use std::time::Duration;

use support::{HOST, Scene, descriptor, digest, manifest, root};
use underpin_image::{
    Glob, ManifestKind, Reading, Reason, Repository, RepositoryPath, RootKind, Tag, Target, plan,
};

/// Far more than it takes, so that only what is not linear fails on a slow machine.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Ten repositories of 1,000 tags, two platforms each, and 15,000 roots; and one index of 10,000
/// children that 10,000 manifests say something of.
#[test]
fn ten_thousand_tags_and_fifteen_thousand_roots() {
    let mut scene = Scene::new();
    for at in 0..10 {
        let mut read = Repository::default();
        for build in 0..1_000 {
            let name = |part: &str| format!("r{at}-{build}-{part}");
            let mut index = manifest(ManifestKind::Index);
            for part in ["amd", "arm"] {
                index.children.push(descriptor(&name(part)));
                let mut image = manifest(ManifestKind::Image);
                image.config = Some(descriptor(&name("config")));
                read.manifests
                    .insert(digest(&name(part)), Reading::Present(image));
            }
            read.manifests
                .insert(digest(&name("index")), Reading::Present(index));
            let tag = Tag::new(&format!("0.1.{build}")).unwrap();
            read.tags
                .insert(tag, Reading::Present(digest(&name("index"))));
        }
        let path = RepositoryPath::new(&format!("team/r{at}")).unwrap();
        scene.registry.repositories.insert(path, read);
    }
    for pod in 0..15_000 {
        let (at, build) = (pod % 10, pod / 10 % 100);
        let target = if pod % 3 == 0 {
            Target::Digest(digest(&format!("r{at}-{build}-amd")))
        } else {
            Target::Image(format!("{HOST}/team/r{at}:0.1.{build}").parse().unwrap())
        };
        scene.roots.push(root(
            RootKind::Pod,
            "production",
            &format!("pod/shop/web-{pod}"),
            target,
        ));
    }
    let mut wide = Repository::default();
    let mut index = manifest(ManifestKind::Index);
    index.children = (0..10_000)
        .map(|n| descriptor(&format!("child-{n}")))
        .collect();
    for n in 0..10_000 {
        let child = manifest(ManifestKind::Image);
        wide.manifests
            .insert(digest(&format!("child-{n}")), Reading::Present(child));
        let mut signature = manifest(ManifestKind::Image);
        signature.subject = Some(digest("wide"));
        wide.manifests.insert(
            digest(&format!("signature-{n}")),
            Reading::Present(signature),
        );
    }
    wide.manifests
        .insert(digest("wide"), Reading::Present(index));
    let path = RepositoryPath::new("team/wide").unwrap();
    scene.registry.repositories.insert(path, wide);
    scene.settings.maximum_number = 1_000_000;
    let mut slowest = Duration::ZERO;
    let mut deleted = 0;
    for day in ["2026-06-01", "2026-06-09", "2026-06-10"] {
        scene.now = Scene::day(day);
        #[expect(clippy::disallowed_methods, reason = "measures how long it takes")]
        let start = std::time::Instant::now();
        let plan = plan(&scene.input());
        slowest = slowest.max(start.elapsed());
        scene.records = vec![plan.record.clone()];
        deleted = plan
            .deletions
            .iter()
            .map(|group| group.manifests.len())
            .sum();
    }
    println!("slowest plan: {slowest:?}");
    assert_eq!(deleted, 10 * 900 * 3 + 20_001);
    assert!(slowest < TIME_LIMIT, "{slowest:?}");
}

/// A chain of 50,000 indexes, each in the next: nothing is followed by recursion.
#[test]
fn a_chain_of_fifty_thousand_indexes() {
    let mut scene = Scene::new();
    let mut read = Repository::default();
    for n in 0..50_000_u32 {
        let mut index = manifest(ManifestKind::Index);
        if n > 0 {
            index.children.push(descriptor(&format!("index-{}", n - 1)));
        }
        read.manifests
            .insert(digest(&format!("index-{n}")), Reading::Present(index));
    }
    let last = Reading::Present(digest("index-49999"));
    read.tags.insert(Tag::new("1.0.0").unwrap(), last);
    let path = RepositoryPath::new("team/deep").unwrap();
    scene.registry.repositories.insert(path.clone(), read);
    scene.describe("root pod pod/shop/web registry.example.com/team/deep:1.0.0");
    scene.now = Scene::day("2026-06-01");
    let plan = plan(&scene.input());
    let manifests = &plan.repositories[&path].manifests;
    assert!(manifests.len() == 50_000 && manifests.values().all(|one| !one.reasons.is_empty()));
}

/// 15,000 texts that name a repository without a tag, and as many with an open one: each manifest has one
/// reason of them, and each pattern is looked for once.
#[test]
fn fifteen_thousand_roots_that_keep_whole_repositories() {
    let mut scene = Scene::new();
    for at in 0..10 {
        let mut read = Repository::default();
        for build in 0..3_000 {
            let name = format!("r{at}-{build}");
            read.manifests.insert(
                digest(&name),
                Reading::Present(manifest(ManifestKind::Image)),
            );
            let tag = Tag::new(&format!("0.1.{build}")).unwrap();
            read.tags.insert(tag, Reading::Present(digest(&name)));
        }
        let path = RepositoryPath::new(&format!("team/r{at}")).unwrap();
        scene.registry.repositories.insert(path, read);
    }
    for text in 0..15_000 {
        for tag in ["*", "9.*"] {
            let target = Target::Pattern {
                host: None,
                repository: Glob::new("team/*"),
                tag: Glob::new(tag),
            };
            let object = format!("configmap/shop/c-{text}");
            let kind = RootKind::Text;
            scene.roots.push(root(kind, "production", &object, target));
        }
    }
    scene.now = Scene::day("2026-06-01");
    #[expect(clippy::disallowed_methods, reason = "measures how long it takes")]
    let start = std::time::Instant::now();
    let plan = plan(&scene.input());
    let took = start.elapsed();
    println!("plan: {took:?}");
    let mut manifests = plan
        .repositories
        .values()
        .flat_map(|one| one.manifests.values());
    assert!(manifests.all(|one| {
        one.reasons
            .iter()
            .filter(|one| matches!(one, Reason::Opaque(_)))
            .count()
            == 1
    }));
    assert!(took < TIME_LIMIT, "{took:?}");
}
