//! After a batch: what was lost is put back.

use std::collections::{BTreeMap, BTreeSet};

use underpin_image::{Digest, JournalEntry, Reading, RepositoryPath, Tag, lost};

use super::{Run, Stop};
use crate::{
    restore::put_back,
    state::{Act, Way},
    watch::{Watch, pointing},
};

impl Run<'_> {
    /// Looks at all tags of a repository, and puts back what was deleted of it in this batch if anything was
    /// lost with it. Its entries are done with then, unless it could not be told, or not be put back.
    pub(super) async fn verify(
        &mut self,
        repository: &RepositoryPath,
        watch: &Watch,
    ) -> Result<(), Stop> {
        let own = self
            .entries
            .iter()
            .filter(|entry| entry.repository == *repository);
        let own: Vec<JournalEntry> = own.cloned().collect();
        if own.is_empty() {
            return Ok(());
        }
        let unverified = |reason: String| {
            Stop::Because(format!(
                "whether anything was lost of {repository} is not known, and is looked at by the \
                 next run: {reason}"
            ))
        };
        let after = watch.all().await.map_err(unverified)?;
        let deleted = self.deleted(&own).await.map_err(unverified)?;
        let lost = self.lost_tags(repository, watch, &deleted, &after).await;
        let lost = lost.map_err(unverified)?;
        let named: BTreeSet<&Digest> = own.iter().map(|entry| &entry.digest).collect();
        let broken = broken(watch, &named, &deleted, &after).await;
        let broken = broken.map_err(unverified)?;
        if lost.is_empty() && broken.is_none() && !self.undo.contains(repository) {
            self.finish(repository);
            return Ok(());
        }
        self.put_back(repository, &own, &lost, broken).await
    }

    /// Nothing of a repository is open any more.
    fn finish(&mut self, repository: &RepositoryPath) {
        self.entries.retain(|entry| entry.repository != *repository);
        self.tried.retain(|(path, _)| path != repository);
        self.unsure.remove(repository);
        self.lost.remove(repository);
        self.undo.remove(repository);
    }

    /// Which of these are gone.
    async fn deleted(&self, entries: &[JournalEntry]) -> Result<BTreeSet<Digest>, String> {
        let mut deleted = BTreeSet::new();
        for JournalEntry {
            repository, digest, ..
        } in entries
        {
            match self.client.resolve(repository, digest.as_str()).await {
                Reading::Absent => {
                    deleted.insert(digest.clone());
                }
                Reading::Present(_) => {}
                Reading::Unread(reason) => return Err(reason),
            }
        }
        Ok(deleted)
    }

    /// Tags that were lost, and what they are put back to.
    async fn lost_tags(
        &self,
        repository: &RepositoryPath,
        watch: &Watch,
        deleted: &BTreeSet<Digest>,
        after: &BTreeMap<Tag, Reading<Digest>>,
    ) -> Result<BTreeMap<(RepositoryPath, Tag), Digest>, String> {
        let known = self.lost.get(repository).into_iter().flatten();
        let known = known.filter(|(tag, _)| !matches!(after.get(tag), Some(Reading::Present(_))));
        let mut found: BTreeMap<_, _> = known
            .map(|(tag, digest)| ((repository.clone(), tag.clone()), digest.clone()))
            .collect();
        let mut before = watch.before.clone();
        before.extend(pointing(&watch.tags));
        let unsure = self.unsure.get(repository).into_iter().flatten();
        before.extend(unsure.map(|(tag, digest)| (tag.clone(), digest.clone())));
        let deleted_now = deleted.iter().collect();
        for (tag, digest) in lost(&before, &deleted_now, after) {
            let key = (repository.clone(), tag);
            if found.contains_key(&key) || self.way != Way::Digests {
                // Tags go alone here: somebody has deleted it.
                continue;
            }
            match self.client.resolve(repository, digest.as_str()).await {
                // A tag goes with what it points to: it pointed to something that this run deleted, whether
                // somebody has pushed that again or not. What it was is certain only if it was one.
                Reading::Present(_) => {
                    let to = self.only_one(repository, deleted).cloned();
                    found.insert(key, to.unwrap_or(digest));
                }
                // It went with its own manifest, which this run has not touched.
                Reading::Absent => {}
                Reading::Unread(reason) => return Err(reason),
            }
        }
        Ok(found)
    }

    /// What was deleted of a repository in this batch, if it was one manifest. Of a run that was killed, the
    /// log says what it tried; without that, what is gone is known.
    fn only_one<'d>(
        &'d self,
        repository: &RepositoryPath,
        deleted: &'d BTreeSet<Digest>,
    ) -> Option<&'d Digest> {
        let tried = self.tried.iter().filter(|(path, _)| path == repository);
        let tried: BTreeSet<&Digest> = tried.map(|(_, digest)| digest).collect();
        let all = if tried.is_empty() {
            deleted.iter().collect()
        } else {
            tried
        };
        all.first().copied().filter(|_| all.len() == 1)
    }

    async fn put_back(
        &mut self,
        repository: &RepositoryPath,
        entries: &[JournalEntry],
        lost: &BTreeMap<(RepositoryPath, Tag), Digest>,
        broken: Option<String>,
    ) -> Result<(), Stop> {
        let tags: Vec<Tag> = lost.keys().map(|(_, tag)| tag.clone()).collect();
        let names: Vec<String> = tags.iter().map(Tag::to_string).collect();
        let reason = match (broken, names.is_empty()) {
            (_, false) => format!("lost with what was deleted: {}", names.join(", ")),
            (Some(broken), true) => broken,
            (None, true) => "what belongs to what was deleted must stay".to_owned(),
        };
        // Where they pointed is not found out once more when a part of them is back.
        let of = self.lost.entry(repository.clone()).or_default();
        of.extend(lost.iter().map(|((_, tag), to)| (tag.clone(), to.clone())));
        self.remember_batch()?;
        let restored = put_back(self.client, entries, lost).await;
        for (path, digest) in &restored.manifests {
            self.audit(Act::Restore, Some(path), Some(digest), &[], &reason)?;
        }
        for put in &restored.tags {
            let tags = std::slice::from_ref(&put.tag);
            let digest = Some(&put.digest);
            self.audit(Act::Restore, Some(&put.repository), digest, tags, &reason)?;
        }
        let failed = restored.failed.first().cloned();
        let all = &mut self.result.restored;
        all.manifests.extend(restored.manifests);
        all.tags.extend(restored.tags);
        all.left.extend(restored.left);
        all.failed.extend(restored.failed);
        if let Some(failed) = failed {
            // It is tried again by the next run.
            return Err(Stop::Because(format!(
                "{repository}: {reason}; {} could not be put back: {}",
                failed.what, failed.reason
            )));
        }
        self.finish(repository);
        Err(Stop::Because(format!(
            "{repository}: {reason}; all of it was put back"
        )))
    }
}

/// What has come since, or come back, and holds something that is gone.
async fn broken(
    watch: &Watch,
    own: &BTreeSet<&Digest>,
    deleted: &BTreeSet<Digest>,
    after: &BTreeMap<Tag, Reading<Digest>>,
) -> Result<Option<String>, String> {
    for (tag, reading) in after {
        let Some(digest) = reading.present() else {
            continue;
        };
        if watch.before.get(tag) == Some(digest) && !own.contains(digest) {
            continue;
        }
        let names = watch.named_by(digest).await?;
        if let Some(gone) = names.iter().find(|name| deleted.contains(*name)) {
            return Ok(Some(format!("tag {tag} needs {gone}, which was deleted")));
        }
    }
    Ok(None)
}
