//! The wait itself: looks again and again, tells what it sees, and ends with what has failed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;
use underpin_model::{FieldPath, Mask, Object, ObjectKey, Place, Step, World};
use underpin_plan::{Plan, Until, waiting};
use underpin_readiness::{
    State, Surroundings, completion, diagnosis::TemplateField, observes_changes, state,
};
use underpin_refs::{bears_pods, container_path};
use underpin_source::manifests::Variables;

use super::{
    evidence::Evidence,
    look::{Look, Seen, Timed},
    neighbours::Neighbourhood,
    secrets,
};
use crate::{
    Deployment, Event, Failure, NotReady, Observer, Pending, Planned, Readiness, Stop, StopReason,
    WaveReadiness, kinds::Kinds,
};

/// Least time between two looks at what is not ready.
const POLL: Duration = Duration::from_millis(500);
/// Most time between two looks; the longer a wait takes, the less often it looks.
const POLL_LIMIT: Duration = Duration::from_secs(3);
/// After how long pods are looked at for why it takes so long; then after twice as long each time.
const PODS_FIRST: Duration = Duration::from_secs(4);
/// Longest time between two looks at pods: a list of all of a namespace may be large.
const PODS_LIMIT: Duration = Duration::from_secs(32);
/// How long a custom kind's controller gets to notice a change, if its objects do not tell which
/// change their status is about.
const SETTLE: Duration = Duration::from_secs(1);
/// Failures whose cause is looked for; of further ones only their state is told.
const DIAGNOSED: usize = 20;

/// What a wait needs of its run.
pub(crate) struct Waiter<'a> {
    pub(super) timed: Timed<'a>,
    pub(super) stop: &'a Stop,
    pub(super) observer: &'a dyn Observer,
    pub(super) world: &'a World,
    pub(super) plan: &'a Plan,
    pub(super) kinds: &'a Kinds,
    pub(super) variables: &'a Variables,
    /// How long to wait for objects that do not say it themselves.
    pub(super) patience: Duration,
}

/// An object to wait for.
pub(crate) struct Declared<'a> {
    pub(crate) step: &'a Step,
    /// The object as it was last seen.
    pub(crate) object: Object,
    /// The wave that applied it, from 1; 0 if it was there unchanged.
    pub(crate) wave: usize,
}

impl<'a> Waiter<'a> {
    /// A wait for what a plan declares. `timed` gives the cluster with the time limit of the next
    /// request.
    pub(crate) fn new(
        deployment: &'a Deployment,
        planned: &'a Planned,
        timed: Timed<'a>,
        stop: &'a Stop,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            timed,
            stop,
            observer,
            world: &planned.world,
            plan: &planned.plan,
            kinds: &planned.kinds,
            variables: &deployment.variables,
            patience: deployment.settings.wait_timeout,
        }
    }
}

/// One object that is not ready.
struct Unready {
    wave: usize,
    until: Until,
    /// When waiting for it ends, and how long that is.
    end: Instant,
    patience: Duration,
    /// Until when its saying that it is ready counts for nothing.
    settled: Instant,
    live: Option<Object>,
    state: State,
    /// What its pods say.
    trouble: Option<String>,
    /// Both in words that may be shown.
    why: String,
}

impl Unready {
    /// Says anew why it is not ready.
    fn explain(&mut self, mask: &Mask) {
        let why = match &self.trouble {
            Some(trouble) => format!("{}: {trouble}", self.state),
            None => self.state.to_string(),
        };
        self.why = mask.apply(&why);
    }
}

/// A wait under way.
struct Wait<'a> {
    on: &'a Waiter<'a>,
    surroundings: Surroundings,
    begin: Instant,
    waiting: BTreeMap<ObjectKey, Unready>,
    waves: BTreeMap<usize, WaveReadiness>,
    failures: Vec<Failure>,
    secrets: Vec<String>,
    mask: Mask,
    told: Option<Readiness>,
}

impl Waiter<'_> {
    /// Waits until every object is ready, has failed, or its time is over: each failure with its
    /// cause. What has failed by then is told also where the wait is cut short.
    pub(crate) async fn wait(
        &self,
        declared: Vec<Declared<'_>>,
    ) -> (Vec<Failure>, Option<StopReason>) {
        let mut wait = Wait::new(self, declared);
        if wait.waiting.is_empty() {
            return (Vec::new(), None);
        }
        // Costs something where there are many Secrets: only once something has to be told.
        wait.learn_secrets();
        let stopped = wait.run().await.err();
        self.observer.event(Event::Waited);
        (wait.failures, stopped)
    }
}

