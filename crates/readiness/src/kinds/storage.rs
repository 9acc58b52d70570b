//! Claims to storage.

use underpin_model::Object;

use crate::{State, Surroundings};

/// A claim is waited for until it is bound, unless its class binds it for the first pod only: then
/// that pod tells. Of a class that could not be read, nobody knows whether it does.
pub(super) fn claim(object: &Object, surroundings: &Surroundings) -> State {
    match object.text("/status/phase") {
        Some("Bound") => State::Current,
        Some("Lost") => State::Failed("the volume that it was bound to is gone".to_owned()),
        phase => {
            let class = object.text("/spec/storageClassName").unwrap_or_default();
            if surroundings.binds_at_once(class) {
                let phase = phase.unwrap_or("not looked at yet");
                State::progress(format!("it is bound to no volume: {phase}"))
            } else {
                State::Current
            }
        }
    }
}
