//! The delete verb: preconditions, grace, finalizers.
//!
//! What is deleted goes at once, unless a finalizer keeps it (then it is marked and waits) or, a
//! pod, its grace period runs. Source: the API server's generic registry, `rest.BeforeDelete`.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{definition, namespace};
use crate::{Failure, Kind, State, object};

/// Finalizer of an owner whose dependents are to lose their reference.
pub(crate) const ORPHAN_FINALIZER: &str = "orphan";
/// Finalizer of an owner that waits for its dependents to go.
pub(crate) const FOREGROUND_FINALIZER: &str = "foregroundDeletion";
/// Longest grace period that is honoured, in seconds: a hundred years.
const GRACE_LIMIT: i64 = 100 * 366 * 24 * 60 * 60;

/// What becomes of dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Propagation {
    Orphan,
    Background,
    Foreground,
}

/// The part of `DeleteOptions` that decides what happens.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeleteOptions {
    /// Precondition.
    pub(crate) uid: Option<String>,
    /// Precondition.
    pub(crate) resource_version: Option<String>,
    pub(crate) propagation: Option<Propagation>,
    /// Seconds, of pods only; what is negative counts as none.
    pub(crate) grace_period_seconds: Option<i64>,
}

/// What a deletion left.
#[derive(Clone, Debug)]
pub(crate) struct Deleted {
    /// The object as it is now, or as it was last.
    pub(crate) object: Arc<Value>,
    /// Whether it is gone; otherwise it waits for its finalizers or its grace period.
    pub(crate) gone: bool,
}

