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
/// `unready` (runs, never ready), `pending` (never starts), `failed` or `succeeded`.
pub const OUTCOME: &str = "testenv.underpin.dev/outcome";

/// Pause between two looks at all pods.
const PERIOD: Duration = Duration::from_millis(150);
/// Seconds that one delete call may take up on the server; none: the pod runs nothing.
const NO_GRACE: u32 = 0;

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
    *addresses = addresses.wrapping_add(1);
    let status =
        json!({ "metadata": { "uid": meta["uid"] }, "status": status(pod, outcome, *addresses) });
    let content = Some(("application/merge-patch+json", &status));
    api::demand(client, "PATCH", &format!("{path}/status"), content).await?;
    Ok(())
}

/// The annotation, else what is usual for the pod's owner.
fn outcome(pod: &Value) -> &str {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let job = owners.is_some_and(|list| list.iter().any(|owner| owner["kind"] == "Job"));
    match pod["metadata"]["annotations"][OUTCOME].as_str() {
        Some(outcome) => outcome,
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
        "unready" => ("Running", false),
        _ => ("Running", true),
    };
    let state = match phase {
        "Running" => json!({ "running": { "startedAt": at } }),
        _ => json!({ "terminated": {
            "exitCode": i32::from(phase == "Failed"),
            "reason": if phase == "Failed" { "Error" } else { "Completed" },
            "startedAt": at,
            "finishedAt": at,
        }}),
    };
    let containers: Vec<Value> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "ready": ready,
                "started": phase == "Running",
                "restartCount": 0,
                "state": state,
            })
        })
        .collect();
    let condition = |name: &str, holds: bool| {
        json!({
            "type": name,
            "status": if holds { "True" } else { "False" },
            "lastTransitionTime": at,
        })
    };
    let [.., high, low] = number.to_be_bytes();
    let address = format!("10.244.{high}.{low}");
    json!({
        "phase": phase,
        "podIP": address,
        "podIPs": [{ "ip": address }],
        "hostIP": "127.0.0.1",
        "startTime": at,
        "conditions": [
            condition("Initialized", true),
            condition("Ready", ready),
            condition("ContainersReady", ready),
            condition("PodScheduled", true),
        ],
        "containerStatuses": containers,
    })
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
    }
}