impl<'a> Wait<'a> {
    fn new(on: &'a Waiter<'a>, declared: Vec<Declared<'_>>) -> Self {
        let now = Instant::now();
        let classes = Surroundings::storage_class();
        let applied = declared.iter().map(|one| &one.object);
        let surroundings = Surroundings::of(on.world.of_kind(&classes).chain(applied));
        let mut wait = Self {
            on,
            surroundings,
            begin: now,
            waiting: BTreeMap::new(),
            waves: BTreeMap::new(),
            failures: Vec::new(),
            mask: Mask::default(),
            secrets: Vec::new(),
            told: None,
        };
        for one in declared {
            wait.add(one, now);
        }
        wait
    }

    fn add(&mut self, one: Declared<'_>, now: Instant) {
        let declared = one.step.desired.as_ref().unwrap_or(&one.object);
        let (wanted, _) = waiting(declared);
        if wanted.until == Until::Applied {
            return;
        }
        let state = self.judge(&one.object, wanted.until);
        // What was there unchanged has long been noticed.
        let settled = if one.wave == 0 || observes_changes(&one.object) {
            now
        } else {
            now + SETTLE
        };
        if state.is_current() && settled == now {
            return;
        }
        let patience = wanted.timeout.unwrap_or(self.on.patience);
        let wave = self.waves.entry(one.wave).or_insert(WaveReadiness {
            number: one.wave,
            ready: 0,
            of: 0,
        });
        wave.of += 1;
        let unready = Unready {
            wave: one.wave,
            until: wanted.until,
            end: now + patience,
            patience,
            settled,
            state: if state.is_current() {
                State::InProgress("its controller may not have noticed the change yet".to_owned())
            } else {
                state
            },
            live: Some(one.object),
            trouble: None,
            why: String::new(),
        };
        self.waiting.insert(one.step.key.clone(), unready);
    }

    /// Learns which values must not be shown, and says why things are not ready without these.
    fn learn_secrets(&mut self) {
        self.secrets = secrets::known(self.on.world, self.on.plan, self.on.variables);
        self.mask = secrets::mask(&self.secrets, Vec::new());
        for unready in self.waiting.values_mut() {
            unready.explain(&self.mask);
        }
    }

    fn judge(&self, object: &Object, until: Until) -> State {
        match until {
            Until::Complete => completion(object, &self.surroundings),
            Until::Ready | Until::Applied => state(object, &self.surroundings),
        }
    }

    async fn run(&mut self) -> Result<(), StopReason> {
        let mut look = Look::new(self.on.timed, self.on.kinds, self.on.world);
        let mut pods_period = PODS_FIRST;
        let mut pods_due = self.begin + pods_period;
        self.tell();
        loop {
            let pause = (self.begin.elapsed() / 10).clamp(POLL, POLL_LIMIT);
            let next = (Instant::now() + pause).min(self.first_end());
            let pause = next.saturating_duration_since(Instant::now());
            if let Some(reason) = self.on.stop.sleep(pause).await {
                return Err(reason);
            }
            let keys = self.waiting.keys().cloned().collect();
            let seen = look.at(keys).await?;
            self.take(seen);
            let over = self.over();
            self.fail(over).await?;
            if self.waiting.is_empty() {
                return Ok(());
            }
            if Instant::now() >= pods_due {
                self.look_at_pods().await?;
                pods_due = Instant::now() + pods_period;
                pods_period = (pods_period * 2).min(PODS_LIMIT);
            }
            self.tell();
        }
    }

    /// When the first of the times is over that objects have.
    fn first_end(&self) -> Instant {
        let ends = self.waiting.values().map(|unready| unready.end);
        ends.min().unwrap_or_else(Instant::now)
    }

    /// Takes in what was read, and drops what is ready.
    fn take(&mut self, seen: BTreeMap<ObjectKey, Seen>) {
        let now = Instant::now();
        for (key, seen) in seen {
            let judged = match (&seen, self.waiting.get(&key)) {
                (Ok(live), Some(unready)) => self.judge(live, unready.until),
                (Err(why), _) => State::InProgress(why.clone()),
                (Ok(_), None) => continue,
            };
            let Some(unready) = self.waiting.get_mut(&key) else {
                continue;
            };
            if let Ok(live) = seen {
                unready.live = Some(live);
            }
            if !judged.is_current() {
                if unready.state != judged {
                    unready.state = judged;
                    unready.explain(&self.mask);
                }
            } else if now >= unready.settled {
                if let Some(wave) = self.waves.get_mut(&unready.wave) {
                    wave.ready += 1;
                }
                self.waiting.remove(&key);
                self.on.observer.event(Event::Ready(key));
            }
        }
    }