/// Deletes one object, or marks it as being deleted.
///
/// Errors: 404 if there is no such object, 403 for a system namespace, 409 if a precondition does
/// not hold.
pub(crate) fn delete(
    state: &mut State,
    kind: &Arc<Kind>,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Deleted, Failure> {
    let found = state.get(&kind.kind, namespace, name).cloned();
    if kind.kind.is("", "Namespace") {
        namespace::forbid_system(kind, name)?;
    }
    let current = found.ok_or_else(|| Failure::not_found(kind, name))?;
    let own_verb = kind.kind.is("", "Namespace")
        || kind
            .kind
            .is("apiextensions.k8s.io", "CustomResourceDefinition");
    if own_verb {
        check_named_preconditions(kind, &current, options)?;
        if !object::is_deleting(&current) {
            let marked = if kind.kind.is("", "Namespace") {
                namespace::mark(&current, options.propagation, state.now)
            } else {
                definition::mark(&current, state.now)
            };
            let object = state.put(kind, marked);
            return Ok(Deleted {
                object,
                gone: false,
            });
        }
        if kind.kind.is("", "Namespace") && namespace::has_spec_finalizers(&current) {
            return Ok(Deleted {
                object: current,
                gone: false,
            });
        }
    }
    check_preconditions(kind, &current, options)?;
    delete_generic(state, kind, current, options)
}

/// Whether an object is being deleted and nothing keeps it any more: an update that makes it so
/// erases it instead of storing it.
pub(crate) fn waits_for_nothing(kind: &Kind, object: &Value) -> bool {
    object::is_deleting(object)
        && object::finalizers(object).next().is_none()
        && grace_period(object).unwrap_or_default() == 0
        && !(kind.kind.is("", "Namespace") && namespace::has_spec_finalizers(object))
}

/// The stored grace period of an object that is being deleted, in seconds.
pub(crate) fn grace_period(object: &Value) -> Option<i64> {
    object
        .pointer("/metadata/deletionGracePeriodSeconds")
        .and_then(Value::as_i64)
}

fn delete_generic(
    state: &mut State,
    kind: &Arc<Kind>,
    current: Arc<Value>,
    options: &DeleteOptions,
) -> Result<Deleted, Failure> {
    let grace = match grace_step(kind, &current, options) {
        Grace::Pending => {
            return Ok(Deleted {
                object: current,
                gone: false,
            });
        }
        Grace::None => None,
        Grace::Set(seconds) => Some(seconds),
    };
    let finalizers = garbage_collection_finalizers(kind, &current, options.propagation);
    let keeps = !finalizers.is_empty();
    let (namespace, name) = (object::namespace(&current), object::name(&current));
    if !keeps && grace.unwrap_or_default() == 0 {
        let object = state
            .erase(kind, namespace, name)
            .ok_or_else(|| Failure::not_found(kind, name))?;
        return Ok(Deleted { object, gone: true });
    }
    let mut marked = current.as_ref().clone();
    set_finalizers(&mut marked, &finalizers);
    match grace {
        Some(seconds) => mark_graceful(&mut marked, seconds, state.now),
        None => mark_now(&mut marked, state.now),
    }
    let object = if marked == *current {
        current
    } else {
        state.put(kind, marked)
    };
    Ok(Deleted {
        object,
        gone: false,
    })
}

/// What a deletion does to the grace period.
enum Grace {
    /// The kind knows none, or it has run out.
    None,
    /// It already runs, and nothing shortens it.
    Pending,
    /// It runs from now, or from when deletion began, for so many seconds.
    Set(i64),
}

fn grace_step(kind: &Kind, current: &Value, options: &DeleteOptions) -> Grace {
    if !kind.kind.is("", "Pod") {
        return Grace::None;
    }
    let asked = options
        .grace_period_seconds
        // Less than nothing counts as the shortest there is.
        .map(|seconds| {
            if seconds < 0 {
                1
            } else {
                seconds.min(GRACE_LIMIT)
            }
        });
    if object::is_deleting(current) {
        return match (grace_period(current), asked) {
            (None | Some(0), _) => Grace::None,
            (Some(running), Some(asked)) if asked < running => Grace::Set(asked),
            _ => Grace::Pending,
        };
    }
    let own = current
        .pointer("/spec/terminationGracePeriodSeconds")
        .and_then(Value::as_i64);
    let scheduled = !object::text(current, "/spec/nodeName").is_empty();
    let ended = matches!(
        object::text(current, "/status/phase"),
        "Failed" | "Succeeded"
    );
    if !scheduled || ended {
        return Grace::Set(0);
    }
    Grace::Set(asked.or(own).unwrap_or_default().clamp(0, GRACE_LIMIT))
}

/// Marks a pod whose grace period begins, or is shortened.
fn mark_graceful(marked: &mut Value, seconds: i64, now: jiff::Timestamp) {
    let began = if object::is_deleting(marked) {
        let end: Option<jiff::Timestamp> = object::text(marked, "/metadata/deletionTimestamp")
            .parse()
            .ok();
        let running = SignedDuration::from_secs(grace_period(marked).unwrap_or_default());
        end.and_then(|end| end.checked_sub(running).ok())
            .unwrap_or(now)
    } else {
        bump_generation(marked);
        now
    };
    let end = began
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(now);
    if let Some(metadata) = object::metadata(marked) {
        metadata.insert("deletionTimestamp".to_owned(), json!(object::seconds(end)));
        metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(seconds));
    }
}

/// Marks an object that only its finalizers keep.
fn mark_now(marked: &mut Value, now: jiff::Timestamp) {
    let text = object::text(marked, "/metadata/deletionTimestamp");
    let later = text.parse().is_ok_and(|time: jiff::Timestamp| time > now);
    let fresh = text.is_empty();
    if fresh {
        bump_generation(marked);
    }
    if let Some(metadata) = object::metadata(marked) {
        if fresh || later {
            metadata.insert("deletionTimestamp".to_owned(), json!(object::seconds(now)));
        }
        metadata.insert("deletionGracePeriodSeconds".to_owned(), json!(0));
    }
}

/// An object that is to go is a new generation, if its kind counts them.
fn bump_generation(value: &mut Value) {
    let generation = value
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    if generation > 0
        && let Some(metadata) = object::metadata(value)
    {
        metadata.insert("generation".to_owned(), json!(generation + 1));
    }
}

