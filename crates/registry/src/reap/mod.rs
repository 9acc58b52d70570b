//! A frozen plan, carried out.
//!
//! ```text
//! batch: where all tags point ─▶ plan anew ─▶ group ─▶ … ─▶ where all tags point now ─▶ what was lost is put back
//! group: may it go? ─▶ its manifests' bytes ─▶ journal ─▶ manifest ─▶ …
//! manifest: may it still go? ─▶ audit ─▶ DELETE ─▶ is it gone? is anything else?
//! ```
//!
//! A registry cannot be told to delete something only if nothing has changed. What somebody else pushes while
//! a request to delete is on its way may be lost with it. So each is preceded by a look at the tags that
//! may have been moved and followed by another, and a batch by one at all; what was lost is put back from the
//! journal, and the run stops there. Of a run that was killed, the next one does that first.
//!
//! What cannot be found out: a tag that goes, and that somebody pushes to another manifest between the look
//! at it and its deletion, is gone. Tags that are moved are not deleted where they cannot be deleted alone.

mod earlier;
mod group;
mod verify;

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::PathBuf,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use underpin_image::{
    Digest, FrozenDeletion, FrozenGroup, FrozenPlan, JournalEntry, Left, Movement, RepositoryPath,
    Tag,
};

use crate::{
    client::Client,
    probe::{Deletes, probe},
    read::Api,
    restore::Restored,
    state::{Act, AuditEntry, Batch, Journal, Pointing, State, StateError, Way},
    watch::Watch,
};

pub use earlier::{Cut, Earlier, finish};

/// How long Gitea and Forgejo keep the blobs of what was deleted, as they are configured by default.
const GITEA_KEEPS: SignedDuration = SignedDuration::from_hours(24);

/// How a plan is carried out.
pub struct ReapOptions<'a> {
    /// What the registry is.
    pub api: Api,
    /// How long is waited after each deletion.
    pub pause: Duration,
    /// How many manifests go before all tags are looked at, unless one group has more.
    pub batch: usize,
    /// How many manifests may go in all.
    pub most: usize,
    /// Whether a tag may be moved; see `underpin_image::Settings::is_mutable`.
    pub is_mutable: &'a (dyn Fn(&Tag) -> bool + Sync),
    /// The time.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
    /// Random bytes, for names that nobody has.
    pub nonce: &'a [u8],
    /// Who does it, for the audit log.
    pub who: &'a str,
    /// Whether somebody has asked to stop: what goes together still does, and nothing else.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// Plans anew.
pub trait Recheck {
    /// What moved since the plan was frozen, as the whole fleet and the registry are now, or why that
    /// could not be told: `FrozenPlan::moved` of a plan that is made now. Asked before each batch of a run,
    /// which the audit log calls so.
    fn movements(
        &mut self,
        run: &str,
    ) -> impl Future<Output = Result<Vec<Movement>, String>> + Send;
}

/// A manifest that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gone {
    /// The repository.
    pub repository: RepositoryPath,
    /// Its digest.
    pub digest: Digest,
    /// The tags that it had.
    pub tags: Vec<Tag>,
}

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaped {
    /// What was found of a run that was cut, before anything else.
    pub earlier: Option<Earlier>,
    /// What was deleted, in its order. What was put back again is in [`Reaped::restored`] besides.
    pub deleted: Vec<Gone>,
    /// What the plan names and was kept, and why.
    pub kept: Vec<Left>,
    /// What was lost with something else, and put back.
    pub restored: Restored,
    /// Why it was not carried out to its end.
    pub stopped: Option<String>,
    /// Whether that is because somebody has asked for it, and nothing else is.
    pub is_asked_to_stop: bool,
    /// What puts it back.
    pub journal: Option<PathBuf>,
    /// Until when that can work for certain; absent where it can until somebody has the registry collect
    /// its garbage.
    pub until: Option<Timestamp>,
}

/// Why a run goes no further.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("somebody has asked to stop")]
    Asked,
    /// In a sentence without a full stop.
    #[error("{0}")]
    Because(String),
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        Self::Because(error.to_string())
    }
}

struct Run<'a> {
    client: &'a Client,
    state: &'a State,
    /// The hash of the plan; empty where only an earlier run is looked at.
    hash: &'a str,
    options: &'a ReapOptions<'a>,
    way: Way,
    journal: Option<Journal>,
    /// The batch that is under way, as the next run would find it.
    open: Option<Batch>,
    /// What of it the journal has.
    entries: Vec<JournalEntry>,
    /// What this run has asked the registry to delete in that batch.
    tried: BTreeSet<(RepositoryPath, Digest)>,
    /// Tags that went with a manifest that they had just been moved to.
    lost: Pointing,
    /// Tags that may have, with where they pointed last: that could not be read.
    unsure: Pointing,
    /// Repositories of which all that the batch deleted is put back.
    undo: BTreeSet<RepositoryPath>,
    result: Reaped,
}

