//! Definitions of kinds, and servers that serve kinds.

use underpin_model::Object;

use crate::{
    State, Surroundings,
    condition::{Condition, condition},
};

pub(super) fn definition(object: &Object, _: &Surroundings) -> State {
    let refused = condition(object, "NamesAccepted").filter(Condition::is_false);
    if let Some(refused) = refused {
        return State::Failed(format!("its names are not accepted: {}", refused.text()));
    }
    match condition(object, "Established") {
        Some(established) if established.is_true() => State::Current,
        // `Installing` is the reason while the server prepares it.
        Some(refused) if refused.is_false() && !matches!(refused.reason, "" | "Installing") => {
            State::Failed(format!("it is not established: {}", refused.text()))
        }
        _ => State::progress("it is not established yet"),
    }
}

/// An API service whose pods have yet to start is not available until they have.
pub(super) fn api_service(object: &Object, _: &Surroundings) -> State {
    match condition(object, "Available") {
        Some(available) if available.is_true() => State::Current,
        Some(other) if !other.text().is_empty() => {
            State::progress(format!("it is not available: {}", other.text()))
        }
        _ => State::progress("it is not available yet"),
    }
}
