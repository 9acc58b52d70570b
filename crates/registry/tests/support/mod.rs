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

use std::collections::BTreeMap;

use underpin_image::{Digest, Reading, Registry, RepositoryPath};
use underpin_registry::{Address, Client, ClientOptions, Credentials};

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
