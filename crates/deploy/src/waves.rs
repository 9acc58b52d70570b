//! Runs steps wave by wave: in parallel within a wave, and past failures that do not matter.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
};

use tokio::{sync::Semaphore, task::JoinSet};
use underpin_model::{Action, GroupKind, ObjectKey, Step};

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
    for step in by_kind_in_turn(wave) {
        if let Some(why) = unmet_requirement(step, results) {
            let result = StepResult::Skipped(why);
            report(observer, step, &result);
            results.insert(step.key.clone(), result);
            continue;
        }
        let work = perform(step.clone());
        let slots = slots.clone();
        let handle = tasks.spawn(async move {
            let _slot = slots.acquire().await;
            work.await
        });
        running.insert(handle.id(), step.clone());
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

/// One step of each kind, then the next of each: some kinds make the server wait for itself, as
/// Services do, whose addresses all come out of one record.
fn by_kind_in_turn<'s>(wave: &[&'s Step]) -> Vec<&'s Step> {
    let mut turns: BTreeMap<&GroupKind, usize> = BTreeMap::new();
    let mut order: Vec<(usize, &Step)> = wave
        .iter()
        .map(|step| {
            let turn = turns.entry(&step.key.kind).or_default();
            *turn += 1;
            (*turn, *step)
        })
        .collect();
    order.sort_by_key(|(turn, _)| *turn);
    order.into_iter().map(|(_, step)| step).collect()
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

#[cfg(test)]
mod tests {
    use underpin_model::LogicalKey;

    use super::*;

    #[track_caller]
    fn check(action: Action, kind: &str, result: &StepResult, runs: bool) {
        let needed = ObjectKey::namespaced(GroupKind::core("Secret"), "wallet", "db");
        let other = ObjectKey::namespaced(GroupKind::new("apps", "Deployment"), "wallet", "web");
        let key = match kind {
            "Namespace" => ObjectKey::of_namespace("wallet"),
            _ => needed,
        };
        let step = Step {
            requires: vec![other.clone()],
            ..Step::new(action, key.clone(), LogicalKey::of(&key, "wallet"))
        };
        let results = BTreeMap::from([(other, result.clone())]);
        let unmet = unmet_requirement(&step, &results);
        assert_eq!(unmet.is_none(), runs, "{kind} {result:?}: {unmet:?}");
    }

    #[test]
    fn kinds_of_a_wave_take_turns() {
        let step = |kind: &str, name: &str| {
            let key = ObjectKey::namespaced(GroupKind::core(kind), "wallet", name);
            Step::new(Action::Create, key.clone(), LogicalKey::of(&key, "wallet"))
        };
        let wave = [("ConfigMap", "a"), ("ConfigMap", "b"), ("ConfigMap", "c")]
            .into_iter()
            .chain([("Secret", "d"), ("Service", "e"), ("Service", "f")]);
        let wave: Vec<Step> = wave.map(|(kind, name)| step(kind, name)).collect();
        let order = by_kind_in_turn(&wave.iter().collect::<Vec<_>>());
        let names: Vec<&str> = order.iter().map(|step| step.key.name.as_str()).collect();
        assert_eq!(names, ["a", "d", "e", "b", "f", "c"]);
    }

    /// What is still needed is not removed: a Deployment that was protected meanwhile keeps its
    /// Secret. Its Namespace is judged by a fresh count.
    #[test]
    fn a_step_runs_only_on_what_it_requires() {
        let why = || "why".to_owned();
        check(Action::Delete, "Secret", &StepResult::Done, true);
        check(Action::Delete, "Secret", &StepResult::AlreadyDone, true);
        check(Action::Delete, "Secret", &StepResult::Kept(why()), false);
        check(Action::Delete, "Secret", &StepResult::Failed(why()), false);
        check(Action::Delete, "Secret", &StepResult::Skipped(why()), false);
        check(Action::Delete, "Namespace", &StepResult::Kept(why()), true);
        check(Action::Create, "Secret", &StepResult::Failed(why()), false);
        check(Action::Create, "Secret", &StepResult::Kept(why()), true);
    }
}
