//! A run that was cut: what it had asked for is looked at before anything else is deleted.

use std::collections::BTreeMap;

use underpin_image::{Digest, JournalEntry, Reading, RepositoryPath, Tag};

use super::{ReapOptions, Reaped, Run, Stop};
use crate::{
    client::Client,
    state::{Act, AuditEntry, Batch, State},
    watch::Watch,
};

/// What was found of a run that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The run, as the audit log calls it.
    pub run: String,
    /// How many deletions of it were not verified.
    pub number: usize,
    /// Those that it had asked for and did not see the end of.
    pub cut: Vec<Cut>,
}

/// A deletion that a run had asked for when it was cut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// The repository.
    pub repository: RepositoryPath,
    /// The manifest.
    pub digest: Digest,
    /// The tags that it had.
    pub tags: Vec<Tag>,
    /// Whether it is gone; why that is not known otherwise.
    pub is_gone: Result<bool, String>,
}

/// Looks at what a run that was cut has left, and puts back what it lost; deletes nothing.
pub async fn finish(client: &Client, state: &State, options: &ReapOptions<'_>) -> Reaped {
    let mut run = Run::new(client, state, "", options);
    let ended = run.finish_alone().await;
    run.result(ended)
}

impl Run<'_> {
    async fn finish_alone(&mut self) -> Result<(), Stop> {
        if self.state.unverified()?.is_none() {
            return Ok(());
        }
        self.begin()?;
        let why = "what an earlier run has left is looked at";
        self.audit(Act::Begin, None, None, &[], why)?;
        self.finish_earlier().await?;
        self.audit(Act::End, None, None, &[], "all of it")?;
        Ok(())
    }

    /// Verifies the deletions of a run that was cut.
    pub(super) async fn finish_earlier(&mut self) -> Result<(), Stop> {
        let Some(batch) = self.state.unverified()? else {
            return Ok(());
        };
        let path = self.state.journal_path(&batch.run);
        let entries = State::entries(&path)?;
        self.entries = entries.into_iter().skip(batch.entries).collect();
        let own = |entry: &JournalEntry| entry.registry == *self.client.host();
        if !self.entries.iter().all(own) {
            let path = path.display();
            return Err(Stop::Because(format!(
                "the deletions of {path} are of another registry and not verified yet"
            )));
        }
        self.way = batch.way;
        self.unsure.clone_from(&batch.unsure);
        self.lost.clone_from(&batch.lost);
        self.undo.clone_from(&batch.undo);
        let cut = self.asked_for(&batch)?;
        let cut = self.look_at(cut).await?;
        self.result.earlier = Some(Earlier {
            run: batch.run.clone(),
            number: self.entries.len(),
            cut,
        });
        let mut before = batch.before.clone();
        for entry in &self.entries {
            before.entry(entry.repository.clone()).or_default();
        }
        let before = before.into_iter();
        let watches = before.map(|(repository, before)| {
            let watch = Watch::since(self.client, &repository, before);
            (repository, watch)
        });
        let watches = watches.collect();
        self.open = Some(batch);
        self.end_batch(&watches).await
    }

    /// Notes what the run had asked for in its last batch; returns that of which it did not see the end.
    fn asked_for(&mut self, batch: &Batch) -> Result<Vec<AuditEntry>, Stop> {
        let mut cut: BTreeMap<(RepositoryPath, Digest), AuditEntry> = BTreeMap::new();
        for entry in self.state.audited(&batch.run)? {
            let Some(key) = entry.repository.clone().zip(entry.digest.clone()) else {
                continue;
            };
            let is_open = |one: &JournalEntry| (&one.repository, &one.digest) == (&key.0, &key.1);
            if !self.entries.iter().any(is_open) {
                continue;
            }
            match entry.act {
                Act::Delete => {
                    self.tried.insert(key.clone());
                    cut.insert(key, entry);
                }
                Act::Deleted | Act::NotDeleted => {
                    cut.remove(&key);
                }
                _ => {}
            }
        }
        Ok(cut.into_values().collect())
    }

    /// What became of what a run had asked for.
    async fn look_at(&self, asked: Vec<AuditEntry>) -> Result<Vec<Cut>, Stop> {
        let mut found = Vec::new();
        for entry in asked {
            let (Some(repository), Some(digest)) = (entry.repository, entry.digest) else {
                continue;
            };
            let is_gone = match self.client.resolve(&repository, digest.as_str()).await {
                Reading::Absent => Ok(true),
                Reading::Present(_) => Ok(false),
                Reading::Unread(reason) => Err(reason),
            };
            let (act, why) = match &is_gone {
                Ok(true) => (Act::Deleted, "gone".to_owned()),
                Ok(false) => (Act::NotDeleted, "it is there".to_owned()),
                Err(reason) => (
                    Act::NotDeleted,
                    format!("whether it is gone is unknown: {reason}"),
                ),
            };
            let run = &entry.run;
            let why = format!("{why}; run {run}, which asked for it, was cut before it saw that");
            self.audit(act, Some(&repository), Some(&digest), &entry.tags, &why)?;
            found.push(Cut {
                repository,
                digest,
                tags: entry.tags,
                is_gone,
            });
        }
        Ok(found)
    }
}
