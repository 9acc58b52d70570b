//! Runs steps wave by wave: in parallel within a wave, and past failures that do not matter.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
};

use tokio::{sync::Semaphore, task::JoinSet};
use underpin_model::{ObjectKey, Step};

use crate::{Event, Observer, StepResult, StopReason};

/// Changes in flight at once.
const IN_FLIGHT: usize = 12;

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

/// Runs one wave. A step whose requirement failed or was skipped is skipped; all others run. When
/// a step says stop, those not begun are left, those in flight are awaited.
pub(crate) async fn run_wave<T, F>(
    wave: &[&Step],
    results: &mut BTreeMap<ObjectKey, StepResult>,
    observer: &dyn Observer,
    perform: impl Fn(Step) -> F,
) -> (Vec<(Step, T)>, Option<StopReason>)
where
    T: Send + 'static,
    F: Future<Output = StepEnd<T>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut tasks = JoinSet::new();
    let mut running = BTreeMap::new();
    for step in wave {
        if let Some(failed) = failed_requirement(step, results) {
            let result = StepResult::Skipped(format!("it needs {failed}, which failed"));
            report(observer, step, &result);
            results.insert(step.key.clone(), result);
            continue;
        }
        let work = perform((*step).clone());
        let slots = slots.clone();
        let handle = tasks.spawn(async move {
            let _slot = slots.acquire().await;
            work.await
        });
        running.insert(handle.id(), (*step).clone());
    }
    let (mut outputs, mut stopped) = (Vec::new(), None);
    while let Some(joined) = tasks.join_next_with_id().await {
        let (id, end) = match joined {
            Ok((id, end)) => (id, end),
            Err(error) => (
                error.id(),
                Ok((StepResult::Failed(format!("internal error: {error}")), None)),
            ),
        };
        let Some(step) = running.remove(&id) else {
            continue;
        };
        match end {
            Ok((result, output)) => {
                report(observer, &step, &result);
                results.insert(step.key.clone(), result);
                outputs.extend(output.map(|output| (step, output)));
            }
            Err(reason) => stopped = Some(reason),
        }
    }
    (outputs, stopped)
}

fn failed_requirement<'s>(
    step: &'s Step,
    results: &BTreeMap<ObjectKey, StepResult>,
) -> Option<&'s ObjectKey> {
    let failed = |key: &&ObjectKey| {
        matches!(
            results.get(key),
            Some(StepResult::Failed(_) | StepResult::Skipped(_))
        )
    };
    step.requires.iter().find(failed)
}

fn report(observer: &dyn Observer, step: &Step, result: &StepResult) {
    observer.event(Event::Step {
        action: step.action.name(),
        key: step.key.clone(),
        result: result.clone(),
    });
}

/// Keys of steps that did not succeed, for deciding whether to go on to removals.
pub(crate) fn failed(results: &BTreeMap<ObjectKey, StepResult>) -> BTreeSet<&ObjectKey> {
    results
        .iter()
        .filter(|(_, result)| matches!(result, StepResult::Failed(_) | StepResult::Skipped(_)))
        .map(|(key, _)| key)
        .collect()
}
