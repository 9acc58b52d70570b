//! What was put back into a registry, and what was not.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use underpin_image::{Digest, Host, JournalEntry, Left, RepositoryPath, Tag};
use underpin_model::wording::count;
use underpin_registry::Restored;

use super::text::{named, together};
use crate::{
    Exit,
    render::{
        documents,
        style::{self, BOLD, DIM, paint},
    },
};

/// What became of a journal.
pub(crate) struct ShownRestored<'a> {
    pub(crate) registry: &'a Host,
    pub(crate) journal: &'a str,
    pub(crate) restored: &'a Restored,
}

/// What would be put back, before it is agreed to.
pub(crate) fn proposal(registry: &Host, journal: &str, entries: &[JournalEntry]) -> String {
    let mut manifests: BTreeMap<&RepositoryPath, BTreeMap<&Digest, &[Tag]>> = BTreeMap::new();
    for entry in entries {
        let of = manifests.entry(&entry.repository).or_default();
        of.insert(&entry.digest, &entry.tags);
    }
    let number: usize = manifests.values().map(BTreeMap::len).sum();
    let mut text = format!(
        "{}: {} would be put back as far as they are gone, from {journal}\n\n",
        paint(BOLD, registry.as_str()),
        count(number, "manifest"),
    );
    for (repository, manifests) in manifests {
        let mut all: Vec<(&Digest, &[Tag])> = manifests.into_iter().collect();
        all.sort_by_key(|(digest, tags)| (tags.is_empty(), *tags, *digest));
        let all = together(&all, false);
        let repository = paint(BOLD, repository.as_str());
        text.push_str(&format!("{repository}\n  {} {all}\n", style::added()));
    }
    text
}

/// For people.
pub(crate) fn text(shown: &ShownRestored<'_>) -> String {
    let restored = shown.restored;
    let mut text = format!(
        "{}: {} and {} put back from {}\n\n",
        paint(BOLD, shown.registry.as_str()),
        count(restored.manifests.len(), "manifest"),
        count(restored.tags.len(), "tag"),
        shown.journal,
    );
    let told = outcome(restored);
    if told.is_empty() {
        text.push_str("all of it is there already\n");
    }
    text.push_str(&told);
    text
}

/// What was put back and what was not, by repository; nothing where that is nothing.
pub(super) fn outcome(restored: &Restored) -> String {
    let manifests = restored.manifests.iter().map(|(repository, _)| repository);
    let tags = restored.tags.iter().map(|put| &put.repository);
    let others = restored.left.iter().chain(&restored.failed);
    let repositories = manifests.chain(tags);
    let repositories: BTreeSet<&RepositoryPath> = repositories
        .chain(others.map(|left| &left.repository))
        .collect();
    let each = repositories.into_iter();
    each.map(|repository| of_repository(repository, restored))
        .collect()
}

fn of_repository(repository: &RepositoryPath, restored: &Restored) -> String {
    let own = restored.manifests.iter().filter(|one| one.0 == *repository);
    let mut put: BTreeMap<&Digest, Vec<Tag>> = own.map(|one| (&one.1, Vec::new())).collect();
    let manifests = put.len();
    let tags = restored.tags.iter();
    for one in tags.filter(|put| put.repository == *repository) {
        put.entry(&one.digest).or_default().push(one.tag.clone());
    }
    let tags: usize = put.values().map(Vec::len).sum();
    let mut text = format!(
        "{}: {} and {} put back\n",
        paint(BOLD, repository.as_str()),
        count(manifests, "manifest"),
        count(tags, "tag"),
    );
    let mut tagged: Vec<(&Vec<Tag>, &Digest)> =
        put.iter().map(|(digest, tags)| (tags, *digest)).collect();
    tagged.sort();
    for (tags, digest) in tagged.into_iter().filter(|one| !one.0.is_empty()) {
        let named = named(digest, tags, false);
        text.push_str(&format!("  {} {named}\n", style::added()));
    }
    let of = |left: &&Left| left.repository == *repository;
    for left in restored.left.iter().filter(of) {
        let (what, reason) = (&left.what, &left.reason);
        text.push_str(&format!("  {} {what} is left: {reason}\n", paint(DIM, "=")));
    }
    for left in restored.failed.iter().filter(of) {
        let failed = style::error("failed:");
        text.push_str(&format!("  {failed} {}: {}\n", left.what, left.reason));
    }
    text
}

/// What became of a journal.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ImagesRestoreDocument<'a> {
    /// The registry.
    registry: &'a str,
    /// The journal.
    journal: &'a str,
    /// What was put back, and what was not.
    restored: RestoredDocument<'a>,
}

/// What was put back, and what was not.
#[derive(Serialize, JsonSchema)]
pub(super) struct RestoredDocument<'a> {
    /// Manifests, in the order in which they were put back.
    manifests: Vec<PutDocument<'a>>,
    /// Tags.
    tags: Vec<TagDocument<'a>>,
    /// What is left as it is: somebody has pushed it since, or where it points is not known.
    left: Vec<LeftDocument<'a>>,
    /// What could not be put back.
    failed: Vec<LeftDocument<'a>>,
}

/// A manifest that was put back.
#[derive(Serialize, JsonSchema)]
struct PutDocument<'a> {
    /// The repository.
    repository: &'a str,
    /// Its digest.
    digest: &'a str,
}

/// A tag that was put back.
#[derive(Serialize, JsonSchema)]
struct TagDocument<'a> {
    /// The repository.
    repository: &'a str,
    /// The tag.
    tag: &'a str,
    /// The manifest that it points to again.
    digest: &'a str,
}

/// Something that was not put back.
#[derive(Serialize, JsonSchema)]
struct LeftDocument<'a> {
    /// The repository.
    repository: &'a str,
    /// What.
    what: &'a str,
    /// Why.
    reason: &'a str,
}

impl<'a> From<&'a Restored> for RestoredDocument<'a> {
    fn from(restored: &'a Restored) -> Self {
        let manifests = restored.manifests.iter();
        let tags = restored.tags.iter();
        Self {
            manifests: manifests
                .map(|(repository, digest)| PutDocument {
                    repository: repository.as_str(),
                    digest: digest.as_str(),
                })
                .collect(),
            tags: tags
                .map(|put| TagDocument {
                    repository: put.repository.as_str(),
                    tag: put.tag.as_str(),
                    digest: put.digest.as_str(),
                })
                .collect(),
            left: restored.left.iter().map(Into::into).collect(),
            failed: restored.failed.iter().map(Into::into).collect(),
        }
    }
}

impl<'a> From<&'a Left> for LeftDocument<'a> {
    fn from(left: &'a Left) -> Self {
        Self {
            repository: left.repository.as_str(),
            what: &left.what,
            reason: &left.reason,
        }
    }
}

/// As JSON.
pub(crate) fn json(command: &str, exit: Exit, shown: &ShownRestored<'_>) -> String {
    let document = ImagesRestoreDocument {
        registry: shown.registry.as_str(),
        journal: shown.journal,
        restored: shown.restored.into(),
    };
    documents::text(command, exit, document)
}
