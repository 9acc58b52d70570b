//! Jobs: pods until enough of them have succeeded, or too many have failed.
//!
//! Unlike the real controller this one puts no finalizer on its pods: it misses nothing in between.
//! Source: Kubernetes documentation, "Jobs".

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{
    Controller, Delay, Writer, client, enqueue, enqueue_at, events, owned,
    pods::{self, is_active, is_ready},
};
use crate::{
    State,
    lifecycle::{
        Key, Propagation,
        conditions::{Condition, holds, set_condition},
    },
    object,
    state::Change,
};

/// Failures that are taken when nobody says how many.
const BACKOFF_LIMIT: i64 = 6;

/// The kind.
pub(super) fn jobs() -> GroupKind {
    GroupKind::new("batch", "Job")
}

/// Asks for a look when the job changes, or a pod of it.
pub(super) fn observe(state: &mut State, change: &Change) {
    if change.kind == jobs() {
        if !change.deleted {
            let key = Key::of(&change.kind, &change.object);
            enqueue(state, Controller::Job, key, Delay::Reaction);
        }
    } else {
        super::workloads_of_pod(state, Controller::Job, &jobs(), change);
    }
}

/// Pods by what has become of them.
struct Pods {
    active: Vec<Arc<Value>>,
    succeeded: i64,
    failed: i64,
}

impl Pods {
    fn of(all: Vec<Arc<Value>>) -> Self {
        let phase = |wanted: &str| {
            let found = all
                .iter()
                .filter(|pod| object::text(pod, "/status/phase") == wanted);
            owned::count(found.count())
        };
        Self {
            succeeded: phase("Succeeded"),
            failed: phase("Failed"),
            active: all.into_iter().filter(|pod| is_active(pod)).collect(),
        }
    }
}

/// Makes pods, counts them, ends the job.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(job) = client::get(state, key) else {
        return;
    };
    let ended = holds(&job, "Complete") || holds(&job, "Failed");
    if ended {
        return expire(state, key, &job);
    }
    let pods = Pods::of(owned::claim(state, &jobs(), &job, &pods::pods()));
    if object::is_deleting(&job) {
        return;
    }
    let number = |field: &str| owned::integer(&job, &format!("/spec/{field}"));
    let suspended = job.pointer("/spec/suspend") == Some(&json!(true));
    let completions = number("completions");
    let parallelism = number("parallelism").unwrap_or(1);
    let verdict = verdict(&job, &pods, state.now);
    let wanted = if verdict.is_some() || suspended {
        0
    } else {
        match completions {
            Some(completions) => parallelism.min(completions - pods.succeeded),
            // Any success ends such a job: no pod is made after the first.
            None if pods.succeeded > 0 => owned::count(pods.active.len()),
            None => parallelism,
        }
    };
    scale(state, &job, &pods.active, wanted.max(0));
    write_status(state, key, verdict, suspended);
    wake_at_deadline(state, key, &job);
}

/// How the job ends, if it does now.
fn verdict(job: &Value, pods: &Pods, now: Timestamp) -> Option<Condition> {
    let limit = owned::integer(job, "/spec/backoffLimit").unwrap_or(BACKOFF_LIMIT);
    if pods.failed > limit {
        let message = "Job has reached the specified backoff limit";
        return Some(Condition::new(
            "Failed",
            true,
            "BackoffLimitExceeded",
            message,
        ));
    }
    if deadline(job).is_some_and(|end| end <= now) {
        let message = "Job was active longer than specified deadline";
        return Some(Condition::new("Failed", true, "DeadlineExceeded", message));
    }
    let enough = match owned::integer(job, "/spec/completions") {
        Some(completions) => pods.succeeded >= completions,
        None => pods.succeeded > 0 && pods.active.is_empty(),
    };
    let message = "Reached expected number of succeeded pods";
    enough.then(|| Condition::new("Complete", true, "CompletionsReached", message))
}

fn deadline(job: &Value) -> Option<Timestamp> {
    let seconds = owned::integer(job, "/spec/activeDeadlineSeconds")?;
    let start: Timestamp = object::text(job, "/status/startTime").parse().ok()?;
    start.checked_add(SignedDuration::from_secs(seconds)).ok()
}

fn wake_at_deadline(state: &mut State, key: &Key, job: &Value) {
    if let Some(end) = deadline(job).filter(|end| *end > state.now) {
        enqueue_at(state, Controller::Job, key.clone(), end);
    }
}

