//! Which image policies write into a release: cases of `writers.txt`, each with what comes of it.
//!
//! ```text
//! = NAME
//! cluster|files: NAME REPOSITORY RANGE     policies of one source; `?` for a repository that is not known
//! image|bare|pattern: TEXT                 what the release names
//! marker: NAME                             what a marker in it names
//! needs: TEXT                              what it comes to need, in order; all of it
//! unknown: NAME                            of which policies that is not known
//! ```

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use std::{collections::BTreeSet, sync::Arc};

use underpin_image::{
    Deletion, Digest, Glob, Host, ImagePolicy, Order, Reading, Registry, ReleaseNeeds,
    RepositoryPath, Root, RootKind, SourcePolicies, Tag, Target, UnknownNeed, add_policies,
    marked_policy, unknown_policies,
};
use underpin_model::{Evidence, FieldPath, GroupKind, ObjectKey};

const HOST: &str = "registry.example.com";

fn evidence(object: ObjectKey) -> Evidence {
    Evidence {
        object,
        path: FieldPath::new("spec"),
        place: None,
        note: String::new(),
    }
}

fn policy(name: &str) -> ObjectKey {
    let kind = GroupKind::new("image.toolkit.fluxcd.io", "ImagePolicy");
    ObjectKey::namespaced(kind, "shop", name)
}

fn root(kind: RootKind, object: ObjectKey, target: Target) -> Root {
    let source: Arc<str> = "test".into();
    Root {
        kind,
        source,
        evidence: evidence(object),
        target,
    }
}

/// The policies of one source.
fn source(is_declared: bool, text: &str) -> SourcePolicies {
    let mut source = SourcePolicies {
        is_declared,
        ..SourcePolicies::default()
    };
    for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let [name, repository, range] = one.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{one}");
        };
        let key = policy(name);
        source.keys.insert(key.clone());
        if repository == "?" {
            let need = UnknownNeed::new(evidence(key), "its repository was not read");
            source.unknown.push(need);
            continue;
        }
        let by = ImagePolicy {
            order: Order::Semver {
                range: range.to_owned(),
            },
            pattern: None,
            extract: None,
            exclusions: None,
        };
        let target = Target::Policy(repository.parse().unwrap(), by);
        source.roots.push(root(RootKind::Policy, key, target));
    }
    source
}

/// What a release names.
fn named(kind: &str, text: &str) -> Root {
    let kind_of_release = GroupKind::new("helm.toolkit.fluxcd.io", "HelmRelease");
    let release = ObjectKey::namespaced(kind_of_release, "shop", "web");
    let target = match kind {
        "image" => Target::Image(text.parse().unwrap()),
        "pattern" => {
            let (repository, tag) = text.split_once(':').unwrap();
            Target::Pattern {
                host: None,
                repository: Glob::new(repository),
                tag: Glob::new(tag),
            }
        }
        _ => panic!("{kind}"),
    };
    root(RootKind::HelmRelease, release, target)
}

/// The registry: `team/web` with three tags, `team/other` with one.
fn registry() -> Registry {
    let mut registry = Registry::new(Host::new(HOST).unwrap(), Deletion::DigestsWithTags);
    for (path, tags) in [
        ("team/web", &["1.0.0", "1.1.0", "staging"][..]),
        ("team/other", &["1.0.0"]),
    ] {
        let path = RepositoryPath::new(path).unwrap();
        let repository = registry.repositories.entry(path).or_default();
        for tag in tags {
            let digest = Reading::Present(Digest::of(tag.as_bytes()));
            repository.tags.insert(Tag::new(tag).unwrap(), digest);
        }
    }
    registry
}

/// What a case comes to, in lines as it says them.
fn outcome(case: &str) -> Vec<String> {
    let (mut sources, mut needs, mut marked) = (Vec::new(), ReleaseNeeds::default(), Vec::new());
    let mut markers = Vec::new();
    for line in case.lines() {
        match line.split_once(':').map(|(key, text)| (key, text.trim())) {
            Some(("cluster", text)) => sources.push(source(false, text)),
            Some(("files", text)) => sources.push(source(true, text)),
            Some(("marker", text)) => markers.push(policy(text)),
            Some((kind @ ("image" | "pattern"), text)) => needs.roots.push(named(kind, text)),
            _ => {}
        }
    }
    let mut lines = Vec::new();
    let mut unknown = unknown_policies(&sources);
    for key in markers {
        match marked_policy(&key, &sources) {
            Some((roots, more)) => {
                marked.extend(roots);
                unknown.extend(more);
            }
            None => lines.push(format!("unread: {}", key.name)),
        }
    }
    add_policies(&marked, &sources, &registry(), &mut needs);
    lines.extend(needs.roots.iter().map(|root| match &root.target {
        Target::Policy(..) => format!("needs: policy {}", root.evidence.object.name),
        other => format!("needs: {other}"),
    }));
    let unknown: BTreeSet<String> = unknown
        .into_iter()
        .map(|need| format!("unknown: {}", need.evidence.object.name))
        .collect();
    lines.extend(unknown);
    lines
}

#[test]
fn r4_5_policies_write_into_what_follows_them() {
    let text = include_str!("writers.txt");
    let cases: Vec<&str> = text.split("\n= ").skip(1).collect();
    assert!(cases.len() >= 10);
    let mut wrong = Vec::new();
    for case in cases {
        let is_said = |line: &&str| {
            ["needs:", "unknown:", "unread:"]
                .iter()
                .any(|key| line.starts_with(key))
        };
        let said: Vec<&str> = case.lines().filter(is_said).collect();
        let found = outcome(case);
        if said != found {
            wrong.push(format!("{}\nfound: {found:#?}", case.trim_end()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