/// Carries out a plan. What it does is in the audit log of the state's folder; what it deleted is in a
/// journal there.
pub async fn reap<R: Recheck>(
    client: &Client,
    state: &State,
    plan: &FrozenPlan,
    recheck: &mut R,
    options: &ReapOptions<'_>,
) -> Reaped {
    let mut run = Run::new(client, state, &plan.hash, options);
    let ended = run.carry_out(plan, recheck).await;
    run.result(ended)
}

impl<'a> Run<'a> {
    fn new(
        client: &'a Client,
        state: &'a State,
        hash: &'a str,
        options: &'a ReapOptions<'a>,
    ) -> Self {
        Self {
            client,
            state,
            hash,
            options,
            way: Way::Digests,
            journal: None,
            open: None,
            entries: Vec::new(),
            tried: BTreeSet::new(),
            lost: Pointing::new(),
            unsure: Pointing::new(),
            undo: BTreeSet::new(),
            result: Reaped::default(),
        }
    }

    /// What became of it.
    fn result(mut self, ended: Result<(), Stop>) -> Reaped {
        if let Err(stop) = ended {
            let reason = stop.to_string();
            // What cannot be written to the log is told in the result all the same.
            drop(self.audit(Act::Stop, None, None, &[], &reason));
            self.result.stopped = Some(reason);
            self.result.is_asked_to_stop = matches!(stop, Stop::Asked);
        }
        self.result.journal = self.journal.and_then(Journal::end);
        if self.way == Way::Rows && !self.result.deleted.is_empty() {
            self.result.until = (self.options.now)().checked_add(GITEA_KEEPS).ok();
        }
        self.result
    }

    async fn carry_out<R: Recheck>(
        &mut self,
        plan: &FrozenPlan,
        recheck: &mut R,
    ) -> Result<(), Stop> {
        self.check_plan(plan)?;
        self.begin()?;
        self.finish_earlier().await?;
        self.way = self.find_way(plan).await?;
        let number = plan.number().to_string();
        let why = format!("a plan of {} with {number} manifests", plan.at);
        self.audit(Act::Begin, None, None, &[], &why)?;
        let mut rest = &plan.groups[..];
        while !rest.is_empty() {
            if (self.options.stop)() {
                return Err(Stop::Asked);
            }
            let (batch, behind) = rest.split_at(batch_length(rest, self.options.batch));
            self.batch(batch, recheck).await?;
            rest = behind;
        }
        self.audit(Act::End, None, None, &[], "all of it")?;
        Ok(())
    }

    /// From here on the run has a name.
    fn begin(&mut self) -> Result<(), StateError> {
        let journal = self.state.journal((self.options.now)(), self.hash)?;
        self.journal = Some(journal);
        Ok(())
    }

    /// How the log calls this run.
    fn run(&self) -> String {
        let journal = self.journal.as_ref();
        journal
            .map(|journal| journal.run.clone())
            .unwrap_or_default()
    }

    fn check_plan(&self, plan: &FrozenPlan) -> Result<(), Stop> {
        let most = self.options.most;
        if plan.registry != *self.client.host() {
            let (registry, host) = (&plan.registry, self.client.host());
            return Err(Stop::Because(format!(
                "the plan is for {registry}, and this is {host}"
            )));
        }
        if plan.number() > most {
            let number = plan.number();
            return Err(Stop::Because(format!(
                "the plan deletes {number} manifests, and one run may delete {most}"
            )));
        }
        Ok(())
    }

    /// How this registry deletes: asked, on what is not there.
    async fn find_way(&self, plan: &FrozenPlan) -> Result<Way, Stop> {
        let is_gitea = match self.options.api {
            Api::Gitea => true,
            Api::Distribution => false,
            Api::Detect => {
                let found = self.client.is_gitea().await;
                found.map_err(|reason| {
                    Stop::Because(format!("whether it is a Gitea is unknown: {reason}"))
                })?
            }
        };
        if is_gitea {
            return Ok(Way::Rows);
        }
        let Some(group) = plan.groups.first() else {
            return Ok(Way::Digests);
        };
        let found = probe(self.client, &group.repository, self.options.nonce).await;
        let reason = match &found.deletes {
            Deletes::Enabled => None,
            Deletes::Disabled => Some("the registry is configured to delete nothing".to_owned()),
            Deletes::Forbidden => Some("these credentials may not delete".to_owned()),
            Deletes::Unknown(reason) => Some(format!(
                "whether it deletes anything is not known: {reason}"
            )),
        };
        if let Some(reason) = reason {
            return Err(Stop::Because(reason));
        }
        found
            .remember(self.state.folder(), self.client.host())
            .map_err(|error| Stop::Because(format!("cannot remember what it can: {error}")))?;
        match (found.deletes_tags, plan.deletion) {
            (Some(true), _) => Ok(Way::Tags),
            (_, FrozenDeletion::DigestsWithTags) => Ok(Way::Digests),
            (_, FrozenDeletion::TagsAlone) => Err(Stop::Because(
                "the plan was made for a registry that deletes tags alone, and this one does not: \
                 make it anew"
                    .to_owned(),
            )),
        }
    }

