//! Rounds: what was decided is told, published, verified and kept, or rolled back.

mod publishing;
mod restoring;
mod telling;
mod unverified;
mod verifying;

use std::{
    collections::BTreeSet,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use underpin_cluster::{Cluster, Report, Tenure};
use underpin_route::{Act, Refusal, RefusalReason, Remembered, RouteKey};

use self::telling::send_events;
use super::{ServeError, ServeOptions};
use crate::{
    Caddy, Edge, Folder, SecretsWait, Seen, Status,
    edge::{Shared, token},
    pace::Pace,
    sources::Message,
};

/// How long a burst of changes may go on before there is a round.
const LONGEST_BURST: Duration = Duration::from_secs(1);
/// After this time a round that failed is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a round waits for Secrets of which nothing is known; those that take longer are read on.
const READ_SECRETS: Duration = Duration::from_secs(2);
/// How many Events may wait to be sent; what is more is told in the log alone.
const EVENTS_WAITING: usize = 256;

/// The digest of a document.
type Fingerprint = [u8; 32];
/// Until when this process writes, if it does.
type Held = watch::Receiver<Option<Tenure>>;

pub(super) struct Rounds<'a> {
    cluster: &'a Cluster,
    edge: Edge,
    caddy: Caddy,
    folder: Folder,
    pub(super) seen: Seen,
    /// Why claims cannot be read.
    claims: Option<String>,
    remembered: Remembered,
    /// The digest of what was published last, which is in the folder.
    document: Option<Fingerprint>,
    /// Whether what Caddy ran before the first document is in the folder, while none has been published.
    has_found: bool,
    /// Sites for which Caddy showed no certificate.
    uncertified: Vec<RouteKey>,
    /// Whether the settings are others than those of what was published.
    anew: bool,
    pub(super) pace: Pace,
    status: Shared<Status>,
    tell: &'a (dyn Fn(&str) + Send + Sync),
    pub(super) ours: Held,
    was_ours: bool,
    /// The term of which what was published last has been recalled.
    recalled: Option<u64>,
    /// What was told in the last round, so that only what is new is told.
    told: BTreeSet<String>,
    events: Option<mpsc::Sender<Report>>,
    reported: BTreeSet<Report>,
}

impl<'a> Rounds<'a> {
    pub(super) fn new(
        cluster: &'a Cluster,
        options: &ServeOptions,
        status: Shared<Status>,
        tell: &'a (dyn Fn(&str) + Send + Sync),
        helpers: &mut JoinSet<()>,
    ) -> Result<Self, ServeError> {
        let admin = options.edge.admin.clone();
        let folder = Folder::open(&options.folder)?;
        let mut edge = Edge::new(options.edge.clone());
        edge.prepare(Some(&folder))?;
        let (_, ours) = watch::channel(None);
        let events = options.events.then(|| {
            let (sender, receiver) = mpsc::channel(EVENTS_WAITING);
            helpers.spawn(send_events(cluster.clone(), receiver));
            sender
        });
        let mut running = Self {
            cluster,
            edge,
            caddy: Caddy::new(admin, options.sites),
            folder,
            seen: Seen::new([]),
            claims: Some("the claims have not been read yet".to_owned()),
            remembered: Remembered::default(),
            document: None,
            has_found: false,
            uncertified: Vec::new(),
            anew: false,
            pace: Pace::new(options.quiet, LONGEST_BURST),
            status,
            tell,
            ours,
            was_ours: false,
            recalled: None,
            told: BTreeSet::new(),
            events,
            reported: BTreeSet::new(),
        };
        running.recall()?;
        Ok(running)
    }

