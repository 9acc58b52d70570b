//! Images to push, a real registry to push them to, and servers of the tests' own.
#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: what is wrong fails them"
)]

pub(crate) mod memory;
pub(crate) mod pushed;
pub(crate) mod server;
pub(crate) mod tokens;

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use underpin_image::{
    Digest, FrozenPlan, Movement, PlanInput, Reading, Registry, RepositoryPath, Root, RootKind,
    Settings, Source, Tag, plan,
};
use underpin_model::{Evidence, FieldPath, GroupKind, ObjectKey};
use underpin_registry::{Address, Api, Client, ClientOptions, Credentials, ReapOptions, Recheck};

pub(crate) fn path(text: &str) -> RepositoryPath {
    RepositoryPath::new(text).unwrap()
}

pub(crate) fn client(host: &str) -> Client {
    client_as(host, None)
}

pub(crate) fn client_as(host: &str, credentials: Option<Credentials>) -> Client {
    Client::new(ClientOptions {
        address: Address::new(host, false).unwrap(),
        credentials,
        authorities: None,
    })
    .unwrap()
}

/// What was read, a line for each thing; digests as `names` has them.
pub(crate) fn told(registry: &Registry, names: &BTreeMap<Digest, String>) -> String {
    let name = |digest: &Digest| names.get(digest).cloned().unwrap_or(digest.to_string());
    let mut lines = Vec::new();
    for (path, repository) in &registry.repositories {
        lines.push(format!("{path}"));
        for (tag, reading) in &repository.tags {
            let mut tag = tag.to_string();
            for (digest, name) in names {
                tag = tag.replace(digest.encoded(), &format!("<{name}>"));
            }
            let said = match reading {
                Reading::Present(digest) => name(digest),
                Reading::Absent => "absent".to_owned(),
                Reading::Unread(reason) => format!("unread: {reason}"),
            };
            lines.push(format!("  {tag} -> {said}"));
        }
        let mut manifests: Vec<String> = Vec::new();
        for (digest, reading) in &repository.manifests {
            let said = match reading {
                Reading::Present(manifest) => {
                    let children = manifest.children.iter().map(|child| name(&child.digest));
                    let children: Vec<String> = children.collect();
                    let subject = manifest.subject.as_ref().map(name).unwrap_or_default();
                    format!("{:?} [{}] {subject}", manifest.kind, children.join(" "))
                }
                Reading::Absent => "absent".to_owned(),
                Reading::Unread(reason) => format!("unread: {reason}"),
            };
            manifests.push(format!("  {}: {}", name(digest), said.trim()));
        }
        manifests.sort();
        lines.extend(manifests);
    }
    for package in &registry.packages {
        lines.push(format!(
            "{}/{}=={}",
            package.kind, package.name, package.version
        ));
    }
    for part in &registry.unread {
        lines.push(format!("unread {}: {}", part.what, part.reason));
    }
    lines.join("\n")
}

/// The plan that deletes all that these roots do not need, frozen: two runs have found it.
pub(crate) fn frozen(registry: &Registry, roots: &[&str]) -> FrozenPlan {
    let roots: Vec<Root> = roots.iter().map(|text| root(text)).collect();
    let sources = [Source {
        name: "test".into(),
        unread: Vec::new(),
    }];
    let settings = Settings {
        minimum_age: SignedDuration::ZERO,
        minimum_kept: 0,
        maximum_share: 100,
        apart: SignedDuration::ZERO,
        ..Settings::default()
    };
    let mut input = PlanInput {
        registry,
        sources: &sources,
        roots: &roots,
        records: &[],
        settings: &settings,
        now: Timestamp::UNIX_EPOCH,
    };
    let records = [plan(&input).record];
    input.records = &records;
    input.now = Timestamp::from_second(3600).unwrap();
    let plan = plan(&input);
    assert!(plan.stops.is_empty(), "{:?}", plan.stops);
    FrozenPlan::of(&plan, &input)
}

fn root(text: &str) -> Root {
    let evidence = Evidence {
        object: ObjectKey::cluster(GroupKind::core("Test"), text),
        path: FieldPath::new("image"),
        place: None,
        note: String::new(),
    };
    Root::image(RootKind::Workload, "test".into(), evidence, text)
}

/// Says that nothing has moved, whatever happened.
pub(crate) struct Unmoved;

impl Recheck for Unmoved {
    async fn movements(&mut self, _: &str) -> Result<Vec<Movement>, String> {
        Ok(Vec::new())
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(7200).unwrap()
}

pub(crate) fn is_mutable(tag: &Tag) -> bool {
    Settings::default().is_mutable(tag)
}

pub(crate) fn reap_options() -> ReapOptions<'static> {
    ReapOptions {
        api: Api::Detect,
        pause: Duration::ZERO,
        batch: 20,
        most: 200,
        is_mutable: &is_mutable,
        now: &now,
        nonce: b"test",
        who: "tester@here",
        stop: &|| false,
    }
}
