//! The status of a pod as a kubelet writes it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{pod_needs::Lack, pods};
use crate::object;

/// Whether its containers have not started yet.
pub(super) fn is_starting(pod: &Value) -> bool {
    !pods::node(pod).is_empty() && matches!(object::text(pod, "/status/phase"), "" | "Pending")
}

/// A pod whose containers wait for something.
pub(super) fn waiting(pod: &Value, lack: &Lack, now: Timestamp) -> Value {
    let mut report = pod.clone();
    let mut state = json!({"reason": lack.reason});
    if !lack.message.is_empty() {
        state["message"] = json!(lack.message);
    }
    let state = json!({"waiting": state});
    let containers = containers(pod, "containers", &state, false, false);
    set(&mut report, "phase", json!("Pending"));
    set(&mut report, "startTime", json!(object::seconds(now)));
    set(&mut report, "containerStatuses", containers);
    conditions(&mut report, Ready::Not, now);
    keep_start(&mut report, pod);
    report
}

/// A pod whose containers run.
pub(super) fn running(
    pod: &Value,
    node: &Value,
    address: &str,
    ready: bool,
    now: Timestamp,
) -> Value {
    let mut report = pod.clone();
    let time = object::seconds(now);
    let state = json!({"running": {"startedAt": time}});
    let host = host_address(node);
    let on_host = pod.pointer("/spec/hostNetwork") == Some(&Value::Bool(true));
    let address = if on_host { host } else { address };
    set(&mut report, "phase", json!("Running"));
    set(&mut report, "hostIP", json!(host));
    set(&mut report, "hostIPs", json!([{"ip": host}]));
    set(&mut report, "podIP", json!(address));
    set(&mut report, "podIPs", json!([{"ip": address}]));
    set(&mut report, "startTime", json!(time));
    let statuses = containers(pod, "containers", &state, ready, true);
    set(&mut report, "containerStatuses", statuses);
    if pod.pointer("/spec/initContainers").is_some() {
        let done = json!({"terminated": terminated(&time, &time, true)});
        let statuses = containers(pod, "initContainers", &done, true, false);
        set(&mut report, "initContainerStatuses", statuses);
    }
    let ready = if ready { Ready::Yes } else { Ready::Not };
    conditions(&mut report, ready, now);
    keep_start(&mut report, pod);
    report
}

/// How often a container that crashes has been started anew by the time it is reported.
const RESTARTS: u32 = 3;

/// Makes of a report of containers that run one of containers that end again and again.
pub(super) fn crash(report: &mut Value, now: Timestamp) {
    let time = object::seconds(now);
    let statuses = report
        .pointer_mut("/status/containerStatuses")
        .and_then(Value::as_array_mut);
    for status in statuses.into_iter().flatten() {
        status["state"] = json!({"waiting": {
            "reason": "CrashLoopBackOff",
            "message": "back-off 40s restarting failed container",
        }});
        status["lastState"] = json!({"terminated": terminated(&time, &time, false)});
        status["restartCount"] = json!(RESTARTS);
        status["started"] = json!(false);
    }
}

/// A pod whose containers have ended.
pub(super) fn ended(pod: &Value, well: bool, now: Timestamp) -> Value {
    let mut report = pod.clone();
    let started = object::text(pod, "/status/startTime");
    let state = json!({"terminated": terminated(started, &object::seconds(now), well)});
    let phase = if well { "Succeeded" } else { "Failed" };
    set(&mut report, "phase", json!(phase));
    let statuses = containers(pod, "containers", &state, false, false);
    set(&mut report, "containerStatuses", statuses);
    let ready = if well {
        Ready::Completed
    } else {
        Ready::Failed
    };
    conditions(&mut report, ready, now);
    report
}

fn terminated(started: &str, finished: &str, well: bool) -> Value {
    json!({
        "exitCode": i32::from(!well),
        "reason": if well { "Completed" } else { "Error" },
        "startedAt": started,
        "finishedAt": finished,
    })
}

fn set(report: &mut Value, field: &str, value: Value) {
    if let Some(root) = report.as_object_mut() {
        object::child(root, "status").insert(field.to_owned(), value);
    }
}

/// A start that was reported once stays.
fn keep_start(report: &mut Value, pod: &Value) {
    if let Some(start) = pod.pointer("/status/startTime") {
        set(report, "startTime", start.clone());
    }
}

fn host_address(node: &Value) -> &str {
    let addresses = node.pointer("/status/addresses").and_then(Value::as_array);
    let internal = addresses
        .into_iter()
        .flatten()
        .find(|address| object::text(address, "/type") == "InternalIP");
    internal.map_or("127.0.0.1", |address| object::text(address, "/address"))
}

fn containers(pod: &Value, field: &str, state: &Value, ready: bool, started: bool) -> Value {
    let list = pod.get("spec").and_then(|spec| spec.get(field));
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let statuses = list.map(|container| {
        let mut status = Map::new();
        let mut put = |name: &str, value: Value| status.insert(name.to_owned(), value);
        put("name", container["name"].clone());
        put("image", container["image"].clone());
        put("imageID", json!(""));
        put("lastState", json!({}));
        put("ready", json!(ready));
        put("restartCount", json!(0));
        put("started", json!(started));
        put("state", state.clone());
        Value::Object(status)
    });
    Value::Array(statuses.collect())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Yes,
    Not,
    Completed,
    Failed,
}

fn conditions(report: &mut Value, ready: Ready, now: Timestamp) {
    let names: Vec<String> = report
        .pointer("/spec/containers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|container| object::text(container, "/name").to_owned())
        .collect();
    let unready = format!("containers with unready status: [{}]", names.join(" "));
    let why = match ready {
        Ready::Yes => ("", ""),
        Ready::Not => ("ContainersNotReady", unready.as_str()),
        Ready::Completed => ("PodCompleted", ""),
        Ready::Failed => ("PodFailed", ""),
    };
    let begun = if ready == Ready::Completed {
        why
    } else {
        ("", "")
    };
    let holds = ready == Ready::Yes;
    let running = !matches!(ready, Ready::Completed | Ready::Failed);
    pods::set_condition(report, "PodReadyToStartContainers", running, ("", ""), now);
    pods::set_condition(report, "Initialized", true, begun, now);
    pods::set_condition(report, "Ready", holds, why, now);
    pods::set_condition(report, "ContainersReady", holds, why, now);
    pods::set_condition(report, "PodScheduled", true, ("", ""), now);
}