/// The finalizers with which an object is left: the garbage collector's two as the propagation
/// asks, all others as they are.
fn garbage_collection_finalizers(
    kind: &Kind,
    current: &Value,
    propagation: Option<Propagation>,
) -> Vec<String> {
    let has = |finalizer: &str| object::finalizers(current).any(|found| found == finalizer);
    let propagation = if kind.kind.is("", "Event") {
        Propagation::Background
    } else if let Some(asked) = propagation {
        asked
    } else if has(ORPHAN_FINALIZER) {
        Propagation::Orphan
    } else if has(FOREGROUND_FINALIZER) {
        Propagation::Foreground
    } else {
        default_propagation(kind)
    };
    let wanted = match propagation {
        Propagation::Orphan => Some(ORPHAN_FINALIZER),
        Propagation::Foreground => Some(FOREGROUND_FINALIZER),
        Propagation::Background => None,
    };
    let wished: Vec<String> = object::finalizers(current)
        .filter(|one| *one != ORPHAN_FINALIZER && *one != FOREGROUND_FINALIZER)
        .chain(wanted)
        .map(str::to_owned)
        .collect();
    // The same set keeps the order in which it was written.
    let same =
        object::finalizers(current).count() == wished.len() && wished.iter().all(|one| has(one));
    if same {
        object::finalizers(current).map(str::to_owned).collect()
    } else {
        wished
    }
}

/// What becomes of dependents when nobody says. Two old kinds keep theirs.
fn default_propagation(kind: &Kind) -> Propagation {
    if kind.kind.is("batch", "Job") || kind.kind.is("", "ReplicationController") {
        Propagation::Orphan
    } else {
        Propagation::Background
    }
}

/// Replaces the finalizers; without any, the field goes.
pub(crate) fn set_finalizers(value: &mut Value, finalizers: &[String]) {
    if let Some(metadata) = object::metadata(value) {
        if finalizers.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".to_owned(), json!(finalizers));
        }
    }
}

/// Takes one finalizer out; says whether it was there.
pub(crate) fn remove_finalizer(value: &mut Value, finalizer: &str) -> bool {
    let all = object::finalizers(value).count();
    let left: Vec<String> = object::finalizers(value)
        .filter(|found| *found != finalizer)
        .map(str::to_owned)
        .collect();
    let removed = left.len() < all;
    if removed {
        set_finalizers(value, &left);
    }
    removed
}

/// The generic registry's check, whose message names the kind where a resource belongs.
fn check_preconditions(
    kind: &Kind,
    current: &Value,
    options: &DeleteOptions,
) -> Result<(), Failure> {
    let why = if let Some(uid) = &options.uid
        && uid != object::uid(current)
    {
        format!(
            "the UID in the precondition ({uid}) does not match the UID in record ({}). The \
             object might have been deleted and then recreated",
            object::uid(current)
        )
    } else if let Some(version) = &options.resource_version
        && version != object::resource_version(current)
    {
        format!(
            "the ResourceVersion in the precondition ({version}) does not match the \
             ResourceVersion in record ({}). The object might have been modified",
            object::resource_version(current)
        )
    } else {
        return Ok(());
    };
    let named = Kind {
        plural: kind.kind.kind.clone(),
        ..kind.clone()
    };
    Err(Failure::conflict(&named, object::name(current), &why))
}

/// The check of kinds with a delete verb of their own.
fn check_named_preconditions(
    kind: &Kind,
    current: &Value,
    options: &DeleteOptions,
) -> Result<(), Failure> {
    let why = if let Some(uid) = &options.uid
        && uid != object::uid(current)
    {
        format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            object::uid(current)
        )
    } else if let Some(version) = &options.resource_version
        && version != object::resource_version(current)
    {
        format!(
            "Precondition failed: ResourceVersion in precondition: {version}, ResourceVersion in \
             object meta: {}",
            object::resource_version(current)
        )
    } else {
        return Ok(());
    };
    Err(Failure::conflict(kind, object::name(current), &why))
}
