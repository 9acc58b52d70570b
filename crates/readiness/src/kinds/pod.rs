//! Pods that nothing but the stack makes.

use underpin_model::Object;

use crate::{State, Surroundings, condition::true_condition, diagnosis::pod_trouble};

/// A pod whose containers crash, or that no node takes, may yet come round, and is waited for;
/// one that has ended badly will not.
pub(super) fn pod(object: &Object, _: &Surroundings) -> State {
    let trouble = || pod_trouble(object).map(|trouble| trouble.cause);
    match object.text("/status/phase").unwrap_or_default() {
        "Succeeded" => State::Current,
        "Failed" => State::Failed(trouble().unwrap_or_else(|| "it has failed".to_owned())),
        _ if true_condition(object, "Ready").is_some() => State::Current,
        phase => State::progress(trouble().unwrap_or_else(|| {
            match phase {
                "" => "no node has looked at it yet",
                "Pending" => "it has not started",
                _ => "it runs and is not ready",
            }
            .to_owned()
        })),
    }
}
