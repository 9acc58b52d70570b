//! Runs steps wave by wave: in parallel within a wave, and past failures that do not matter.
//!
//! A wave begins when all that is before it has ended, but for many Services: the server gives them their
//! addresses one after the other, so they take longest, and only what is in their namespace, or requires
//! them, waits for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
};

use tokio::{
    sync::Semaphore,
    task::{Id, JoinSet},
};
use underpin_model::{Action, ObjectKey, Step};

use crate::{Event, Observer, StepResult, StopReason};

/// Services in flight at once. Their addresses all come out of one record, for which those that are changed
/// at the same time contend: more of them take longer in all, and the server answers some with an internal
/// error.
const SERVICES_IN_FLIGHT: usize = 2;
/// Changes of anything else in flight at once.
const OTHERS_IN_FLIGHT: usize = 10;

/// So many Services are soon there: the next wave begins after them.
const FEW_SERVICES: usize = 20;

/// How one step ended, and whether the run must stop.
pub(crate) type StepEnd<T> = Result<(StepResult, Option<T>), StopReason>;

/// The steps grouped by wave, in order.
pub(crate) fn grouped<'s>(steps: impl Iterator<Item = &'s Step>) -> Vec<Vec<&'s Step>> {
    let mut waves: BTreeMap<usize, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        waves.entry(step.wave).or_default().push(step);
    }
    waves.into_values().collect()
}

/// A step in flight.
struct Running {
    /// Number of its wave.
    wave: usize,
    step: Step,
}

/// A step that gave something.
pub(crate) struct Output<T> {
    /// Number of its wave.
    pub(crate) wave: usize,
    pub(crate) step: Step,
    pub(crate) result: StepResult,
    pub(crate) gave: T,
}

/// What has come of steps.
pub(crate) struct StepEnds<T> {
    pub(crate) outputs: Vec<Output<T>>,
    /// Why the run must stop.
    pub(crate) stopped: Option<StopReason>,
}

/// The waves of a run. What is in flight must not be left: [`Self::finish`] is called in any case.
pub(crate) struct Waves<'a, T> {
    results: &'a mut BTreeMap<ObjectKey, StepResult>,
    observer: &'a dyn Observer,
    tasks: JoinSet<StepEnd<T>>,
    running: BTreeMap<Id, Running>,
    /// How many of those that run are no Services.
    others: usize,
    /// Number of the wave.
    wave: usize,
    /// How many Services of earlier waves run, in each namespace that has some.
    carried: BTreeMap<String, usize>,
    service_slots: Arc<Semaphore>,
    other_slots: Arc<Semaphore>,
    /// How many Services a wave waits for.
    few: usize,
}

