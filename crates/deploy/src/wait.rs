//! Waits until applied objects are ready, by the few signs that each built-in kind gives.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use underpin_model::{Object, ObjectKey, ResourceKind, Step};

use crate::{Event, Failure, Observer, StopReason, kinds::Kinds, tools::Tools};

/// Between two looks at what is not ready.
const POLL: Duration = Duration::from_millis(500);
/// How long a definition may take to be established before its instances are applied.
const ESTABLISHED_LIMIT: Duration = Duration::from_secs(30);

/// Why an object is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// It may yet become ready.
    Waiting(String),
    /// It never will by itself.
    Failed(String),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Waiting(why) | Self::Failed(why)) = self;
        f.write_str(why)
    }
}

/// Whether an object is ready, or why not. Kinds that give no sign are ready.
pub(crate) fn readiness(object: &Object) -> Result<(), Unready> {
    if object.key.kind.is("batch", "Job")
        && let Some(message) = true_condition(object, "Failed")
    {
        return Err(Unready::Failed(format!("failed: {message}")));
    }
    signs(object).map_err(Unready::Waiting)
}

fn signs(object: &Object) -> Result<(), String> {
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
            let ready = number("/status/readyReplicas").unwrap_or(0);
            // What is told not to roll out by itself is not waited for.
            let held = if object.text("/spec/updateStrategy/type") == Some("OnDelete")
                || object.at("/spec/paused").and_then(Value::as_bool) == Some(true)
            {
                wanted
            } else {
                number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0)
            };
            let updated = number("/status/updatedReplicas").unwrap_or(0);
            counted(wanted, (updated + held).min(wanted), ready)
        }
        ("apps", "DaemonSet") => {
            let wanted = number("/status/desiredNumberScheduled").unwrap_or(0);
            let updated = number("/status/updatedNumberScheduled").unwrap_or(0);
            let on_delete = object.text("/spec/updateStrategy/type") == Some("OnDelete");
            let ready = number("/status/numberReady").unwrap_or(0);
            counted(wanted, if on_delete { wanted } else { updated }, ready)
        }
        ("", "Pod") if object.text("/status/phase") == Some("Succeeded") => Ok(()),
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
    let mut failures = Vec::new();
    loop {
        failures.extend(look(tools, kinds, &mut waiting).await?);
        if waiting.is_empty() {
            return Ok(failures);
        }
        if Instant::now() >= end {
            let seconds = patience.as_secs();
            let failure = |(key, why)| Failure {
                key,
                message: format!("not ready after {seconds} s: {why}"),
            };
            failures.extend(waiting.into_iter().map(failure));
            return Ok(failures);
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

/// Looks at every object that is waited for, drops what is ready, and returns what has failed.
async fn look(
    tools: &Tools,
    kinds: &Kinds,
    waiting: &mut BTreeMap<ObjectKey, String>,
) -> Result<Vec<Failure>, StopReason> {
    let mut failures = Vec::new();
    let keys: Vec<ObjectKey> = waiting.keys().cloned().collect();
    for key in keys {
        let Some(kind) = kinds.get(&key.kind) else {
            waiting.remove(&key);
            continue;
        };
        let why = match tools.timed()?.get(kind, &key).await {
            Ok(Some(live)) => match readiness(&live) {
                Err(Unready::Failed(message)) => {
                    waiting.remove(&key);
                    failures.push(Failure { key, message });
                    continue;
                }
                other => other.err().map(|unready| unready.to_string()),
            },
            Ok(None) => Some("it was deleted meanwhile".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        match why {
            Some(why) => waiting.insert(key, why),
            None => waiting.remove(&key),
        };
    }
    Ok(failures)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    #[track_caller]
    fn check(api_version: &str, kind: &str, spec: &Value, status: &Value, ready: bool) {
        let value = json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": "web", "namespace": "wallet"}, "spec": spec, "status": status,
        });
        let object = Object::from_value(value, Depth::Full, Origin::Live).unwrap();
        let outcome = readiness(&object);
        assert_eq!(outcome.is_ok(), ready, "{} {outcome:?}", object.value);
    }

    /// A rollout that the object itself holds back is waited for as far as it goes.
    #[test]
    fn workloads_are_ready_when_all_that_is_to_roll_out_has() {
        let status = |updated: u32, ready: u32| json!({"replicas": 3, "updatedReplicas": updated, "readyReplicas": ready});
        let partition = |partition: u32| json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": partition}}});
        let (apps, set) = ("apps/v1", "StatefulSet");
        check(apps, set, &json!({"replicas": 3}), &status(3, 3), true);
        check(apps, set, &json!({"replicas": 3}), &status(2, 3), false);
        check(apps, set, &partition(2), &status(1, 3), true);
        check(apps, set, &partition(2), &status(0, 3), false);
        check(apps, set, &partition(9), &status(0, 3), true);
        check(apps, set, &partition(2), &status(1, 2), false);
        let paused = json!({"replicas": 3, "paused": true});
        check(apps, "Deployment", &paused, &status(0, 3), true);
        check(
            apps,
            "Deployment",
            &json!({"replicas": 3}),
            &status(0, 3),
            false,
        );
        check(
            "v1",
            "Pod",
            &json!({}),
            &json!({"phase": "Succeeded"}),
            true,
        );
        check("v1", "Pod", &json!({}), &json!({"phase": "Pending"}), false);
    }
}
