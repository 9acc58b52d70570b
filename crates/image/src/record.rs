//! What runs remember: since when a manifest has been seen, and since when nothing has needed it.
//!
//! Every run writes one record, which holds all that later ones ask of earlier ones: older records
//! may be deleted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    reference::{Host, RepositoryPath, Tag},
};

/// What one run leaves to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// [`RunRecord::SCHEMA`].
    pub schema: String,
    /// When the run was.
    pub at: Timestamp,
    /// The registry that it looked at.
    pub registry: Host,
    /// Whether it saw everything, and nothing stopped it.
    pub complete: bool,
    /// How many different things roots named in the last complete run, and in those of the week before it that
    /// had more: oldest first, each with fewer than the one before it.
    pub roots: Vec<RootsSeen>,
    /// The sources that roots were read from.
    pub sources: BTreeSet<String>,
    /// What it saw, by repository.
    pub repositories: BTreeMap<RepositoryPath, RepositoryRecord>,
}

/// How many different things roots named in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootsSeen {
    /// When the run was.
    pub at: Timestamp,
    /// How many.
    pub number: usize,
}

/// What a run saw of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRecord {
    /// Every manifest.
    pub manifests: BTreeMap<Digest, ManifestRecord>,
    /// Tags that pointed to another manifest in an earlier run.
    pub moved_tags: BTreeSet<Tag>,
    /// What every tag points to.
    pub tags: BTreeMap<Tag, Digest>,
}

/// What runs saw of one manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManifestRecord {
    /// When it was seen first.
    pub since: Timestamp,
    /// The first of the complete runs that found without a break that nothing needs it.
    pub candidate_since: Option<Timestamp>,
}

/// For how long the number of roots of a run counts beside that of the last one: what dwindles from run to run is
/// seen too.
const ROOTS_COUNT: SignedDuration = SignedDuration::from_hours(7 * 24);

impl RootsSeen {
    /// The most of what was seen, which a run is compared with.
    pub(crate) fn most(seen: &[Self]) -> Option<Self> {
        seen.first().copied()
    }

    /// What was seen, with this run after it.
    pub(crate) fn with(self, seen: &[Self]) -> Vec<Self> {
        let counts =
            |one: &&Self| one.number > self.number && self.at.duration_since(one.at) <= ROOTS_COUNT;
        let before = seen.iter().filter(counts);
        before.copied().chain([self]).collect()
    }

    /// Whether half of what was named before, or more, is named no more.
    pub(crate) fn is_half_of(self, before: Self) -> bool {
        self.number.saturating_mul(2) <= before.number
    }
}

impl RunRecord {
    /// Version of the document.
    pub const SCHEMA: &'static str = "underpin.dev/images/run/v1";

    /// The newest of these records that is of a registry.
    pub fn newest<'r>(records: &'r [Self], registry: &Host) -> Option<&'r Self> {
        let of_registry = records.iter().filter(|record| record.registry == *registry);
        of_registry.max_by_key(|record| record.at)
    }

    /// Begins anew to count since when nothing needs these: two more runs have to find it.
    pub fn restart<'d>(
        &mut self,
        manifests: impl IntoIterator<Item = (&'d RepositoryPath, &'d Digest)>,
    ) {
        for (path, digest) in manifests {
            let repository = self.repositories.get_mut(path);
            if let Some(seen) = repository.and_then(|one| one.manifests.get_mut(digest)) {
                seen.candidate_since = None;
            }
        }
    }

    /// What it says of a repository.
    pub fn repository(&self, path: &RepositoryPath) -> Option<&RepositoryRecord> {
        self.repositories.get(path)
    }
}

impl RepositoryRecord {
    /// Tags that have moved, once these are what tags point to. That one is not seen for a while does not
    /// make it one that stays.
    pub fn moved(&self, now: &BTreeMap<Tag, Digest>) -> BTreeSet<Tag> {
        let moved = now.iter().filter(|(tag, digest)| {
            let before = self.tags.get(*tag);
            before.is_some_and(|before| before != *digest)
        });
        let moved = moved.map(|(tag, _)| tag).chain(&self.moved_tags);
        moved.cloned().collect()
    }
}
