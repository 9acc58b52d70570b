//! What a reference points at, before and after the plan.

use underpin_model::{ObjectKey, Reference, Target, Unread};

use crate::{Context, ownership::controller_of};

/// How the thing that a reference names fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate<'c> {
    /// It is there after the plan.
    Stays,
    /// It was there, and the plan takes it away.
    Dies,
    /// It was not there before and is not there after.
    Missing,
    /// Nobody could tell, and why.
    Unknown(&'c Unread),
}

/// How an object fares that somebody looks for.
pub(crate) fn fate<'c>(context: &'c Context<'_>, key: &ObjectKey) -> Fate<'c> {
    if context.simulation.will_exist(key) {
        return Fate::Stays;
    }
    if context.before.get(key).is_some() || context.expected_before.contains(key) {
        return Fate::Dies;
    }
    match context.before.unread(&key.kind, key.namespace.as_deref()) {
        Some(unread) => Fate::Unknown(unread),
        None => Fate::Missing,
    }
}

/// Whether the object states the reference only after the plan, or no longer as one that it can do
/// without: it is new, or it is changed to.
pub(crate) fn is_introduced(context: &Context<'_>, reference: &Reference) -> bool {
    !context
        .references_before
        .from(&reference.from)
        .any(|former| {
            former.target == reference.target
                && former.relation == reference.relation
                && former.strength <= reference.strength
        })
}

/// Whether a controller made the object, so that its owner states the same.
pub(crate) fn is_derived(context: &Context<'_>, key: &ObjectKey) -> bool {
    let after = &context.simulation.after;
    after
        .get(key)
        .is_some_and(|object| controller_of(after, object).is_some())
}

/// Whether the object is declared by this environment.
pub(crate) fn is_declared(context: &Context<'_>, key: &ObjectKey) -> bool {
    context.step(key).is_some_and(|step| step.desired.is_some())
}

/// The object that a reference names; none for selections.
pub(crate) fn named(reference: &Reference) -> Option<&ObjectKey> {
    match &reference.target {
        Target::Object(key) => Some(key),
        Target::Selected { .. } | Target::Namespaces(_) => None,
    }
}