    /// Whatever has stopped a batch: what was lost is looked for in all its repositories.
    async fn end_batch(&mut self, watches: &BTreeMap<RepositoryPath, Watch>) -> Result<(), Stop> {
        let mut verified = Ok(());
        for (repository, watch) in watches {
            let one = self.verify(repository, watch).await;
            verified = verified.and(one);
        }
        if self.entries.is_empty() {
            self.state.end_batch()?;
            self.open = None;
            return verified;
        }
        let remembered = self.remember_batch();
        verified.and(remembered.map_err(Stop::from))
    }

    async fn batch<R: Recheck>(
        &mut self,
        groups: &[FrozenGroup],
        recheck: &mut R,
    ) -> Result<(), Stop> {
        let mut watches: BTreeMap<RepositoryPath, Watch> = BTreeMap::new();
        for group in groups {
            if !watches.contains_key(&group.repository) {
                let watch = Watch::begin(self.client, &group.repository).await;
                let watch = watch
                    .map_err(|reason| Stop::Because(format!("{}: {reason}", group.repository)));
                watches.insert(group.repository.clone(), watch?);
            }
        }
        // What has changed until now this sees, and what changes from now on the watches do.
        let run = self.run();
        let movements = recheck.movements(&run).await;
        let movements = movements.map_err(|reason| {
            if (self.options.stop)() {
                Stop::Asked
            } else {
                Stop::Because(reason)
            }
        })?;
        if let Some(whole) = movements.iter().find(|one| one.digest.is_none()) {
            return Err(Stop::Because(whole.message.clone()));
        }
        let written = self.journal.as_ref().map_or(0, |journal| journal.written);
        let watched = watches.iter();
        let before = watched.map(|(path, watch)| (path.clone(), watch.before.clone()));
        self.open = Some(Batch {
            run,
            way: self.way,
            entries: written,
            before: before.collect(),
            unsure: Pointing::new(),
            lost: Pointing::new(),
            undo: BTreeSet::new(),
        });
        self.remember_batch()?;
        let mut stopped = Ok(());
        for group in groups {
            let Some(watch) = watches.get_mut(&group.repository) else {
                continue;
            };
            if (self.options.stop)() {
                stopped = Err(Stop::Asked);
                break;
            }
            stopped = match moved(group, &movements) {
                Some(reason) => self.keep(group, reason),
                None => self.group(group, watch).await,
            };
            if stopped.is_err() {
                break;
            }
        }
        self.end_batch(&watches).await?;
        stopped
    }

    /// Writes down what the next run has to look at if this one is cut.
    fn remember_batch(&mut self) -> Result<(), StateError> {
        let Some(batch) = &mut self.open else {
            return Ok(());
        };
        batch.unsure.clone_from(&self.unsure);
        batch.lost.clone_from(&self.lost);
        batch.undo.clone_from(&self.undo);
        self.state.begin_batch(batch)
    }

    /// Keeps a group that no longer may go.
    fn keep(&mut self, group: &FrozenGroup, reason: &str) -> Result<(), Stop> {
        for manifest in &group.manifests {
            let (repository, digest) = (&group.repository, &manifest.digest);
            self.audit(
                Act::Keep,
                Some(repository),
                Some(digest),
                &manifest.tags,
                reason,
            )?;
            self.result.kept.push(Left {
                repository: repository.clone(),
                what: digest.to_string(),
                reason: reason.to_owned(),
            });
        }
        Ok(())
    }

    fn audit(
        &self,
        act: Act,
        repository: Option<&RepositoryPath>,
        digest: Option<&Digest>,
        tags: &[Tag],
        why: &str,
    ) -> Result<(), StateError> {
        self.state.audit(&AuditEntry {
            schema: AuditEntry::SCHEMA.to_owned(),
            at: (self.options.now)(),
            registry: self.client.host().clone(),
            plan: self.hash.to_owned(),
            run: self.run(),
            by: self.options.who.to_owned(),
            act,
            repository: repository.cloned(),
            digest: digest.cloned(),
            tags: tags.to_vec(),
            why: why.to_owned(),
        })
    }
}

/// How many groups make a batch: at least one.
fn batch_length(groups: &[FrozenGroup], most: usize) -> usize {
    let mut number = 0;
    let fitting = groups.iter().take_while(|group| {
        number += group.manifests.len();
        number <= most
    });
    fitting.count().max(1)
}

/// Why a group no longer may go, by the plan of now. It goes as a whole or not at all.
fn moved<'m>(group: &FrozenGroup, movements: &'m [Movement]) -> Option<&'m str> {
    let own: BTreeSet<&Digest> = group.manifests.iter().map(|one| &one.digest).collect();
    let mut of_group = movements.iter().filter(|movement| {
        let digest = movement.digest.as_ref();
        movement.repository == group.repository && digest.is_some_and(|it| own.contains(it))
    });
    of_group.next().map(|movement| &*movement.message)
}
