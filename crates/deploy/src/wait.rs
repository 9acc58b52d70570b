//! Waits until applied objects are ready, by the few signs that each built-in kind gives.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::Value;
use underpin_model::{Object, ObjectKey, ResourceKind, Step};

use crate::{Event, Failure, Observer, StopReason, kinds::Kinds, tools::Tools};

/// Between two looks at what is not ready.
const POLL: Duration = Duration::from_millis(500);
/// How long a definition may take to be established before its instances are applied.
const ESTABLISHED_LIMIT: Duration = Duration::from_secs(30);

/// Whether an object is ready, or what it waits for. Kinds that give no sign are ready.
pub(crate) fn readiness(object: &Object) -> Result<(), String> {
    let number = |pointer: &str| object.at(pointer).and_then(Value::as_i64);
    let observed = number("/status/observedGeneration").unwrap_or(0);
    let generation = number("/metadata/generation").unwrap_or(0);
    let kind = (
        object.key.kind.group.as_str(),
        object.key.kind.kind.as_str(),
    );
    if matches!(kind, ("apps", "Deployment" | "StatefulSet" | "DaemonSet")) && observed < generation
    {
        return Err("its controller has not seen the change yet".to_owned());
    }
    match kind {
        ("apps", "Deployment" | "StatefulSet") => {
            let wanted = number("/spec/replicas").unwrap_or(1);
            let updated = number("/status/updatedReplicas").unwrap_or(0);
            let ready = number("/status/readyReplicas").unwrap_or(0);
            let on_delete = object.text("/spec/updateStrategy/type") == Some("OnDelete");
            counted(wanted, if on_delete { wanted } else { updated }, ready)
        }
        ("apps", "DaemonSet") => {
            let wanted = number("/status/desiredNumberScheduled").unwrap_or(0);
            let updated = number("/status/updatedNumberScheduled").unwrap_or(0);
            let on_delete = object.text("/spec/updateStrategy/type") == Some("OnDelete");
            let ready = number("/status/numberReady").unwrap_or(0);
            counted(wanted, if on_delete { wanted } else { updated }, ready)
        }
        ("", "Pod") => condition(object, "Ready"),
        ("batch", "Job") => job(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => condition(object, "Established"),
        ("apiregistration.k8s.io", "APIService") => condition(object, "Available"),
        _ => Ok(()),
    }
}

fn counted(wanted: i64, updated: i64, ready: i64) -> Result<(), String> {
    if updated < wanted {
        Err(format!("{updated} of {wanted} pods updated"))
    } else if ready < wanted {
        Err(format!("{ready} of {wanted} pods ready"))
    } else {
        Ok(())
    }
}

/// A Job is waited for until it has started or ended: a long one must not hold up a deployment.
fn job(object: &Object) -> Result<(), String> {
    if let Some(message) = true_condition(object, "Failed") {
        return Err(format!("failed: {message}"));
    }
    let started = ["/status/active", "/status/succeeded"]
        .iter()
        .any(|pointer| object.at(pointer).and_then(Value::as_i64).unwrap_or(0) > 0);
    let suspended = object.at("/spec/suspend").and_then(Value::as_bool) == Some(true);
    if started || suspended {
        Ok(())
    } else {
        Err("has not started".to_owned())
    }
}

fn condition(object: &Object, name: &str) -> Result<(), String> {
    true_condition(object, name)
        .map(|_| ())
        .ok_or_else(|| format!("is not {name} yet"))
}

/// The message of a condition that is true.
fn true_condition<'o>(object: &'o Object, name: &str) -> Option<&'o str> {
    let conditions = object.at("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| {
        condition.get("type").and_then(Value::as_str) == Some(name)
            && condition.get("status").and_then(Value::as_str) == Some("True")
    })?;
    Some(
        found
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    )
}

/// Waits until a definition is established, so that its instances can be applied.
pub(crate) async fn established(
    tools: &Tools,
    kind: &ResourceKind,
    definition: &Object,
) -> Result<Result<(), String>, StopReason> {
    let end = Instant::now() + ESTABLISHED_LIMIT;
    let mut at = definition.clone();
    loop {
        let Err(why) = readiness(&at) else {
            return Ok(Ok(()));
        };
        if Instant::now() >= end {
            return Ok(Err(format!(
                "{why} after {} s",
                ESTABLISHED_LIMIT.as_secs()
            )));
        }
        if let Some(reason) = tools.stop.sleep(POLL / 4).await {
            return Err(reason);
        }
        match tools.timed()?.get(kind, &definition.key).await {
            Ok(Some(live)) => at = live,
            Ok(None) => return Ok(Err("it was deleted meanwhile".to_owned())),
            Err(error) if error.is_transient() => {}
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
}

/// Waits until every applied object is ready. What is not in time is a failure each.
pub(crate) async fn ready(
    tools: &Tools,
    kinds: &Kinds,
    steps: &[&Step],
    patience: Duration,
    observer: &dyn Observer,
) -> Result<Vec<Failure>, StopReason> {
    let end = Instant::now() + patience;
    let mut waiting: BTreeMap<ObjectKey, String> = BTreeMap::new();
    for step in steps.iter().filter(|step| has_readiness(&step.key)) {
        waiting.insert(step.key.clone(), "not looked at yet".to_owned());
    }
    let mut told = usize::MAX;
    loop {
        look(tools, kinds, &mut waiting).await?;
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        if Instant::now() >= end {
            let seconds = patience.as_secs();
            let failure = |(key, why)| Failure {
                key,
                message: format!("not ready after {seconds} s: {why}"),
            };
            return Ok(waiting.into_iter().map(failure).collect());
        }
        if waiting.len() < told {
            told = waiting.len();
            let first = waiting.iter().next();
            let first = first
                .map(|(key, why)| format!("{key}: {why}"))
                .unwrap_or_default();
            observer.event(Event::Waiting(format!("{told} not ready yet ({first})")));
        }
        if let Some(reason) = tools.stop.sleep(POLL).await {
            return Err(reason);
        }
    }
}

/// Whether the kind gives a sign at all.
fn has_readiness(key: &ObjectKey) -> bool {
    matches!(
        (key.kind.group.as_str(), key.kind.kind.as_str()),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet")
            | ("", "Pod")
            | ("batch", "Job")
            | ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("apiregistration.k8s.io", "APIService")
    )
}

async fn look(
    tools: &Tools,
    kinds: &Kinds,
    waiting: &mut BTreeMap<ObjectKey, String>,
) -> Result<(), StopReason> {
    let keys: Vec<ObjectKey> = waiting.keys().cloned().collect();
    for key in keys {
        let Some(kind) = kinds.get(&key.kind) else {
            waiting.remove(&key);
            continue;
        };
        let why = match tools.timed()?.get(kind, &key).await {
            Ok(Some(live)) => readiness(&live).err(),
            Ok(None) => Some("it was deleted meanwhile".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        match why {
            Some(why) => waiting.insert(key, why),
            None => waiting.remove(&key),
        };
    }
    Ok(())
}
