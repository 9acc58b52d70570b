//! Jobs.

use underpin_model::Object;

use crate::{
    State, Surroundings,
    condition::{flag, number, true_condition},
};

/// Whether a Job has done its work; what else a kind is, it has none to do, and is judged as ever.
pub fn completion(object: &Object, surroundings: &Surroundings) -> State {
    let judged = super::state(object, surroundings);
    let ended = true_condition(object, "Complete").is_some();
    if !object.key.kind.is("batch", "Job") || ended || judged != State::Current {
        return judged;
    }
    let succeeded = number(object, "/status/succeeded").unwrap_or(0);
    State::progress(match number(object, "/spec/completions") {
        Some(wanted) => format!("{succeeded} of {wanted} pods have done their work"),
        None => "it has not done its work yet".to_owned(),
    })
}

/// A Job is waited for until it has started or ended: a long one must not hold up a deployment.
pub(super) fn job(object: &Object, _: &Surroundings) -> State {
    if true_condition(object, "Complete").is_some() {
        return State::Current;
    }
    if let Some(failed) = true_condition(object, "Failed") {
        return State::Failed(format!("it failed: {}", failed.text()));
    }
    let started = ["/status/active", "/status/succeeded"]
        .iter()
        .any(|pointer| number(object, pointer).unwrap_or(0) > 0);
    if started || flag(object, "/spec/suspend") {
        State::Current
    } else {
        State::progress("it has not started")
    }
}