fn scale(state: &mut State, job: &Value, active: &[Arc<Value>], wanted: i64) {
    let have = owned::count(active.len());
    if have < wanted {
        let prefix = format!("{}-", object::name(job));
        for _ in have..wanted {
            let pod = owned::pod(&jobs(), job, owned::Name::Prefix(&prefix), &[]);
            let made = client::create(state, Writer::ControllerManager, &pods::pods(), pod);
            if let Err(failure) = made {
                let event = format!("Error creating: {}", failure.message);
                let kind = jobs();
                events::warn(
                    state,
                    Writer::ControllerManager,
                    &kind,
                    job,
                    "FailedCreate",
                    &event,
                );
                return;
            }
        }
    }
    let surplus = usize::try_from(have - wanted).unwrap_or(0);
    for pod in active.iter().rev().take(surplus) {
        let key = Key::of(&pods::pods(), pod);
        client::delete(state, &key, object::uid(pod), None, None);
    }
}

fn write_status(state: &mut State, key: &Key, verdict: Option<Condition>, suspended: bool) {
    let Some(job) = client::get(state, key) else {
        return;
    };
    let pods = Pods::of(owned::owned(state, object::uid(&job), &pods::pods()));
    let ready = pods.active.iter().filter(|pod| is_ready(pod)).count();
    let mut changed = job.as_ref().clone();
    let counts = [
        ("active", owned::count(pods.active.len())),
        ("succeeded", pods.succeeded),
        ("failed", pods.failed),
    ];
    owned::set_counts(&mut changed, &[("ready", owned::count(ready))], &counts);
    let now = object::seconds(state.now);
    if let Some(status) = changed.get_mut("status").and_then(Value::as_object_mut) {
        if suspended {
            status.remove("startTime");
        } else {
            status.entry("startTime").or_insert_with(|| json!(now));
        }
        status
            .entry("uncountedTerminatedPods")
            .or_insert_with(|| json!({}));
        if verdict
            .as_ref()
            .is_some_and(|verdict| verdict.name == "Complete")
        {
            status.insert("completionTime".to_owned(), json!(now));
        }
    }
    if suspended {
        let message = "Job suspended";
        let condition = Condition::new("Suspended", true, "JobSuspended", message);
        set(&mut changed, &condition, state.now);
    } else if holds(&job, "Suspended") {
        let condition = Condition::new("Suspended", false, "JobResumed", "Job resumed");
        set(&mut changed, &condition, state.now);
    }
    if let Some(verdict) = verdict {
        let interim = match verdict.name {
            "Complete" => "SuccessCriteriaMet",
            _ => "FailureTarget",
        };
        let interim = Condition {
            name: interim,
            ..verdict.clone()
        };
        set(&mut changed, &interim, state.now);
        set(&mut changed, &verdict, state.now);
    }
    client::update_status(state, Writer::ControllerManager, &jobs(), changed);
}

/// Writes a condition, which has a probe time besides.
fn set(job: &mut Value, condition: &Condition, now: Timestamp) {
    set_condition(job, condition, now);
    let list = job
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    for found in list.into_iter().flatten() {
        if let Some(found) = found.as_object_mut() {
            let since = found.get("lastTransitionTime").cloned();
            found
                .entry("lastProbeTime")
                .or_insert_with(|| since.unwrap_or(Value::Null));
        }
    }
}

/// Deletes an ended job when its time to live is over.
fn expire(state: &mut State, key: &Key, job: &Value) {
    let Some(seconds) = owned::integer(job, "/spec/ttlSecondsAfterFinished") else {
        return;
    };
    let ends = job.pointer("/status/conditions").and_then(Value::as_array);
    let since: Option<Timestamp> = ends
        .into_iter()
        .flatten()
        .filter(|found| matches!(object::text(found, "/type"), "Complete" | "Failed"))
        .find_map(|found| object::text(found, "/lastTransitionTime").parse().ok());
    let end = since.and_then(|since| since.checked_add(SignedDuration::from_secs(seconds)).ok());
    match end {
        Some(end) if end > state.now => enqueue_at(state, Controller::Job, key.clone(), end),
        Some(_) if !object::is_deleting(job) => {
            let foreground = Some(Propagation::Foreground);
            client::delete(state, key, object::uid(job), foreground, None);
        }
        _ => {}
    }
}
