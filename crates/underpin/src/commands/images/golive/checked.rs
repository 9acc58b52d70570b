//! What was asked of the registry for one release, and what it answered, in short.

use std::collections::{BTreeMap, BTreeSet};

use underpin_image::{
    Digest, Reading, Registry, Repository, RepositoryPath, Root, Selection, Tag, Target,
};
use underpin_model::wording::{count, list};

use crate::render::images::Checked;

/// Digits of a digest that are shown.
const DIGITS: usize = 12;

/// One line for each image, with everything that names it.
pub(super) fn checked(registry: &Registry, roots: &[Root]) -> Vec<Checked> {
    let mut all: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for root in roots {
        let Some(says) = says(registry, &root.target) else {
            continue;
        };
        let evidence = &root.evidence;
        let path = evidence.path.as_str();
        let space = if path.is_empty() { "" } else { " " };
        let by = format!("{}: {}{space}{path}", root.source, evidence.object);
        let by = match &evidence.place {
            Some(place) => format!("{by} at {place}"),
            None => by,
        };
        let of = all.entry((root.target.to_string(), says)).or_default();
        of.insert(by);
    }
    let all = all.into_iter().map(|((image, found), by)| Checked {
        image,
        found,
        by: by.into_iter().collect(),
    });
    all.collect()
}

/// What the registry says of a need; nothing where it was not meant.
fn says(registry: &Registry, target: &Target) -> Option<String> {
    match target {
        Target::Image(reference) => {
            let location = &reference.location;
            if !registry.is_named(&location.host) {
                return Some("in another registry, which was not asked".to_owned());
            }
            let Some(repository) = registry.repositories.get(&location.repository) else {
                return Some(no_repository(registry));
            };
            let tag = reference.tag.clone().or_else(|| reference.pulled_tag());
            let digest = reference.digest.as_ref();
            Some(match (digest, tag) {
                (Some(digest), _) => of_digest(repository, digest),
                (None, Some(tag)) => of_tag(registry, repository, &tag),
                (None, None) => return None,
            })
        }
        Target::Policy(location, policy) => {
            if !registry.is_named(&location.host) {
                return Some("in another registry, which was not asked".to_owned());
            }
            let Some(repository) = registry.repositories.get(&location.repository) else {
                return Some(no_repository(registry));
            };
            Some(match policy.select(repository.tags.keys()) {
                Selection::Selected(tags) => {
                    let told = tags
                        .iter()
                        .map(|tag| format!("selects {tag}: {}", of_tag(registry, repository, tag)));
                    told.collect::<Vec<_>>().join("; ")
                }
                Selection::Nothing => {
                    format!("selects none of {}", count(repository.tags.len(), "tag"))
                }
                Selection::Unknown { .. } => "what it selects is not known".to_owned(),
            })
        }
        Target::Pattern {
            host, repository, ..
        } => {
            let is_ours = host.as_ref().is_none_or(|host| registry.is_named(host));
            let is_there = |path: &RepositoryPath| repository.matches(path.as_str());
            let means_any = host.is_some() || registry.repositories.keys().any(is_there);
            (is_ours && means_any).then(|| "not known as a whole".to_owned())
        }
        Target::Unreadable { .. } => Some("cannot be read".to_owned()),
        Target::Digest(digest) => {
            let mut all = registry.repositories.values();
            let repository = all.find(|one| one.manifests.contains_key(digest));
            Some(repository.map_or_else(|| "not asked".to_owned(), |one| of_digest(one, digest)))
        }
        Target::Pin(_) => None,
    }
}

fn no_repository(registry: &Registry) -> String {
    let text = if registry.unread.is_empty() {
        "there is no such repository"
    } else {
        "not known: not all could be read"
    };
    text.to_owned()
}

fn of_tag(registry: &Registry, repository: &Repository, tag: &Tag) -> String {
    let listed = registry.listed_tag(repository, tag);
    match listed.and_then(|listed| repository.tags.get(listed)) {
        Some(Reading::Present(digest)) => of_digest(repository, digest),
        Some(Reading::Unread(_)) => "not known".to_owned(),
        Some(Reading::Absent) | None if registry.unread.is_empty() => "not there".to_owned(),
        Some(Reading::Absent) | None => "not known: not all could be read".to_owned(),
    }
}

/// `sha256:0123456789ab, linux/amd64 and linux/arm64: 3 manifests, 6 blobs`: what there is of it.
fn of_digest(repository: &Repository, digest: &Digest) -> String {
    let (mut manifests, mut blobs) = (BTreeSet::new(), BTreeSet::new());
    let (mut platforms, mut lacking) = (BTreeSet::new(), 0_usize);
    let mut todo = vec![digest];
    while let Some(at) = todo.pop() {
        if !manifests.insert(at) {
            continue;
        }
        let Some(manifest) = repository.manifests.get(at).and_then(Reading::present) else {
            lacking += 1;
            continue;
        };
        for child in &manifest.children {
            platforms.extend(child.platform.as_deref());
            todo.push(&child.digest);
        }
        for blob in manifest.config.iter().chain(&manifest.layers) {
            let reading = repository.blobs.get(&blob.digest);
            let is_there = reading.and_then(Reading::present).is_some();
            if blobs.insert(&blob.digest) && !is_there {
                lacking += 1;
            }
        }
    }
    let short = digest.encoded().get(..DIGITS).unwrap_or(digest.encoded());
    let platforms: Vec<&str> = platforms.into_iter().collect();
    let platforms = match platforms[..] {
        [] => String::new(),
        _ => format!(" for {}", list(&platforms)),
    };
    let parts = format!(
        "{} and {}",
        count(manifests.len(), "manifest"),
        count(blobs.len(), "blob")
    );
    let there = match lacking {
        0 => format!("{parts}, all there"),
        _ => format!("{parts}, {lacking} not there or not known"),
    };
    format!("{}:{short}{platforms}, {there}", digest.algorithm())
}
