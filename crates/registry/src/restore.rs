//! Putting back what was deleted.
//!
//! Works as long as the registry keeps the blobs: until its garbage collection runs, which for a
//! `docker-registry` is when somebody runs it, and for Gitea and Forgejo by default a day later. There each
//! manifest comes back with a row of its own, also one that had its tags alone: it keeps more, not less.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::Timestamp;
use underpin_image::{
    Deletion, Digest, JournalEntry, Left, Put, Reading, Registry, RepositoryPath, Tag, TagPut,
    restoration,
};

use crate::{
    client::Client,
    read::each,
    state::{Act, AuditEntry, State, StateError},
};

/// What was put back, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Manifests that were put back, in the order in which they were.
    pub manifests: Vec<(RepositoryPath, Digest)>,
    /// Tags that were.
    pub tags: Vec<TagPut>,
    /// What is left as it is: it is there already, or somebody has pushed it since.
    pub left: Vec<Left>,
    /// What could not be put back, and why.
    pub failed: Vec<Left>,
}

/// Puts back what a journal holds: children before what holds them, then tags. A tag that
/// somebody has pushed since is left alone. What was put back is in the audit log besides.
pub async fn restore(
    client: &Client,
    state: &State,
    entries: &[JournalEntry],
    who: &str,
    now: &(dyn Fn() -> Timestamp + Sync),
) -> Result<Restored, StateError> {
    let restored = put_back(client, entries, &BTreeMap::new()).await;
    let note = |repository: &RepositoryPath, digest: &Digest, tags: &[Tag]| {
        state.audit(&AuditEntry {
            schema: AuditEntry::SCHEMA.to_owned(),
            at: now(),
            registry: client.host().clone(),
            plan: String::new(),
            run: String::new(),
            by: who.to_owned(),
            act: Act::Restore,
            repository: Some(repository.clone()),
            digest: Some(digest.clone()),
            tags: tags.to_vec(),
            why: "put back from a journal".to_owned(),
        })
    };
    for (repository, digest) in &restored.manifests {
        note(repository, digest, &[])?;
    }
    for put in &restored.tags {
        note(&put.repository, &put.digest, std::slice::from_ref(&put.tag))?;
    }
    Ok(restored)
}

/// Puts back what entries hold, with tags that no entry has: they were lost together with what is put back.
pub(crate) async fn put_back(
    client: &Client,
    entries: &[JournalEntry],
    lost: &BTreeMap<(RepositoryPath, Tag), Digest>,
) -> Restored {
    let registry = now(client, entries, lost).await;
    let plan = restoration(entries, &registry);
    let mut restored = Restored {
        left: plan.left,
        ..Restored::default()
    };
    let mut known: BTreeMap<Digest, (String, Bytes)> = BTreeMap::new();
    for Put {
        repository,
        digest,
        media_type,
        bytes,
    } in plan.manifests
    {
        let bytes = Bytes::from(bytes);
        let put = client.put(&repository, digest.as_str(), &media_type, bytes.clone());
        match put.await {
            Ok(()) => restored.manifests.push((repository, digest.clone())),
            Err(reason) => restored.fail(repository, digest.to_string(), reason),
        }
        known.insert(digest, (media_type, bytes));
    }
    let own = lost.iter().map(|((repository, tag), digest)| TagPut {
        repository: repository.clone(),
        tag: tag.clone(),
        digest: digest.clone(),
    });
    let tags: BTreeSet<TagPut> = plan.tags.into_iter().chain(own).collect();
    for put in tags {
        match put_tag(client, &known, &put).await {
            Ok(true) => restored.tags.push(put),
            Ok(false) => restored.left.push(Left {
                repository: put.repository,
                what: format!("tag {}", put.tag),
                reason: "somebody has pushed it meanwhile".to_owned(),
            }),
            Err(reason) => restored.fail(put.repository, format!("tag {}", put.tag), reason),
        }
    }
    restored.left.sort();
    restored
}

impl Restored {
    fn fail(&mut self, repository: RepositoryPath, what: String, reason: String) {
        self.failed.push(Left {
            repository,
            what,
            reason,
        });
    }
}

/// Whether a tag was put back: not if somebody was faster.
async fn put_tag(
    client: &Client,
    known: &BTreeMap<Digest, (String, Bytes)>,
    put: &TagPut,
) -> Result<bool, String> {
    let (media_type, bytes) = match known.get(&put.digest) {
        Some(known) => known.clone(),
        None => match client.get(&put.repository, put.digest.as_str()).await {
            Reading::Present(raw) => (raw.manifest.media_type, raw.bytes),
            Reading::Absent => return Err("its manifest is not there".to_owned()),
            Reading::Unread(reason) => return Err(reason),
        },
    };
    match client.resolve(&put.repository, put.tag.as_str()).await {
        Reading::Absent => {}
        Reading::Present(digest) if digest == put.digest => return Ok(true),
        Reading::Present(_) => return Ok(false),
        Reading::Unread(reason) => return Err(reason),
    }
    let put = client.put(&put.repository, put.tag.as_str(), &media_type, bytes);
    put.await.map(|()| true)
}

/// What is there now of what entries name.
async fn now(
    client: &Client,
    entries: &[JournalEntry],
    lost: &BTreeMap<(RepositoryPath, Tag), Digest>,
) -> Registry {
    let mut registry = Registry::new(client.host().clone(), Deletion::DigestsWithTags);
    let own = entries
        .iter()
        .filter(|entry| registry.is_named(&entry.registry));
    let named = own.flat_map(|entry| {
        let tags = entry.tags.iter().map(Tag::to_string);
        let all = tags.chain([entry.digest.to_string()]);
        all.map(|reference| (entry.repository.clone(), reference))
    });
    let lost = lost.keys();
    let lost = lost.map(|(repository, tag)| (repository.clone(), tag.to_string()));
    let named: BTreeSet<(RepositoryPath, String)> = named.chain(lost).collect();
    let done = each(named, |(repository, reference)| {
        let client = client.clone();
        async move {
            let reading = if let Ok(digest) = reference.parse::<Digest>() {
                let manifest = client.manifest(None, &repository, &digest, false).await;
                Found::Manifest(digest, manifest)
            } else {
                let reading = client.resolve(&repository, &reference).await;
                Found::Tag(reference, reading)
            };
            (repository, reading)
        }
    });
    for (path, found) in done.await {
        let repository = registry.repositories.entry(path).or_default();
        match found {
            Found::Manifest(digest, reading) => {
                repository.manifests.insert(digest, reading);
            }
            Found::Tag(text, reading) => {
                if let Ok(tag) = Tag::new(&text) {
                    repository.tags.insert(tag, reading);
                }
            }
        }
    }
    registry
}

enum Found {
    Manifest(Digest, Reading<underpin_image::Manifest>),
    Tag(String, Reading<Digest>),
}
