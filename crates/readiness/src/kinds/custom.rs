//! Every other kind, by the conventions of the API: `observedGeneration` and conditions.

use underpin_model::Object;

use super::{UNSEEN, apps::DEADLINE_EXCEEDED};
use crate::{
    State,
    condition::{any_observes, condition, generation, observed_generation, true_condition},
};

/// Conditions that say by `True` that the object is as declared; the first one present decides.
const POSITIVE: &[&str] = &["Ready", "Available"];

/// By what the controller has seen, then by the conditions that kstatus defines (`Reconciling` and
/// `Stalled`, which are only there while they hold), then by the usual ones.
pub(super) fn by_conditions(object: &Object) -> State {
    if observed_generation(object).is_some_and(|observed| observed < generation(object)) {
        return State::progress(UNSEEN);
    }
    let current = |name| true_condition(object, name).filter(|found| !found.is_stale(object));
    if let Some(stalled) = current("Stalled") {
        return State::Failed(format!("it is stalled: {}", stalled.text()));
    }
    if let Some(progressing) = condition(object, "Progressing")
        && progressing.reason == DEADLINE_EXCEEDED
        && !progressing.is_stale(object)
    {
        return State::Failed(progressing.text());
    }
    if let Some(reconciling) = current("Reconciling") {
        return State::progress(format!("it is being reconciled: {}", reconciling.text()));
    }
    let found = POSITIVE
        .iter()
        .find_map(|name| Some((name, condition(object, name)?)));
    match found {
        Some((_, found)) if found.is_stale(object) => State::progress(UNSEEN),
        Some((_, found)) if found.is_true() => State::Current,
        Some((name, found)) if !found.text().is_empty() => {
            State::progress(format!("it is not {name}: {}", found.text()))
        }
        Some((name, _)) => State::progress(format!("it is not {name} yet")),
        None => State::Current,
    }
}

/// Whether the object tells which generation its status is about.
pub(super) fn observes_generation(object: &Object) -> bool {
    observed_generation(object).is_some() || any_observes(object)
}
