//! Custom resources: a definition whose names are accepted is served from then on.
//!
//! Source: apiextensions-apiserver's establishing controller.

use super::{Controller, Delay, Writer, client, definition_names::definitions, enqueue};
use crate::{
    State,
    lifecycle::{
        Key,
        conditions::{Condition, holds, set_condition},
    },
    state::Change,
};

/// Asks for work when names are accepted.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == definitions()
        && !change.deleted
        && holds(&change.object, "NamesAccepted")
        && !holds(&change.object, "Established")
    {
        let key = Key::of(&change.kind, &change.object);
        enqueue(
            state,
            Controller::DefinitionEstablisher,
            key,
            Delay::Reaction,
        );
    }
}

/// Establishes the definition.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(current) = client::get(state, key) else {
        return;
    };
    if !holds(&current, "NamesAccepted") || holds(&current, "Established") {
        return;
    }
    let mut changed = current.as_ref().clone();
    let established = Condition::new(
        "Established",
        true,
        "InitialNamesAccepted",
        "the initial names have been accepted",
    );
    set_condition(&mut changed, &established, state.now);
    client::update_status(state, Writer::ApiServer, &key.kind, changed);
}
