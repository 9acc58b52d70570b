//! Deletion: finalizers, owner references, namespaces; and custom resources coming and going.

mod allocations;
pub(crate) mod conditions;
mod definition;
mod delete;
mod namespace;
mod owners;

pub(crate) use allocations::ServiceAllocations;
pub(crate) use definition::{CLEANUP_FINALIZER, defined_kind};
pub(crate) use delete::{
    DeleteOptions, FOREGROUND_FINALIZER, ORPHAN_FINALIZER, Propagation, delete, grace_period,
    remove_finalizer, waits_for_nothing,
};
pub(crate) use namespace::admit_into_namespace;
pub(crate) use owners::{Dependents, Key, OwnerReference, controller_of, owner_references};

use crate::{State, state::Change};

/// Keeps what is derived from objects up to date: served kinds, indexes.
pub(crate) fn observe(state: &mut State, change: &Change) {
    state.dependents.observe(change);
    state.service_allocations.observe(change);
    definition::observe(state, change);
}
