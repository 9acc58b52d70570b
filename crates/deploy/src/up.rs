//! `up`: brings an environment to what is declared.

use std::{collections::BTreeMap, mem, sync::Arc, time::Duration};

use tokio::time::Instant;
use underpin_cluster::lock::LockGuard;
use underpin_model::{
    Action, Claim, KeepReason, LogicalKey, Object, ObjectKey, RevisionContent, Step, Unvalidated,
    wording,
};
use underpin_plan::{Fingerprints, Plan, Problem};

use crate::{
    DeployError, Deployment, Event, Failure, Observer, Outcome, Planned, StepResult, Stop, Summary,
    agreement::{Agreement, agree},
    apply::apply_step,
    closing::{Ended, finish, finish_with},
    content,
    contested::contested,
    dry_deletion::ask_about_deletions,
    mark, planning, recheck,
    record::{self, AppliedObjects},
    removal::{Removal, remove_wave},
    tools::Tools,
    wait::{self, Declared, Waiter},
    waves::{self, Output, StepEnd, Waves},
};

/// Characters of why a revision's content was not kept: it stands in the claim.
const REASON_LIMIT: usize = 300;
/// Between two looks at objects that are being deleted and are to be created anew.
const TERMINATING_POLL: Duration = Duration::from_secs(1);

/// Between two waves, what was applied is recorded if that was last done longer ago. A claim is large,
/// and until then a killed run's objects are known by their stamps.
const RECORD_AFTER: Duration = Duration::from_secs(5);

/// Plans, asks `confirm`, and carries out what the verdict allows. Refused plans change nothing.
pub async fn up(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    confirm: impl Fn(&Planned) -> bool,
) -> Result<Outcome, DeployError> {
    up_planned(deployment, observer, stop, confirm, Ok).await
}

/// The same, of plans that `check` lets pass.
pub(crate) async fn up_planned(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    confirm: impl Fn(&Planned) -> bool,
    check: impl Fn(Planned) -> Result<Planned, DeployError>,
) -> Result<Outcome, DeployError> {
    let plan = || async {
        let mut planned = plan_when_gone(deployment, observer, stop).await?;
        let limit = deployment.settings.request_timeout;
        let timed = deployment.cluster.with_timeout(limit);
        ask_about_deletions(&timed, &planned.kinds, &mut planned.plan.steps).await;
        refuse_without_right(&mut planned.plan);
        check(planned)
    };
    let settled = Planned::is_settled;
    match agree(deployment, observer, stop, confirm, plan, settled).await? {
        Agreement::Ended(Outcome::Settled(planned)) if deployment.settings.wait => {
            Ok(settled_and_ready(deployment, observer, stop, planned).await)
        }
        Agreement::Ended(outcome) => Ok(outcome),
        Agreement::Held(planned, guard) => {
            let summary = carry_out(deployment, observer, stop, &planned, guard).await?;
            Ok(Outcome::Ran(planned, summary))
        }
    }
}

/// Nothing is begun that cannot be finished: who may not ask what an apply would do may not apply, and
/// who may not ask for a deletion may not delete.
fn refuse_without_right(plan: &mut Plan) {
    let mut missing: BTreeMap<&String, Vec<&ObjectKey>> = BTreeMap::new();
    for step in &plan.steps {
        if let Some(Unvalidated::NoRight(right)) = &step.unvalidated {
            missing.entry(right).or_default().push(&step.key);
        }
    }
    let help = format!(
        "an administrator grants what is needed: `underpin rbac --for up --environment {} --user \
         NAME | kubectl apply -f -`",
        plan.environment
    );
    let problem = |(right, keys): (&String, Vec<&ObjectKey>)| {
        Some(Problem {
            key: (*keys.first()?).clone(),
            place: None,
            message: format!("{}: no right to {right}", wording::list(&keys)),
            help: None,
        })
    };
    let mut problems: Vec<Problem> = missing.into_iter().filter_map(problem).collect();
    // One way out of all of them.
    if let Some(last) = problems.last_mut() {
        last.help = Some(help);
    }
    plan.problems.extend(problems);
}

