//! Rounds: what was decided is told, published, verified and kept, or rolled back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::Instant,
};
use underpin_cluster::{Cluster, Report, Tenure};
use underpin_model::wording::count;
use underpin_route::{
    Act, Decision, Kept, Refusal, RefusalReason, Remembered, RouteKey, probes, unserved,
};

use super::{
    COMPONENT, ServeError, ServeOptions,
    unverified::{Unverified, told},
};
use crate::{
    ACCEPT_LOSS_ANNOTATION, AdminError, Caddy, Decided, Edge, Folder, Ready, Seen, Status,
    edge::{Remark, Shared, remarks, serves_anybody, token},
    pace::Pace,
    sources::Message,
    status::host_of,
};

/// How long a burst of changes may go on before there is a round.
const LONGEST_BURST: Duration = Duration::from_secs(1);
/// After this time a round that failed is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// How long a round waits for Secrets; those that take longer are read on.
const READ_SECRETS: Duration = Duration::from_secs(2);
/// How many Events may wait to be sent; what is more is told in the log alone.
const EVENTS_WAITING: usize = 256;

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
    /// What was published last.
    document: Option<Ready>,
    /// What Caddy ran before the first document, while none has been published.
    found: Option<Value>,
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
            found: None,
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
            self.document = Some(Ready::of(bytes));
        }
        self.found = self.folder.found()?;
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
        let looked = self
            .edge
            .look_at_certificates(self.cluster, &decided, READ_SECRETS);
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
                self.remembered = next;
                if is_still_ours && is_other {
                    self.folder.remember(&self.remembered)?;
                }
            }
        }
        Ok(())
    }

    /// Numbers, lines and Events of what was decided.
    fn describe(&mut self, decided: &Decided) {
        let decision = &decided.round.decision;
        let published = self.remembered.published.holders.len();
        let held = of_kind(decision, |kept| matches!(kept, Kept::Held));
        let unexplained = of_kind(decision, |kept| {
            matches!(kept, Kept::Held | Kept::WaitingUnexplained(_))
        });
        let mut holds: Vec<String> = decision.holds.iter().map(ToString::to_string).collect();
        if let (Some(loss), Some((namespace, name))) = (&decided.loss, &self.edge.options().service)
        {
            holds.push(format!(
                "to consent to it: kubectl annotate --overwrite service {name} --namespace \
                 {namespace} {ACCEPT_LOSS_ANNOTATION}={loss}"
            ));
        }
        let unserved = self.unserved(decided);
        let served = &decided.round.next.served;
        {
            let writes = self.is_ours();
            let mut status = self.status();
            status.desired = decided.table.routes.len();
            status.held = held;
            status.waiting = of_kind(decision, |kept| {
                matches!(kept, Kept::Waiting(..) | Kept::WaitingUnexplained(_))
            });
            status.conflicted = decided.table.conflicts.len();
            status.refused = decided.table.refused.len();
            status.unread = decided.table.incomplete.len();
            status.unserved = unserved.len();
            status.astray = self.edge.astray().count();
            status.vanish_ratio = ratio(unexplained, published);
            status.holds.clone_from(&holds);
            status.loss.clone_from(&decided.loss);
            status.writes = writes;
        }
        let mut lines: BTreeSet<String> = holds.into_iter().collect();
        let mut reports = BTreeSet::new();
        for (object, remarks) in remarks(&decided.table, &unserved, served, &self.edge) {
            let live = self.seen.world().get(&object);
            let uid = live.and_then(|live| live.uid()).map(str::to_owned);
            for Remark { reason, text } in remarks {
                lines.insert(format!("{object}: {text}"));
                if let Some(uid) = &uid {
                    reports.insert(Report {
                        about: object.clone(),
                        uid: uid.clone(),
                        reason: reason.to_owned(),
                        message: text,
                        component: COMPONENT.to_owned(),
                    });
                }
            }
        }
        for line in lines.difference(&self.told) {
            (self.tell)(line);
        }
        self.told = lines;
        if let Some(events) = &self.events {
            for report in reports.difference(&self.reported) {
                // Where too many wait, the log has said it.
                let _ = events.try_send(report.clone());
            }
        }
        self.reported = reports;
    }

    /// Sites over TLS that are not served, and why.
    fn unserved(&self, decided: &Decided) -> BTreeMap<RouteKey, String> {
        let served = &decided.round.next.served;
        let without_port = unserved(served, self.edge.options().https_port).into_iter();
        let no_port = "the edge has no port for TLS (--https-port)";
        let mut told: BTreeMap<RouteKey, String> =
            without_port.map(|key| (key, no_port.to_owned())).collect();
        let uncertified = self
            .uncertified
            .iter()
            .filter(|key| served.contains_key(key));
        let no_certificate = "Caddy has no certificate for it";
        told.extend(uncertified.map(|key| (key.clone(), no_certificate.to_owned())));
        told
    }

    async fn publish(
        &mut self,
        decided: Decided,
        begun: Instant,
        term: Option<u64>,
    ) -> Result<(), ServeError> {
        let next = decided.round.next;
        let ready = self.edge.document(&next)?;
        let ours = begun.elapsed();
        if self.document.is_none() && self.found.is_none() && !self.finds().await? {
            return Ok(());
        }
        let took = match self.caddy.load(ready.bytes.clone()).await {
            Ok(took) => took,
            Err(error) => {
                self.fail(&format!("the new configuration is not published: {error}"));
                if !matches!(error, AdminError::Refused(_)) && self.term() == term {
                    // Whether it runs is not known.
                    self.roll_back().await;
                }
                return Ok(());
            }
        };
        self.lives();
        if let Err(unverified) = self.verified(&ready, &next, true).await {
            let why = &unverified.why;
            self.fail(&format!(
                "the new configuration does not serve what it says: {why}"
            ));
            if self.term() == term {
                let now = self.now();
                self.edge
                    .distrust(unverified.suspects(&next, &self.remembered), now);
                self.edge.certificates.take_back(&unverified.certificates);
                self.roll_back().await;
            }
            return Ok(());
        }
        if self.term() != term {
            // Another process may have begun with what is in the folder.
            self.fail("the lease was lost while a document was published; it is not kept");
            return Ok(());
        }
        self.folder.keep(&ready.bytes, &next)?;
        self.edge.certificates.prove();
        self.pace.succeeded();
        self.tell_change(&next, took);
        self.remembered = next;
        self.document = Some(ready);
        self.found = None;
        self.anew = false;
        let now = self.now();
        let hosts = self.remembered.served.keys().filter_map(host_of).collect();
        let astray = self.edge.astray().count();
        let mut status = self.status();
        status.load_seconds = took.as_secs_f64();
        status.round_seconds = ours.as_secs_f64();
        (status.last_load, status.last_verified) = (now, now);
        status.generation = self.remembered.published.generation;
        status.live = self.remembered.served.len();
        status.astray = astray;
        status.hosts = hosts;
        status.not_ready = None;
        Ok(())
    }

    /// Keeps what Caddy runs before it is given the first document, on the disk too: this process may
    /// end before it is known whether that one does what it says.
    async fn finds(&mut self) -> Result<bool, ServeError> {
        let found = match self.caddy.config().await {
            Ok(found) => found,
            Err(error) => {
                let what = "nothing is published, for what Caddy runs now is not known";
                self.fail(&format!("{what}: {error}"));
                return Ok(false);
            }
        };
        let Ok(value) = serde_json::from_slice(&found) else {
            self.fail("nothing is published, for Caddy does not say in JSON what it runs now");
            return Ok(false);
        };
        self.folder.keep_found(&found)?;
        self.found = Some(value);
        Ok(true)
    }

    /// A sign of life between steps of which each has its own limit.
    fn lives(&self) {
        self.status().alive = Some(Instant::now());
    }

    fn tell_change(&self, next: &Remembered, took: Duration) {
        let before = &self.remembered.served;
        let added = next.served.keys().filter(|key| !before.contains_key(key));
        let gone = before.keys().filter(|key| !next.served.contains_key(key));
        (self.tell)(&format!(
            "published generation {}: {}, {} new, {} gone; Caddy took {} ms",
            next.published.generation,
            count(next.served.len(), "route"),
            added.count(),
            gone.count(),
            took.as_millis(),
        ));
    }

    /// Whether Caddy runs a document and serves what it says (R3.7).
    /// `is_new`: it has the certificates that are known now.
    async fn verified(
        &mut self,
        ready: &Ready,
        remembered: &Remembered,
        is_new: bool,
    ) -> Result<(), Unverified> {
        match self.caddy.runs(&ready.bytes).await {
            Ok(true) => {}
            Ok(false) => {
                let why = "Caddy runs something else than it was given";
                return Err(Unverified::of(why.to_owned()));
            }
            Err(error) => return Err(Unverified::of(error.to_string())),
        }
        let token = token(self.cluster.host());
        let token = token.map_err(|error| Unverified::of(error.to_string()))?;
        let probes = probes(&remembered.served, &self.edge.asking(&token));
        let generation = remembered.published.generation;
        let verified = self.caddy.verify(probes, generation, &remembered.nonce);
        let mut found = verified.await;
        self.lives();
        let answered = found.answered;
        let lost = if is_new {
            let (uncertified, served) = (&found.uncertified, &remembered.served);
            self.edge.lost_certificates(uncertified, served)
        } else {
            BTreeMap::new()
        };
        if self.uncertified != found.uncertified {
            self.uncertified = std::mem::take(&mut found.uncertified);
            // That is told in the next round.
            self.pace.changed(Instant::now());
        }
        found.failures = self.edge.without_astray(found.failures, &remembered.served);
        if found.failures.is_empty() && found.not_asked.is_empty() && lost.is_empty() {
            return Ok(());
        }
        Err(Unverified {
            why: told(&found, &lost),
            failures: found.failures,
            certificates: lost.into_values().collect(),
            answered: answered > 0,
        })
    }

    /// The same of what was published last. Routes in whose place something else answers are no reason to
    /// give up the others, where these are answered: that is told, and they are asked for at each
    /// further verification.
    async fn verified_last(&mut self, document: &Ready) -> Result<(), String> {
        let remembered = self.remembered.clone();
        let Err(unverified) = self.verified(document, &remembered, false).await else {
            return Ok(());
        };
        if !unverified.is_for_routes() {
            return Err(unverified.why);
        }
        let keys = unverified.failures.iter().filter_map(|it| it.key.as_ref());
        let routes =
            keys.filter_map(|key| Some((key.clone(), remembered.served.get(key)?.clone())));
        let routes = routes.collect();
        self.edge.go_on_without(routes);
        let astray = self.edge.astray().count();
        self.status().astray = astray;
        let line = format!(
            "something else answers in place of what is published: {}",
            unverified.why
        );
        if self.told.insert(line.clone()) {
            (self.tell)(&line);
        }
        Ok(())
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

    /// Has Caddy run what it last ran well; before the first document, what it was found to run.
    async fn roll_back(&mut self) {
        let Some(document) = self.document.take() else {
            return self.put_back().await;
        };
        let generation = self.remembered.published.generation;
        let restored = self.restore(&document).await;
        self.document = Some(document);
        match restored {
            Ok(()) => (self.tell)(&format!("rolled back to generation {generation}")),
            Err(why) => {
                (self.tell)(&format!(
                    "cannot roll back to generation {generation}: {why}"
                ));
                self.status().not_ready = Some(why);
            }
        }
    }

    async fn put_back(&mut self) {
        let found = self.found.as_ref().unwrap_or(&Value::Null);
        let put = match self.edge.put_back(found, &self.remembered.nonce) {
            Ok(ready) => {
                let loaded = self.caddy.load(ready.bytes).await;
                loaded.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        self.lives();
        let what = match put {
            Ok(_) if serves_anybody(found) => "Caddy runs again what it ran before".to_owned(),
            Ok(_) => "Caddy ran nothing before, and answers every host with the page".to_owned(),
            Err(why) => format!("Caddy cannot be given back what it ran before: {why}"),
        };
        (self.tell)(&what);
        let why = "the first configuration does not serve what it says";
        self.status().not_ready = Some(format!("{why}; {what}"));
    }

    async fn restore(&mut self, document: &Ready) -> Result<(), String> {
        let loaded = self.caddy.load(document.bytes.clone()).await;
        self.lives();
        loaded.map_err(|error: AdminError| error.to_string())?;
        self.verified_last(document).await
    }

    /// Whether Caddy still runs what was published. One that was started anew from something else, or
    /// was changed by somebody else, is given it again, whether or not the cluster can be read.
    pub(super) async fn look(&mut self) {
        let Some(document) = self.document.take() else {
            return;
        };
        let runs = match self.caddy.runs_on().await {
            // After a start, what it said is not known yet.
            Ok(false) => self.caddy.runs(&document.bytes).await,
            other => other,
        };
        match runs {
            Ok(true) => {
                if self.status().not_ready.is_some() {
                    let verified = self.verified_last(&document).await;
                    self.came_back(verified);
                }
            }
            Ok(false) if self.is_ours() => {
                (self.tell)("Caddy runs something else than was published; it is given that again");
                self.status().drifts += 1;
                let restored = self.restore(&document).await;
                self.came_back(restored);
            }
            Ok(false) => {}
            Err(error) => self.status().not_ready = Some(error.to_string()),
        }
        self.document = Some(document);
    }

    fn came_back(&mut self, outcome: Result<(), String>) {
        let now = self.now();
        let hosts = self.remembered.served.keys().filter_map(host_of).collect();
        let (generation, live) = (
            self.remembered.published.generation,
            self.remembered.served.len(),
        );
        let mut status = self.status();
        match outcome {
            Ok(()) => {
                (status.last_verified, status.generation) = (now, generation);
                (status.live, status.hosts) = (live, hosts);
                status.not_ready = None;
            }
            Err(why) => status.not_ready = Some(why),
        }
    }
}

fn of_kind(decision: &Decision, is: impl Fn(&Kept) -> bool) -> usize {
    decision.kept.values().filter(|kept| is(kept)).count()
}

/// Counts of routes are far below what a float tells apart.
#[allow(clippy::cast_precision_loss, reason = "counts of routes are small")]
fn ratio(part: usize, of: usize) -> f64 {
    if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    }
}

/// Sends Events one after the other. That they cannot be sent changes nothing: the log has them too.
async fn send_events(cluster: Cluster, mut reports: mpsc::Receiver<Report>) {
    while let Some(report) = reports.recv().await {
        let version = match report.about.kind.group.as_str() {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        };
        let _ = cluster.report(&version, &report).await;
    }
}
