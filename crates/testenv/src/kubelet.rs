//! Fake nodes: what a kubelet reports, without running anything.
//!
//! Every pod that the scheduler binds becomes `Running` and `Ready` with an address of its own;
//! a pod of a Job becomes `Succeeded`; a pod that is being deleted goes at once. The annotation
//! [`OUTCOME`] makes a pod do something else.

use std::time::Duration;

use anyhow::Result;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::api;

/// Annotation on a pod (put it into a workload's pod template): `running` (the default),
/// `unready` (runs, never ready), `pending` (never starts), `unpullable` (its image is not found),
/// `crashing` (its containers end again and again), `failed` or `succeeded`; and `unpullable IMAGE`:
/// so if its first image is this one.
pub const OUTCOME: &str = "testenv.underpin.dev/outcome";

/// Pause between two looks at all pods.
const PERIOD: Duration = Duration::from_millis(150);
/// Seconds that one delete call may take up on the server; none: the pod runs nothing.
const NO_GRACE: u32 = 0;

/// How often a container that crashes has been started anew by the time it is reported.
const RESTARTS: u32 = 3;

/// HTTP status of what is not there.
const NOT_FOUND: u16 = 404;

/// What a fake node offers, in Kubernetes quantities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// CPU, such as `"4"`.
    pub cpu: String,
    /// Memory, such as `"16Gi"`.
    pub memory: String,
    /// Number of pods.
    pub pods: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self {
            cpu: "16".to_owned(),
            memory: "64Gi".to_owned(),
            pods: 500,
        }
    }
}

/// Adds a ready node.
pub async fn add_node(client: &Client, name: &str, capacity: &Capacity) -> Result<()> {
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
    });
    api::demand(
        client,
        "POST",
        "/api/v1/nodes",
        Some(("application/json", &node)),
    )
    .await?;
    let resources = json!({
        "cpu": capacity.cpu,
        "memory": capacity.memory,
        "pods": capacity.pods.to_string(),
    });
    let status = json!({ "status": {
        "capacity": resources,
        "allocatable": resources,
        "conditions": [{ "type": "Ready", "status": "True", "reason": "FakeNode" }],
        "nodeInfo": { "kubeletVersion": "v0.0.0-fake" },
    }});
    let path = format!("/api/v1/nodes/{name}/status");
    let content = Some(("application/merge-patch+json", &status));
    api::demand(client, "PATCH", &path, content).await?;
    Ok(())
}

/// Plays the kubelet of all nodes for ever. An API server that does not answer is asked again:
/// tests stop and start it.
pub async fn run(client: Client) {
    let mut addresses = 0;
    loop {
        // From the server's cache: cheap, and old news are met again on the next round.
        let list = api::demand(&client, "GET", "/api/v1/pods?resourceVersion=0", None).await;
        if let Ok(list) = list {
            for pod in list["items"].as_array().into_iter().flatten() {
                // Lost races (the pod went, or changed) show on the next round.
                drop(tend(&client, pod, &mut addresses).await);
            }
        }
        sleep(PERIOD).await;
    }
}

async fn tend(client: &Client, pod: &Value, addresses: &mut u32) -> Result<()> {
    if pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        return Ok(());
    }
    let meta = &pod["metadata"];
    let (Some(namespace), Some(name)) = (meta["namespace"].as_str(), meta["name"].as_str()) else {
        return Ok(());
    };
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    if meta["deletionTimestamp"].is_string() {
        if meta["finalizers"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
            && meta["deletionGracePeriodSeconds"] == json!(0)
        {
            return Ok(());
        }
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": NO_GRACE,
            "preconditions": { "uid": meta["uid"] },
        });
        api::demand(
            client,
            "DELETE",
            &path,
            Some(("application/json", &options)),
        )
        .await?;
        return Ok(());
    }
    let outcome = outcome(pod);
    let current = pod["status"]["phase"].as_str().unwrap_or_default();
    if outcome == "pending" || matches!(current, "Running" | "Succeeded" | "Failed") {
        return Ok(());
    }
    if let Some(lack) = lack(client, pod, outcome).await {
        return hold(client, pod, &path, &lack).await;
    }
    *addresses = addresses.wrapping_add(1);
    report(client, pod, &path, status(pod, outcome, *addresses)).await?;
    match outcome {
        "unready" => {
            let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
            warn(client, pod, "Unhealthy", message).await
        }
        "crashing" => {
            warn(
                client,
                pod,
                "BackOff",
                "Back-off restarting failed container",
            )
            .await
        }
        _ => Ok(()),
    }
}