/// Where nothing is to be done, waits for what a former run left before it was ready. That only
/// reads, and needs no lock.
async fn settled_and_ready(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    planned: Box<Planned>,
) -> Outcome {
    let limit = deployment.settings.request_timeout;
    let timed = || {
        Ok(deployment
            .cluster
            .with_timeout(stop.time_for(limit, limit)?))
    };
    let waiter = Waiter::new(deployment, &planned, &timed, stop, observer);
    let (failures, stopped) = waiter.wait(unchanged(&planned)).await;
    if failures.is_empty() && stopped.is_none() {
        return Outcome::Settled(planned);
    }
    let summary = Summary {
        failures,
        stopped,
        ..Summary::default()
    };
    Outcome::Ran(planned, summary)
}

/// Declared objects that are there as declared.
fn unchanged(planned: &Planned) -> Vec<Declared<'_>> {
    let steps = planned.plan.steps.iter();
    let kept = steps.filter(|step| step.action == Action::Keep(KeepReason::Unchanged));
    kept.filter_map(|step| {
        Some(Declared {
            step,
            object: step.before.clone()?,
            wave: 0,
        })
    })
    .collect()
}

/// Plans, and while declared objects are still being deleted, waits for them to go and plans again.
async fn plan_when_gone(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Planned, DeployError> {
    let end = Instant::now() + deployment.settings.wait_timeout;
    let mut told = false;
    loop {
        let planned = planned_in_time(deployment, observer, stop).await?;
        let only_terminating = planned.plan.problems.len() == planned.terminating.len();
        let wait = deployment.settings.wait && !planned.terminating.is_empty() && only_terminating;
        if !wait || planned.verdict.is_blocked() || Instant::now() >= end {
            return Ok(planned);
        }
        if !told {
            told = true;
            let keys: Vec<String> = planned
                .terminating
                .iter()
                .map(ObjectKey::to_string)
                .collect();
            observer.event(Event::Waiting(format!("{} to be gone", keys.join(", "))));
        }
        if let Some(reason) = stop.sleep(TERMINATING_POLL).await {
            return Err(DeployError::Stopped(reason));
        }
    }
}

/// Planning only reads, so it may be cut off at the deadline or by an interrupt.
async fn planned_in_time(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Planned, DeployError> {
    tokio::select! {
        planned = planning::plan(deployment, observer) => planned,
        reason = stop.stopped() => Err(DeployError::Stopped(reason)),
    }
}

struct Run<'a> {
    deployment: &'a Deployment,
    observer: &'a dyn Observer,
    planned: &'a Planned,
    tools: Tools,
    fingerprints: Fingerprints,
    summary: Summary,
    /// What was applied, as the server answered, with its wave from 1.
    applied: BTreeMap<ObjectKey, (usize, Object)>,
    unrecorded: Unrecorded,
}

/// What was applied and is not yet recorded as applied.
struct Unrecorded {
    steps: Vec<Step>,
    objects: AppliedObjects,
    /// When all was last recorded.
    since: Instant,
}

impl Unrecorded {
    /// Nothing, as of now.
    fn none() -> Self {
        Self {
            steps: Vec::new(),
            objects: AppliedObjects::new(),
            since: Instant::now(),
        }
    }
}

async fn carry_out(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    planned: &Planned,
    guard: LockGuard,
) -> Result<Summary, DeployError> {
    let guard = Arc::new(guard);
    let tools = Tools::new(deployment, planned, stop, guard.clone());
    let key = match deployment.store.ensure_fingerprint_key().await {
        Ok(key) => key,
        Err(error) => {
            drop(tools);
            finish(deployment, "up", guard, Summary::default(), Ok(())).await?;
            return Err(error.into());
        }
    };
    let fingerprints = deployment.fingerprints(Some(key));
    let mut run = Run {
        deployment,
        observer,
        planned,
        tools,
        fingerprints,
        summary: Summary::default(),
        applied: BTreeMap::new(),
        unrecorded: Unrecorded::none(),
    };
    let ended = run.steps().await;
    if ended.is_ok() {
        run.keep_content().await;
    }
    let Run {
        summary,
        tools,
        unrecorded: rest,
        fingerprints,
        ..
    } = run;
    drop(tools);
    let last = |claim: &mut Claim| {
        record::applied(claim, &rest.steps, &rest.objects, &fingerprints);
    };
    finish_with(deployment, "up", guard, summary, ended, last).await
}

impl Run<'_> {
    async fn steps(&mut self) -> Result<(), Ended> {
        let plan = &self.planned.plan;
        let unchanged = record::unchanged(plan);
        self.tools
            .guard
            .update(|claim| {
                record::intents(claim, plan);
                record::applied(claim, &plan.steps, &unchanged, &self.fingerprints);
            })
            .await?;
        if self.withdraw_contested().await? {
            return Ok(());
        }
        let failed = mark::mark(&self.tools, &self.planned.world, &plan.steps).await?;
        for message in failed {
            // Unmarked, a neighbour's `down` could delete the namespace under us.
            let key = ObjectKey::of_namespace(plan.placement.placement.namespace.clone());
            self.summary.failures.push(Failure::new(key, message));
        }
        if !self.summary.failures.is_empty() {
            return Ok(());
        }
        self.apply_waves().await?;
        if self.deployment.settings.wait {
            self.record_applied().await?;
            self.await_ready().await?;
        }
        self.prune_waves().await
    }

    /// Keeps a copy of what was applied, for comparing revisions. The run is done: that there is none
    /// is told, and fails nothing.
    async fn keep_content(&mut self) {
        let (plan, fingerprints) = (&self.planned.plan, &self.fingerprints);
        let content = if self.summary.is_complete() {
            content::keep(self.deployment, &self.tools, plan, fingerprints).await
        } else {
            Err("the run was not complete".to_owned())
        };
        self.summary.content = Some(match content {
            Ok(stored) => RevisionContent::Stored(stored),
            Err(why) => {
                if self.summary.is_complete() {
                    let message = format!("no copy of what was applied was kept for `diff`: {why}");
                    self.observer.event(Event::Note(message));
                }
                RevisionContent::NotKept(why.chars().take(REASON_LIMIT).collect())
            }
        });
    }

    /// Leaves alone what another environment has laid claim to since the plan was made: nothing at
    /// all is applied then, since the plan counted on it.
    async fn withdraw_contested(&mut self) -> Result<bool, Ended> {
        let plan = &self.planned.plan;
        let adopted = plan
            .steps
            .iter()
            .filter(|step| step.action == Action::Adopt && !step.key.is_namespace());
        let taken = adopted
            .map(|step| (&step.key, step.before.as_ref().and_then(Object::uid)))
            .collect();
        let time = self.tools.time()?;
        let failures = match contested(self.deployment, time, &self.tools.claim, &taken).await {
            Ok(contested) => contested.into_iter().map(|(key, owner)| {
                let message = format!(
                    "{owner} lays claim to it, by a run that is at work or was cut; nothing was \
                     applied; bring that to its end (`underpin up` or `down` of {owner}), then run \
                     again"
                );
                Failure::new(key, message)
            }),
            Err(error) => {
                let key = ObjectKey::of_namespace(plan.placement.placement.namespace.clone());
                let message = format!("whether others lay claim to what is adopted: {error}");
                self.summary.failures.push(Failure::new(key, message));
                return Ok(true);
            }
        };
        self.summary.failures.extend(failures);
        if self.summary.failures.is_empty() {
            return Ok(false);
        }
        let contested: Vec<LogicalKey> = plan
            .steps
            .iter()
            .filter(|step| self.summary.failures.iter().any(|one| one.key == step.key))
            .map(|step| step.logical.clone())
            .collect();
        self.tools
            .guard
            .update(|claim| record::removed(claim, &contested))
            .await?;
        Ok(true)
    }

    async fn apply_waves(&mut self) -> Result<(), Ended> {
        let mut results = mem::take(&mut self.summary.results);
        let mut waves = Waves::new(&mut results, self.observer);
        let ended = self.begin_waves(&mut waves).await;
        // Whatever has come in between: no request is left on its way.
        let rest = waves.finish().await;
        self.summary.results = results;
        self.take_note(rest.outputs);
        ended?;
        rest.stopped.map_or(Ok(()), |reason| Err(reason.into()))
    }

    async fn begin_waves(&mut self, running: &mut Waves<'_, Object>) -> Result<(), Ended> {
        let steps = self.planned.plan.steps.iter();
        let waves = waves::grouped(steps.filter(|step| step.action.applies()));
        let of = waves.len();
        for (index, wave) in waves.iter().enumerate() {
            self.observer.event(Event::Wave {
                number: index + 1,
                of,
                steps: wave.len(),
            });
            let ended = running.run(index + 1, wave, |step| self.apply(step)).await;
            self.take_note(ended.outputs);
            if let Some(reason) = ended.stopped {
                return Err(reason.into());
            }
            if self.unrecorded.since.elapsed() >= RECORD_AFTER {
                self.record_applied().await?;
            }
        }
        Ok(())
    }

    /// Applies one object, and waits for a definition to be established: what it defines comes next.
    fn apply(&self, step: Step) -> impl Future<Output = StepEnd<Object>> + Send + use<> {
        let tools = self.tools.clone();
        let kind = self.planned.kinds.get(&step.key.kind).cloned();
        let accepted = self.planned.plan.taken.get(&step.key).cloned();
        let mask = self.fingerprints.mask().clone();
        async move {
            let Some(kind) = kind else {
                let why = "the cluster does not serve its kind".to_owned();
                return Ok((StepResult::Failed(why), None));
            };
            let accepted = accepted.unwrap_or_default();
            let (result, object) = apply_step(tools.clone(), kind.clone(), step, accepted).await?;
            let result = result.masked(&mask);
            let Some(object) = object else {
                return Ok((result, None));
            };
            if !object
                .key
                .kind
                .is("apiextensions.k8s.io", "CustomResourceDefinition")
            {
                return Ok((result, Some(object)));
            }
            match wait::established(&tools, &kind, &object).await? {
                Ok(()) => Ok((result, Some(object))),
                Err(why) => Ok((StepResult::Failed(why), Some(object))),
            }
        }
    }

    fn take_note(&mut self, outputs: Vec<Output<Object>>) {
        for one in outputs {
            let (step, object) = (one.step, one.gave);
            if one.result == StepResult::Done {
                self.applied
                    .insert(step.key.clone(), (one.wave, object.clone()));
            }
            self.unrecorded.objects.insert(step.logical.clone(), object);
            self.unrecorded.steps.push(step);
        }
    }

    /// Records what was applied since this was last done. What is left at the run's end is recorded
    /// with its history, and so is what could not be recorded here.
    async fn record_applied(&mut self) -> Result<(), Ended> {
        let new = &self.unrecorded;
        if !new.steps.is_empty() {
            let change = |claim: &mut Claim| {
                record::applied(claim, &new.steps, &new.objects, &self.fingerprints);
            };
            self.tools.guard.update(change).await?;
        }
        self.unrecorded = Unrecorded::none();
        Ok(())
    }

    /// Waits until what is declared is ready: what was applied, and what a former run may have
    /// left before it was.
    async fn await_ready(&mut self) -> Result<(), Ended> {
        let planned = self.planned;
        let timed = || self.tools.timed();
        let waiter = Waiter::new(
            self.deployment,
            planned,
            &timed,
            &self.tools.stop,
            self.observer,
        );
        let mut declared = unchanged(planned);
        for step in &planned.plan.steps {
            if let Some((wave, object)) = self.applied.remove(&step.key) {
                declared.push(Declared { step, object, wave });
            }
        }
        let (failures, stopped) = waiter.wait(declared).await;
        self.summary.failures.extend(failures);
        stopped.map_or(Ok(()), |reason| Err(reason.into()))
    }

    /// Removes what is no longer declared, unless something failed: what replaces it may be the
    /// very thing that failed.
    async fn prune_waves(&mut self) -> Result<(), Ended> {
        let planned = self.planned;
        let deletes = planned
            .plan
            .steps
            .iter()
            .filter(|step| step.action == Action::Delete);
        let waves = waves::grouped(deletes);
        if waves.is_empty() {
            return Ok(());
        }
        self.record_applied().await?;
        if let Some(why) = self.against_removal().await {
            for step in waves.into_iter().flatten() {
                let skipped = StepResult::Skipped(why.clone());
                self.summary.results.insert(step.key.clone(), skipped);
            }
            return Ok(());
        }
        let removal = Removal::new(self.deployment, planned);
        for wave in waves {
            let ended = remove_wave(
                &self.tools,
                &removal,
                &wave,
                &mut self.summary,
                self.observer,
            )
            .await;
            ended?;
        }
        Ok(())
    }

    /// Why nothing may be removed now, if so.
    async fn against_removal(&self) -> Option<String> {
        if !self.summary.failures.is_empty() || !waves::failed(&self.summary.results).is_empty() {
            return Some("something failed before; nothing is removed".to_owned());
        }
        recheck::objection(self.deployment, self.planned).await
    }
}
