//! One group: manifests that go together.

use std::collections::{BTreeMap, BTreeSet};

use underpin_image::{
    Digest, FrozenGroup, FrozenManifest, JournalEntry, Reading, RepositoryPath, Tag,
};

use super::{GITEA_KEEPS, Gone, Run, Stop};
use crate::{
    state::{Act, StateError, Way},
    watch::Watch,
    write::Deleted,
};

/// A manifest that is to go, as it is there.
struct Saved<'g> {
    manifest: &'g FrozenManifest,
    entry: JournalEntry,
    /// What it holds, and what it says something of.
    names: BTreeSet<Digest>,
}

impl Run<'_> {
    /// Deletes a group, or keeps it.
    pub(super) async fn group(
        &mut self,
        group: &FrozenGroup,
        watch: &mut Watch,
    ) -> Result<(), Stop> {
        let tags: BTreeSet<&Tag> = group.manifests.iter().flat_map(|it| &it.tags).collect();
        if self.way == Way::Digests
            && let Some(moving) = tags.iter().find(|tag| (self.options.is_mutable)(tag))
        {
            let reason = format!("it carries {moving}, which may be moved while it is deleted");
            return self.keep(group, &reason);
        }
        self.look(watch, &tags).await?;
        let refused = group.manifests.iter().find_map(|it| watch.may_go(it).err());
        if let Some(reason) = refused {
            return self.keep(group, &reason);
        }
        let saved = self.saved(group, watch).await?;
        for (
            number,
            Saved {
                manifest, entry, ..
            },
        ) in saved.iter().enumerate()
        {
            self.look(watch, &tags).await?;
            let refused = match watch.may_go(manifest) {
                Ok(()) => self.named_again(group, &saved[..number], entry).await?,
                Err(reason) => Some(reason),
            };
            if let Some(reason) = refused {
                if number == 0 {
                    return self.keep(group, &reason);
                }
                return Err(self.half_done(group, &manifest.digest, &reason));
            }
            self.one(group, entry, watch, &tags).await?;
            tokio::time::sleep(self.options.pause).await;
        }
        Ok(())
    }

    /// Why a manifest must stay although all that named it is gone: somebody has pushed that again. It need
    /// not have a tag for it, so that no look at tags tells.
    async fn named_again(
        &self,
        group: &FrozenGroup,
        gone: &[Saved<'_>],
        entry: &JournalEntry,
    ) -> Result<Option<String>, Stop> {
        for saved in gone.iter().filter(|one| one.names.contains(&entry.digest)) {
            let (repository, digest) = (&group.repository, &saved.entry.digest);
            match self.client.resolve(repository, digest.as_str()).await {
                Reading::Absent => {}
                Reading::Present(_) => {
                    return Ok(Some(format!(
                        "{digest}, which names it, has been pushed again"
                    )));
                }
                Reading::Unread(reason) => {
                    return Err(Stop::Because(format!(
                        "whether {repository}@{digest} is still gone is unknown: {reason}"
                    )));
                }
            }
        }
        Ok(None)
    }

    /// What of a group is gone when the rest must stay: all that its batch deleted is put back.
    fn half_done(&mut self, group: &FrozenGroup, digest: &Digest, reason: &str) -> Stop {
        if let Err(error) = self.undo_all(&group.repository) {
            return error.into();
        }
        Stop::Because(format!(
            "{}@{digest} has come to be needed while what belongs to it was deleted: {reason}",
            group.repository
        ))
    }

    /// All that the batch deleted of a repository is put back, by this run or, if it is cut, by the next.
    fn undo_all(&mut self, repository: &RepositoryPath) -> Result<(), StateError> {
        self.undo.insert(repository.clone());
        self.remember_batch()
    }

    async fn look(&self, watch: &mut Watch, own: &BTreeSet<&Tag>) -> Result<(), Stop> {
        let is_mutable = self.options.is_mutable;
        let which = |tag: &Tag| own.contains(tag) || is_mutable(tag);
        watch.look(&which).await.map_err(Stop::Because)
    }

    /// What of a group is there, byte for byte in the journal.
    async fn saved<'g>(
        &mut self,
        group: &'g FrozenGroup,
        watch: &Watch,
    ) -> Result<Vec<Saved<'g>>, Stop> {
        let (at, repository) = ((self.options.now)(), &group.repository);
        let mut position = self.journal.as_ref().map_or(0, |journal| journal.written);
        let mut saved = Vec::new();
        for manifest in &group.manifests {
            let digest = &manifest.digest;
            let raw = match self.client.get(repository, digest.as_str()).await {
                Reading::Present(raw) => raw,
                Reading::Absent if !watch.tags_of(digest).is_empty() => {
                    return Err(Stop::Because(format!(
                        "{repository}@{digest} is said not to be there, and to have tags"
                    )));
                }
                // A run that was cut is run again.
                Reading::Absent => continue,
                Reading::Unread(reason) => {
                    return Err(Stop::Because(format!(
                        "cannot read {repository}@{digest}: {reason}"
                    )));
                }
            };
            let until = match self.way {
                Way::Rows => at.checked_add(GITEA_KEEPS).ok(),
                Way::Tags | Way::Digests => None,
            };
            let entry = JournalEntry {
                schema: JournalEntry::SCHEMA.to_owned(),
                at,
                registry: self.client.host().clone(),
                repository: repository.clone(),
                digest: digest.clone(),
                media_type: raw.manifest.media_type,
                tags: watch.tags_of(digest),
                position,
                until,
                manifest: JournalEntry::encode(&raw.bytes),
            };
            position += 1;
            let children = raw.manifest.children.into_iter().map(|child| child.digest);
            let names = children.chain(raw.manifest.subject).collect();
            saved.push(Saved {
                manifest,
                entry,
                names,
            });
        }
        let entries: Vec<JournalEntry> = saved.iter().map(|one| one.entry.clone()).collect();
        if let Some(journal) = &mut self.journal
            && !entries.is_empty()
        {
            journal.write(&entries)?;
        }
        self.entries.extend(entries);
        Ok(saved)
    }

    /// Deletes one manifest, and sees that it and nothing else is gone.
    async fn one(
        &mut self,
        group: &FrozenGroup,
        entry: &JournalEntry,
        watch: &mut Watch,
        own: &BTreeSet<&Tag>,
    ) -> Result<(), Stop> {
        let (repository, digest) = (&group.repository, &entry.digest);
        let why = format!("nothing has needed it since {:.0}", group.candidate_since);
        self.audit(
            Act::Delete,
            Some(repository),
            Some(digest),
            &entry.tags,
            &why,
        )?;
        let before = watch.tags.clone();
        self.tried.insert((repository.clone(), digest.clone()));
        let outcome = self.delete(entry).await?;
        let found = self.client.resolve(repository, digest.as_str()).await;
        let problem = match (&outcome, found) {
            (Deleted::Gone | Deleted::Unknown(_), Reading::Absent) => None,
            (Deleted::Refused(reason) | Deleted::Unknown(reason), Reading::Present(_)) => {
                Some(format!("the registry does not delete it: {reason}"))
            }
            (Deleted::Refused(reason), _) => Some(format!("the registry refuses: {reason}")),
            (Deleted::Gone, Reading::Present(_)) => {
                self.undo_all(repository)?;
                Some("it is there again: somebody has pushed it meanwhile".to_owned())
            }
            (_, Reading::Unread(reason)) => {
                Some(format!("whether it is gone is unknown: {reason}"))
            }
        };
        if let Some(problem) = problem {
            self.audit(
                Act::NotDeleted,
                Some(repository),
                Some(digest),
                &entry.tags,
                &problem,
            )?;
            // A tag that had just been moved to it may be gone all the same. What this look does not tell,
            // the one at all tags does.
            if !matches!(outcome, Deleted::Refused(_)) && self.look(watch, own).await.is_ok() {
                self.note_lost(entry, &before, watch).await?;
            }
            return Err(Stop::Because(format!("{repository}@{digest}: {problem}")));
        }
        let result = match &outcome {
            Deleted::Unknown(reason) => format!("gone, although {reason}"),
            Deleted::Gone | Deleted::Refused(_) => "gone".to_owned(),
        };
        self.audit(
            Act::Deleted,
            Some(repository),
            Some(digest),
            &entry.tags,
            &result,
        )?;
        self.result.deleted.push(Gone {
            repository: repository.clone(),
            digest: digest.clone(),
            tags: entry.tags.clone(),
        });
        self.look(watch, own).await?;
        match self.note_lost(entry, &before, watch).await? {
            Some(tag) => Err(Stop::Because(format!(
                "{repository}:{tag} went while {digest} was deleted"
            ))),
            None => Ok(()),
        }
    }

    /// Notes tags that were elsewhere right before a manifest was deleted and are gone right after; the first.
    /// Where it cannot be told why one is gone, the run ends, and whoever verifies it looks again.
    async fn note_lost(
        &mut self,
        entry: &JournalEntry,
        before: &BTreeMap<Tag, Reading<Digest>>,
        watch: &Watch,
    ) -> Result<Option<Tag>, Stop> {
        if self.way == Way::Rows {
            return Ok(None);
        }
        let (repository, digest) = (&entry.repository, &entry.digest);
        let is_gone = |tag: &Tag| matches!(watch.tags.get(tag), None | Some(Reading::Absent));
        let elsewhere = before.iter().filter_map(|(tag, reading)| {
            Some((tag, reading.present().filter(|at| *at != digest)?))
        });
        let gone = elsewhere.filter(|(tag, _)| !entry.tags.contains(tag) && is_gone(tag));
        let (mut first, mut unknown) = (None, None);
        for (tag, last) in gone {
            // Where tags cannot go alone it is certain that it had been moved, unless its manifest went from
            // there. Elsewhere somebody may have deleted it, and where it was seen last is all that is known.
            let to = if self.way == Way::Tags {
                last
            } else {
                match self.client.resolve(repository, last.as_str()).await {
                    Reading::Present(_) => digest,
                    Reading::Absent => continue,
                    Reading::Unread(reason) => {
                        let of = self.unsure.entry(repository.clone()).or_default();
                        of.insert(tag.clone(), last.clone());
                        unknown.get_or_insert_with(|| {
                            format!(
                                "whether {repository}:{tag} went while {digest} was deleted is unknown: \
                                 {last}, which it pointed to, cannot be read: {reason}"
                            )
                        });
                        continue;
                    }
                }
            };
            let of = self.lost.entry(repository.clone()).or_default();
            of.insert(tag.clone(), to.clone());
            first.get_or_insert_with(|| tag.clone());
        }
        if first.is_some() || unknown.is_some() {
            // Nobody can find this out once more.
            self.remember_batch()?;
        }
        match unknown {
            Some(reason) => Err(Stop::Because(reason)),
            None => Ok(first),
        }
    }

    async fn delete(&self, entry: &JournalEntry) -> Result<Deleted, Stop> {
        let (repository, digest) = (&entry.repository, &entry.digest);
        if self.way == Way::Digests {
            return Ok(self.client.delete(repository, digest.as_str()).await);
        }
        for tag in &entry.tags {
            match self.client.resolve(repository, tag.as_str()).await {
                Reading::Present(at) if at == *digest => {}
                Reading::Present(_) | Reading::Absent => continue,
                Reading::Unread(reason) => return Ok(Deleted::Refused(reason)),
            }
            let own = std::slice::from_ref(tag);
            let why = "with its manifest, which is deleted";
            self.audit(Act::Untag, Some(repository), Some(digest), own, why)?;
            let outcome = match self.way {
                Way::Rows => self.client.delete_row(repository, tag.as_str()).await,
                Way::Tags | Way::Digests => self.client.delete(repository, tag.as_str()).await,
            };
            if let Deleted::Refused(reason) = outcome {
                return Ok(Deleted::Refused(format!("tag {tag}: {reason}")));
            }
            match self.client.resolve(repository, tag.as_str()).await {
                Reading::Absent => {
                    self.audit(Act::Untagged, Some(repository), Some(digest), own, "gone")?;
                }
                Reading::Present(_) => {
                    return Ok(Deleted::Refused(format!("tag {tag} is still there")));
                }
                Reading::Unread(reason) => {
                    return Ok(Deleted::Refused(format!(
                        "whether tag {tag} is gone: {reason}"
                    )));
                }
            }
        }
        // Some have no row of their own, or go with their last tag.
        match self.client.resolve(repository, digest.as_str()).await {
            Reading::Absent => return Ok(Deleted::Gone),
            Reading::Present(_) => {}
            Reading::Unread(reason) => return Ok(Deleted::Refused(reason)),
        }
        Ok(match self.way {
            Way::Rows => self.client.delete_row(repository, digest.as_str()).await,
            Way::Tags | Way::Digests => self.client.delete(repository, digest.as_str()).await,
        })
    }
}