/// Writes a pod's status.
async fn report(client: &Client, pod: &Value, path: &str, status: Value) -> Result<()> {
    let body = json!({ "metadata": { "uid": pod["metadata"]["uid"] }, "status": status });
    let content = Some(("application/merge-patch+json", &body));
    api::demand(client, "PATCH", &format!("{path}/status"), content).await?;
    Ok(())
}

/// Leaves a pod's containers waiting, and tells why, once.
async fn hold(client: &Client, pod: &Value, path: &str, lack: &Lack) -> Result<()> {
    let mut waiting = json!({ "reason": lack.reason });
    if !lack.message.is_empty() {
        waiting["message"] = json!(lack.message);
    }
    let state = json!({ "waiting": waiting });
    if pod["status"]["containerStatuses"][0]["state"] == state {
        return Ok(());
    }
    let status = json!({
        "phase": "Pending",
        "startTime": pod["metadata"]["creationTimestamp"],
        "conditions": conditions(pod, false),
        "containerStatuses": containers(pod, &state, false, false),
    });
    report(client, pod, path, status).await?;
    let (reason, message) = &lack.event;
    warn(client, pod, reason, message).await
}

/// Warns about a pod by an event.
async fn warn(client: &Client, pod: &Value, reason: &str, message: &str) -> Result<()> {
    let meta = &pod["metadata"];
    let namespace = meta["namespace"].as_str().unwrap_or_default();
    let name = meta["name"].as_str().unwrap_or_default();
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "generateName": format!("{name}."), "namespace": namespace },
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod",
            "namespace": namespace, "name": name, "uid": meta["uid"],
        },
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": { "component": "kubelet" },
        "firstTimestamp": meta["creationTimestamp"],
        "lastTimestamp": meta["creationTimestamp"],
        "count": 1,
    });
    let path = format!("/api/v1/namespaces/{namespace}/events");
    api::demand(client, "POST", &path, Some(("application/json", &event))).await?;
    Ok(())
}

