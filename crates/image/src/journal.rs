//! The undo journal: what was deleted, byte for byte, and how it is put back.
//!
//! An entry is written, a line of JSON, before its manifest is deleted. Registries keep blobs until
//! they collect them; until then, putting the manifests back restores the images.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    reference::{Host, RepositoryPath, Tag},
    registry::{Reading, Registry},
};

/// One manifest that is about to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JournalEntry {
    /// [`JournalEntry::SCHEMA`].
    pub schema: String,
    /// When.
    pub at: Timestamp,
    /// The registry.
    pub registry: Host,
    /// The repository.
    pub repository: RepositoryPath,
    /// The manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Every tag of it.
    pub tags: Vec<Tag>,
    /// Its place in the order of deletions, counted through the whole run. It is put back in the
    /// opposite order.
    pub position: usize,
    /// Until when the registry is known to keep the blobs; absent where it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Its bytes, in base64.
    pub manifest: String,
}

/// A line of a journal that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct JournalError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
}

/// How everything in a journal is put back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restoration {
    /// Manifests, each after its children and after what says something of it.
    pub manifests: Vec<Put>,
    /// Tags, after all manifests.
    pub tags: Vec<TagPut>,
    /// What is left as it is.
    pub left: Vec<Left>,
}

/// A manifest that is put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The repository.
    pub repository: RepositoryPath,
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A tag that is put back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagPut {
    /// The repository.
    pub repository: RepositoryPath,
    /// The tag.
    pub tag: Tag,
    /// What it points to.
    pub digest: Digest,
}

/// Something that is not put back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// The repository.
    pub repository: RepositoryPath,
    /// What: a tag, or a digest.
    pub what: String,
    /// Why, in a sentence without a full stop.
    pub reason: String,
}

impl JournalEntry {
    /// Version of the document.
    pub const SCHEMA: &'static str = "underpin.dev/images/undo/v1";

    /// The bytes of a manifest as an entry holds them.
    pub fn encode(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    /// The entry as a line, with its end.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// The bytes of its manifest, if they are those of its digest.
    fn bytes(&self) -> Result<Vec<u8>, String> {
        let bytes = STANDARD.decode(&self.manifest);
        let bytes = bytes.map_err(|_| "its manifest is no base64".to_owned())?;
        if self.digest.is_of(&bytes) {
            Ok(bytes)
        } else {
            Err(format!(
                "its manifest does not have the digest {}",
                self.digest
            ))
        }
    }
}

/// Reads a journal. Of a line that was cut when a run was killed nothing was deleted yet; it is told
/// like any other that cannot be read.
pub fn read_journal(text: &str) -> (Vec<JournalEntry>, Vec<JournalError>) {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for (line, written) in (1..).zip(text.lines()) {
        if written.trim().is_empty() {
            continue;
        }
        let entry: Result<JournalEntry, String> = serde_json::from_str(written)
            .map_err(|error| format!("this is no entry of an undo journal: {error}"))
            .and_then(|entry: JournalEntry| {
                if entry.schema != JournalEntry::SCHEMA {
                    let schema = crate::excerpt(&entry.schema);
                    return Err(format!("the entry is `{schema}`, which is not known"));
                }
                entry.bytes().map(|_| entry)
            });
        match entry {
            Ok(entry) => entries.push(entry),
            Err(message) => errors.push(JournalError { line, message }),
        }
    }
    (entries, errors)
}

/// How what a journal holds is put back into the registry as it is now. A tag that somebody has pushed
/// since is left alone.
pub fn restoration(entries: &[JournalEntry], registry: &Registry) -> Restoration {
    let mut restoration = Restoration::default();
    let mut last: BTreeMap<(&RepositoryPath, &Digest), &JournalEntry> = BTreeMap::new();
    for entry in entries
        .iter()
        .filter(|entry| registry.is_named(&entry.registry))
    {
        let newest = last
            .entry((&entry.repository, &entry.digest))
            .or_insert(entry);
        if (entry.at, entry.position) >= (newest.at, newest.position) {
            *newest = entry;
        }
    }
    let mut in_order: Vec<&JournalEntry> = last.into_values().collect();
    // The opposite of how they went; runs that were later are undone first.
    in_order.sort_by_key(|entry| (std::cmp::Reverse((entry.at, entry.position)), &entry.digest));
    let mut tags = BTreeSet::new();
    for entry in in_order {
        let now = registry.repositories.get(&entry.repository);
        let left = |what: String, reason: String| Left {
            repository: entry.repository.clone(),
            what,
            reason,
        };
        match (
            now.and_then(|now| now.manifests.get(&entry.digest)),
            entry.bytes(),
        ) {
            (Some(Reading::Present(_)), _) => {}
            (_, Ok(bytes)) => restoration.manifests.push(Put {
                repository: entry.repository.clone(),
                digest: entry.digest.clone(),
                media_type: entry.media_type.clone(),
                bytes,
            }),
            (_, Err(reason)) => {
                restoration
                    .left
                    .push(left(entry.digest.to_string(), reason));
                continue;
            }
        }
        for tag in &entry.tags {
            let listed = now.and_then(|now| Some((now, registry.listed_tag(now, tag)?)));
            let reading = listed.and_then(|(now, listed)| now.tags.get(listed));
            if reading.and_then(Reading::present) == Some(&entry.digest) {
                continue;
            }
            if let Some(reason) = taken(reading, registry) {
                restoration.left.push(left(format!("tag {tag}"), reason));
            } else if tags.insert((&entry.repository, tag)) {
                // Of two manifests that had the tag one after the other, the later one has it.
                restoration.tags.push(TagPut {
                    repository: entry.repository.clone(),
                    tag: tag.clone(),
                    digest: entry.digest.clone(),
                });
            }
        }
    }
    restoration.tags.sort();
    restoration.left.sort();
    restoration
}

/// Why a tag cannot be put back; `None` where it is free. One that is not listed may stand on a page
/// that could not be read.
fn taken(reading: Option<&Reading<Digest>>, registry: &Registry) -> Option<String> {
    match reading {
        Some(Reading::Present(digest)) => Some(format!(
            "it points to {digest} now: somebody has pushed it since"
        )),
        Some(Reading::Unread(reason)) => {
            Some(format!("where it points now could not be read: {reason}"))
        }
        Some(Reading::Absent) => None,
        None => registry.unread.first().map(|part| {
            format!(
                "whether somebody has pushed it since is not known: could not read {}: {}",
                part.what, part.reason
            )
        }),
    }
}