impl<'a, T: Send + 'static> Waves<'a, T> {
    /// None is begun; results are added to those that are there.
    pub(crate) fn new(
        results: &'a mut BTreeMap<ObjectKey, StepResult>,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            results,
            observer,
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
            others: 0,
            wave: 0,
            carried: BTreeMap::new(),
            service_slots: Arc::new(Semaphore::new(SERVICES_IN_FLIGHT)),
            other_slots: Arc::new(Semaphore::new(OTHERS_IN_FLIGHT)),
            few: FEW_SERVICES,
        }
    }

    /// Runs a wave until nothing is in flight, or nothing but many Services. A step whose requirement failed
    /// or was skipped is skipped; all others run. When a step says stop, those not begun are left, those in
    /// flight are awaited.
    pub(crate) async fn run<F>(
        &mut self,
        number: usize,
        wave: &[&Step],
        perform: impl Fn(Step) -> F,
    ) -> StepEnds<T>
    where
        F: Future<Output = StepEnd<T>> + Send + 'static,
    {
        self.carry();
        self.wave = number;
        let mut ended = StepEnds::nothing();
        let mut waiting = wave.to_vec();
        let mut is_freed = true;
        loop {
            if is_freed {
                waiting = self.begin(waiting, &perform);
            }
            if self.others == 0 && waiting.is_empty() && self.running.len() > self.few {
                return ended;
            }
            match self.next(&mut ended).await {
                Some(freed) => is_freed = freed,
                None => return ended,
            }
            if ended.stopped.is_some() {
                self.drain(&mut ended).await;
                return ended;
            }
        }
    }

    /// Awaits what is in flight.
    pub(crate) async fn finish(mut self) -> StepEnds<T> {
        let mut ended = StepEnds::nothing();
        self.drain(&mut ended).await;
        ended
    }

    async fn drain(&mut self, ended: &mut StepEnds<T>) {
        while self.next(ended).await.is_some() {}
    }

    /// What is in flight now is of earlier waves.
    fn carry(&mut self) {
        self.carried.clear();
        for Running { step, .. } in self.running.values() {
            let namespace = step.key.namespace.clone().unwrap_or_default();
            *self.carried.entry(namespace).or_default() += 1;
        }
    }

    /// Begins the steps that need not wait for Services, and returns those that do.
    fn begin<'s, F>(&mut self, steps: Vec<&'s Step>, perform: &impl Fn(Step) -> F) -> Vec<&'s Step>
    where
        F: Future<Output = StepEnd<T>> + Send + 'static,
    {
        let mut waiting = Vec::new();
        for step in steps {
            if self.waits(step) {
                waiting.push(step);
            } else if let Some(why) = unmet_requirement(step, self.results) {
                self.tell(step, StepResult::Skipped(why));
            } else {
                self.spawn(step.clone(), perform(step.clone()));
            }
        }
        waiting
    }

    /// Whether Services of earlier waves are in flight that have to be there first. What is in no namespace
    /// waits for all of them.
    fn waits(&self, step: &Step) -> bool {
        let is_held = |key: &ObjectKey| match &key.namespace {
            Some(namespace) => self.carried.contains_key(namespace),
            None => !self.carried.is_empty(),
        };
        let mut services = step.requires.iter().filter(|key| is_service(key));
        is_held(&step.key) || services.any(is_held)
    }

    fn spawn(&mut self, step: Step, work: impl Future<Output = StepEnd<T>> + Send + 'static) {
        let slots = if is_service(&step.key) {
            self.service_slots.clone()
        } else {
            self.others += 1;
            self.other_slots.clone()
        };
        let handle = self.tasks.spawn(async move {
            let _slot = slots.acquire().await;
            work.await
        });
        let wave = self.wave;
        self.running.insert(handle.id(), Running { wave, step });
    }

    /// Awaits the next step's end; whether a namespace has no more Services that others wait for. `None`
    /// when nothing is in flight.
    async fn next(&mut self, ended: &mut StepEnds<T>) -> Option<bool> {
        let (id, end) = match self.tasks.join_next_with_id().await? {
            Ok((id, end)) => (id, end),
            Err(error) => (
                error.id(),
                Ok((StepResult::Failed(format!("internal error: {error}")), None)),
            ),
        };
        let Some(Running { wave, step }) = self.running.remove(&id) else {
            return Some(false);
        };
        let is_freed = self.count_out(&step.key, wave < self.wave);
        match end {
            Ok((result, output)) => {
                self.tell(&step, result.clone());
                ended.outputs.extend(output.map(|gave| Output {
                    wave,
                    step,
                    result,
                    gave,
                }));
            }
            Err(reason) => ended.stopped = Some(reason),
        }
        Some(is_freed)
    }

    /// Takes a step that has ended out of the counts; whether it was the last Service of its namespace that
    /// others wait for.
    fn count_out(&mut self, key: &ObjectKey, is_carried: bool) -> bool {
        if !is_service(key) {
            self.others -= 1;
        }
        if !is_carried {
            return false;
        }
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let Some(count) = self.carried.get_mut(namespace) else {
            return false;
        };
        *count -= 1;
        *count == 0 && self.carried.remove(namespace).is_some()
    }

    fn tell(&mut self, step: &Step, result: StepResult) {
        self.observer.event(Event::Step {
            action: step.action.name(),
            key: step.key.clone(),
            result: result.clone(),
        });
        self.results.insert(step.key.clone(), result);
    }
}

impl<T> StepEnds<T> {
    fn nothing() -> Self {
        Self {
            outputs: Vec::new(),
            stopped: None,
        }
    }
}

/// Runs one wave, to its end.
pub(crate) async fn run_wave<T, F>(
    wave: &[&Step],
    results: &mut BTreeMap<ObjectKey, StepResult>,
    observer: &dyn Observer,
    perform: impl Fn(Step) -> F,
) -> StepEnds<T>
where
    T: Send + 'static,
    F: Future<Output = StepEnd<T>> + Send + 'static,
{
    let mut waves = Waves::new(results, observer);
    let mut ended = waves.run(1, wave, perform).await;
    waves.drain(&mut ended).await;
    ended
}

fn is_service(key: &ObjectKey) -> bool {
    key.kind.is("", "Service")
}

/// What stands in the way of a step. What needs an object and was kept after all still needs it; a
/// Namespace is counted afresh, and says itself who is left in it.
fn unmet_requirement(step: &Step, results: &BTreeMap<ObjectKey, StepResult>) -> Option<String> {
    let removes = step.action == Action::Delete && !step.key.is_namespace();
    step.requires.iter().find_map(|key| match results.get(key) {
        Some(StepResult::Failed(_) | StepResult::Skipped(_)) if removes => {
            Some(format!("{key} needs it and was not removed"))
        }
        Some(StepResult::Failed(_) | StepResult::Skipped(_)) => {
            Some(format!("it needs {key}, which failed"))
        }
        Some(StepResult::Kept(_)) if removes => Some(format!("{key} needs it and was kept")),
        _ => None,
    })
}

/// Keys of steps that did not succeed, for deciding whether to go on to removals.
pub(crate) fn failed(results: &BTreeMap<ObjectKey, StepResult>) -> BTreeSet<&ObjectKey> {
    results
        .iter()
        .filter(|(_, result)| matches!(result, StepResult::Failed(_) | StepResult::Skipped(_)))
        .map(|(key, _)| key)
        .collect()
}

#[cfg(test)]
#[path = "waves_tests.rs"]
mod tests;