/// Why a pod's containers cannot start.
struct Lack {
    reason: &'static str,
    message: String,
    /// Reason and message of the event that tells of it.
    event: (&'static str, String),
}

/// What a pod lacks: its image, or a Secret or ConfigMap that a container reads into its
/// environment.
async fn lack(client: &Client, pod: &Value, outcome: &str) -> Option<Lack> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    for (plural, kind, name) in needs(pod) {
        let path = format!("/api/v1/namespaces/{namespace}/{plural}/{name}");
        let found = api::send(client, "GET", &path, None).await;
        // A server that does not answer says nothing of what is there.
        if found.is_ok_and(|answer| answer.status == NOT_FOUND) {
            let message = format!("{kind} \"{name}\" not found");
            return Some(Lack {
                reason: "CreateContainerConfigError",
                event: ("Failed", format!("Error: {message}")),
                message,
            });
        }
    }
    let image = pod["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default();
    (outcome == "unpullable").then(|| Lack {
        reason: "ImagePullBackOff",
        message: format!("Back-off pulling image \"{image}\""),
        event: (
            "Failed",
            format!(
                "Failed to pull image \"{image}\": rpc error: code = NotFound desc = failed to \
                 resolve reference \"{image}\": not found"
            ),
        ),
    })
}

/// Plural, kind in words, and name of what containers read into their environment.
fn needs(pod: &Value) -> Vec<(&'static str, &'static str, String)> {
    let lists = ["initContainers", "containers"];
    let containers = lists
        .iter()
        .filter_map(|list| pod["spec"][list].as_array())
        .flatten();
    let sources = containers.flat_map(|container| {
        let all = container["envFrom"].as_array().into_iter().flatten();
        let single = container["env"].as_array().into_iter().flatten();
        all.chain(single.map(|variable| &variable["valueFrom"]))
    });
    sources
        .flat_map(|source| {
            [
                ("secrets", "secret", &source["secretRef"]),
                ("secrets", "secret", &source["secretKeyRef"]),
                ("configmaps", "configmap", &source["configMapRef"]),
                ("configmaps", "configmap", &source["configMapKeyRef"]),
            ]
        })
        .filter(|(_, _, reference)| reference["optional"] != json!(true))
        .filter_map(|(plural, kind, reference)| {
            Some((plural, kind, reference["name"].as_str()?.to_owned()))
        })
        .collect()
}

/// The annotation, else what is usual for the pod's owner.
fn outcome(pod: &Value) -> &str {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let job = owners.is_some_and(|list| list.iter().any(|owner| owner["kind"] == "Job"));
    match pod["metadata"]["annotations"][OUTCOME].as_str() {
        Some(outcome) => match outcome.split_once(' ') {
            Some((outcome, image)) if pod["spec"]["containers"][0]["image"] == image => outcome,
            Some(_) => "running",
            None => outcome,
        },
        None if job => "succeeded",
        None => "running",
    }
}

/// The status that a kubelet would write. Times are the pod's creation: nothing takes time here.
fn status(pod: &Value, outcome: &str, number: u32) -> Value {
    let at = &pod["metadata"]["creationTimestamp"];
    let (phase, ready) = match outcome {
        "succeeded" => ("Succeeded", false),
        "failed" => ("Failed", false),
        "unready" | "crashing" => ("Running", false),
        _ => ("Running", true),
    };
    let ended = |failed: bool| {
        json!({
            "exitCode": i32::from(failed),
            "reason": if failed { "Error" } else { "Completed" },
            "startedAt": at,
            "finishedAt": at,
        })
    };
    let state = match phase {
        "Running" => json!({ "running": { "startedAt": at } }),
        _ => json!({ "terminated": ended(phase == "Failed") }),
    };
    let mut containers = containers(pod, &state, ready, phase == "Running");
    if outcome == "crashing" {
        for container in &mut containers {
            container["state"] = json!({ "waiting": {
                "reason": "CrashLoopBackOff",
                "message": "back-off 40s restarting failed container",
            }});
            container["lastState"] = json!({ "terminated": ended(true) });
            container["restartCount"] = json!(RESTARTS);
            container["started"] = json!(false);
        }
    }
    let [.., high, low] = number.to_be_bytes();
    let address = format!("10.244.{high}.{low}");
    json!({
        "phase": phase,
        "podIP": address,
        "podIPs": [{ "ip": address }],
        "hostIP": "127.0.0.1",
        "startTime": at,
        "conditions": conditions(pod, ready),
        "containerStatuses": containers,
    })
}

/// The status of every container.
fn containers(pod: &Value, state: &Value, ready: bool, started: bool) -> Vec<Value> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "started": started,
                "restartCount": 0,
                "state": state,
            })
        })
        .collect()
}

/// The conditions of a pod that is bound.
fn conditions(pod: &Value, ready: bool) -> Vec<Value> {
    let all = [
        ("Initialized", true),
        ("Ready", ready),
        ("ContainersReady", ready),
        ("PodScheduled", true),
    ];
    let condition = |(name, holds): (&str, bool)| {
        json!({
            "type": name,
            "status": if holds { "True" } else { "False" },
            "lastTransitionTime": pod["metadata"]["creationTimestamp"],
        })
    };
    all.into_iter().map(condition).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(owner: &str, annotation: Option<&str>, phase: &str, ready: &str) {
        let mut pod = json!({
            "metadata": {
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "ownerReferences": [{ "kind": owner }],
                "annotations": {},
            },
            "spec": { "containers": [{ "name": "a", "image": "b:1" }] },
        });
        if let Some(outcome) = annotation {
            pod["metadata"]["annotations"][OUTCOME] = json!(outcome);
        }
        let status = status(&pod, outcome(&pod), 258);
        assert_eq!(status["phase"], phase);
        assert_eq!(status["conditions"][1]["status"], ready);
        assert_eq!(status["podIP"], "10.244.1.2");
        assert_eq!(status["containerStatuses"][0]["name"], "a");
    }

    #[test]
    fn outcomes() {
        check("ReplicaSet", None, "Running", "True");
        check("Job", None, "Succeeded", "False");
        check("Job", Some("running"), "Running", "True");
        check("ReplicaSet", Some("unready"), "Running", "False");
        check("Job", Some("failed"), "Failed", "False");
        check("ReplicaSet", Some("crashing"), "Running", "False");
        check("ReplicaSet", Some("failed b:1"), "Failed", "False");
        check("ReplicaSet", Some("failed b:2"), "Running", "True");
    }
}