    /// Reads what was published last, by this process or another.
    fn recall(&mut self) -> Result<(), ServeError> {
        let remembered = self.folder.remembered()?;
        let document = self.folder.document()?;
        self.remembered = remembered.unwrap_or_default();
        if self.remembered.nonce.is_empty() {
            self.remembered.nonce = token(self.cluster.host())?;
        }
        self.anew = false;
        self.document = None;
        if let Some(bytes) = document.filter(|_| self.remembered.published.generation > 0) {
            self.edge.recall_certificates(&bytes);
            self.anew = self.edge.document(&self.remembered)?.bytes != bytes;
            self.document = Some(Sha256::digest(&bytes).into());
        }
        self.has_found = self.folder.found()?.is_some();
        Ok(())
    }

    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        // Numbers and texts, whole after every statement.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.cluster.host().now().as_second()).unwrap_or_default()
    }

    pub(super) fn take(&mut self, message: Message) {
        let now = self.now();
        let changed = match message {
            Message::Objects(told) => self.seen.take(told, now),
            Message::Claims(Ok(read)) => {
                let is_back = self.claims.take().is_some();
                self.seen.take_claims(read) || is_back
            }
            Message::Claims(Err(why)) => self.claims.replace(why).is_none(),
        };
        if changed {
            self.pace.changed(Instant::now());
        }
    }

    /// The term in which this process writes now, if it does.
    fn term(&self) -> Option<u64> {
        let tenure = *self.ours.borrow();
        let tenure = tenure.filter(|tenure| tenure.until > Instant::now());
        tenure.map(|tenure| tenure.term)
    }

    fn is_ours(&self) -> bool {
        self.term().is_some()
    }

    /// Who comes to write begins with what the one before has left. Another term is another time of
    /// coming, whether or not anybody has looked between.
    pub(super) fn lease_changed(&mut self) -> Result<(), ServeError> {
        let term = self.term();
        if term.is_some() && term != self.recalled {
            self.recall()?;
            self.recalled = term;
            self.pace.changed(Instant::now());
        }
        let is_ours = term.is_some();
        if is_ours && !self.was_ours {
            (self.tell)("this process writes now");
        } else if !is_ours && self.was_ours {
            (self.tell)("another process writes now");
        }
        if is_ours != self.was_ours {
            self.pace.changed(Instant::now());
        }
        self.was_ours = is_ours;
        Ok(())
    }

    /// One round.
    pub(super) async fn turn(&mut self) -> Result<(), ServeError> {
        let begun = Instant::now();
        self.lease_changed()?;
        let term = self.recalled.filter(|_| self.was_ours);
        self.pace.begun();
        let now = self.now();
        let before = self.remembered.causes.clone();
        self.seen.teach(&mut self.remembered);
        let observed = self.seen.observed(self.claims.clone());
        let decided = self
            .edge
            .decide(observed, &self.remembered, self.anew, None, now)
            .await;
        let decided = match decided {
            Ok(decided) => decided,
            Err(error) => {
                self.fail(&error.to_string());
                return Ok(());
            }
        };
        self.lives();
        let wait = SecretsWait::Unknown(READ_SECRETS);
        let looked = self
            .edge
            .look_at_certificates(self.cluster, &decided, wait, now);
        if looked.await {
            // A document with the new ones is made even if nothing else changed.
            self.anew = true;
            self.pace.again(Instant::now());
        }
        if let Some(at) = self.edge.certificates.due() {
            self.pace.again(at);
        }
        self.describe(&decided);
        let decision = &decided.round.decision;
        if let Some(at) = decision.again_at {
            let wait = Duration::from_secs(at.saturating_sub(now).max(1));
            self.pace.again(Instant::now() + wait);
        }
        let refused = &decided.table.refused;
        let is_unanswered = |one: &Refusal| one.reason == RefusalReason::Unanswered;
        if self.edge.distrusts() || refused.iter().any(is_unanswered) {
            self.pace.again(Instant::now() + AGAIN);
        }
        let is_still_ours = term.is_some() && self.term() == term;
        match decided.round.act {
            Act::Publish if is_still_ours => self.publish(decided, begun, term).await?,
            Act::Publish => {}
            Act::Nothing | Act::Hold => {
                let next = decided.round.next;
                let is_other = self.remembered != next || self.remembered.causes != before;
                if is_still_ours
                    && is_other
                    && let Err(error) = self.folder.remember(&next)
                {
                    // A wait that is not written down has not begun.
                    self.fail(&error.to_string());
                } else {
                    self.remembered = next;
                }
            }
        }
        Ok(())
    }

    /// A sign of life between steps of which each has its own limit.
    fn lives(&self) {
        self.status().alive = Some(Instant::now());
    }

    /// A round that came to nothing is tried again after a while.
    fn fail(&mut self, what: &str) {
        self.pace.failed(Instant::now());
        let line = what.to_owned();
        if self.told.insert(line) {
            (self.tell)(what);
        }
        let never = self.document.is_none();
        let mut status = self.status();
        status.failures += 1;
        if never {
            status.not_ready = Some(what.to_owned());
        }
    }
}