    /// What has failed, or whose time is over.
    fn over(&self) -> Vec<ObjectKey> {
        let now = Instant::now();
        let over = self
            .waiting
            .iter()
            .filter(|(_, unready)| matches!(unready.state, State::Failed(_)) || now >= unready.end);
        over.map(|(key, _)| key.clone()).collect()
    }

    /// Stops waiting for these, and finds out why they are not ready.
    async fn fail(&mut self, over: Vec<ObjectKey>) -> Result<(), StopReason> {
        let mut neighbourhood = Neighbourhood::new(self.on.timed, self.on.kinds);
        for key in over {
            let Some(unready) = self.waiting.remove(&key) else {
                continue;
            };
            let state = match &unready.state {
                State::Failed(why) => why.clone(),
                other => format!("not ready after {} s: {other}", unready.patience.as_secs()),
            };
            let evidence = Evidence {
                timed: self.on.timed,
                kinds: self.on.kinds,
                world: self.on.world,
                secrets: &self.secrets,
            };
            let found = if self.failures.len() < DIAGNOSED {
                let live = unready.live.as_ref();
                evidence
                    .of(&key, live, &unready.state, &mut neighbourhood)
                    .await
                    .map(Some)
            } else {
                Ok(None)
            };
            // Whoever stops the search for causes still learns what has failed.
            let diagnosis = found.as_ref().ok().cloned().flatten();
            let state = diagnosis
                .as_ref()
                .map_or(state.as_str(), |it| it.beside(&state));
            let state = self.mask.apply(state);
            let field = diagnosis.as_ref().and_then(|it| it.field.as_ref());
            let place = self.place(&key, field);
            let message = diagnosis
                .as_ref()
                .map_or_else(|| state.clone(), |diagnosis| diagnosis.cause.clone());
            self.on.observer.event(Event::NotReady {
                key: key.clone(),
                why: message.clone(),
            });
            self.failures.push(Failure {
                key,
                message,
                place,
                not_ready: diagnosis.map(|diagnosis| Box::new(NotReady { state, diagnosis })),
            });
            found?;
        }
        Ok(())
    }

    /// Where the object is declared, or the field that keeps it from being ready.
    fn place(&self, key: &ObjectKey, field: Option<&TemplateField>) -> Option<Place> {
        let declared = self.on.plan.step(key)?.desired.as_ref()?;
        let path = field.and_then(|it| container_path(declared, &it.container, it.image));
        declared
            .origin
            .place_of(&path.unwrap_or_else(FieldPath::root))
    }

    /// Finds out what keeps pods from being ready, while there is still time.
    async fn look_at_pods(&mut self) -> Result<(), StopReason> {
        let mut neighbourhood = Neighbourhood::new(self.on.timed, self.on.kinds);
        let namespaces: BTreeSet<String> = self
            .waiting
            .values()
            .filter_map(|unready| unready.live.as_ref())
            .filter(|live| makes_pods(live))
            .filter_map(|live| live.key.namespace.clone())
            .collect();
        for namespace in namespaces {
            let neighbours = neighbourhood.of(&namespace).await?;
            for (_, unready) in self
                .waiting
                .iter_mut()
                .filter(|(key, _)| key.namespace.as_ref() == Some(&namespace))
            {
                let live = unready.live.as_ref().filter(|live| makes_pods(live));
                unready.trouble = live.and_then(|live| neighbours.trouble(live));
                unready.explain(&self.mask);
            }
        }
        Ok(())
    }

    /// Tells how far it is, if that has changed.
    fn tell(&mut self) {
        let late = self.begin.elapsed() >= PODS_FIRST;
        let pending = self.waiting.iter().map(|(key, unready)| Pending {
            key: key.clone(),
            why: unready.why.clone(),
            late,
        });
        let readiness = Readiness {
            waves: self.waves.values().cloned().collect(),
            pending: pending.collect(),
        };
        if self.told.as_ref() != Some(&readiness) {
            self.on.observer.event(Event::Readiness(readiness.clone()));
            self.told = Some(readiness);
        }
    }
}

/// Whether an object makes pods; a Pod tells of itself.
fn makes_pods(object: &Object) -> bool {
    let kind = &object.key.kind;
    bears_pods(kind) && !kind.is("", "Pod")
}
