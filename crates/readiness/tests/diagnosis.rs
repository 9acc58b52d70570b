//! From pods and events to causes.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use serde_json::{Value, json};
use underpin_model::{Depth, Mask, Object, Origin};
use underpin_readiness::{
    State,
    diagnosis::{
        Diagnosis, Family, LOG_BYTES, LOG_LINES, Log, MAX_EVENTS, Texts, diagnose, pod_trouble,
    },
};

fn object(value: Value) -> Object {
    Object::from_value(value, Depth::Full, Origin::Live).unwrap()
}

fn owned(kind: &str, api_version: &str, name: &str, owner: &str, revision: &str) -> Value {
    json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"),
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Any", "name": "any", "uid": owner,
                "controller": true,
            }],
        },
    })
}

fn deployment() -> Object {
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-web"},
    }))
}

/// A pod of the Deployment's newest ReplicaSet, with one container in this status.
fn pod(name: &str, container: &Value) -> Object {
    let mut pod = owned("Pod", "v1", name, "uid-web-2", "");
    let mut status = container.clone();
    status["name"] = json!("web");
    pod["spec"] = json!({"containers": [{
        "name": "web", "image": "registry.example.com/web:9",
        "resources": {"limits": {"memory": "64Mi"}},
    }]});
    pod["status"] = json!({"phase": "Running", "containerStatuses": [status]});
    object(pod)
}

fn event(about: &str, reason: &str, message: &str, last: &str) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{about}.{last}"), "namespace": "shop"},
        "type": "Warning", "reason": reason, "message": message, "lastTimestamp": last,
        "involvedObject": {"kind": "Pod", "name": about},
    }))
}

/// The runtime may quote a command with the values of its arguments.
#[test]
fn the_brief_cause_quotes_nothing() {
    let ended = json!({
        "reason": "StartError", "exitCode": 128, "message": "exec: \"--password=hunter2\"",
    });
    let waiting = |reason: &str| json!({"waiting": {"reason": reason, "message": "exec: \"--password=hunter2\""}});
    for (status, expect) in [
        (json!({"state": {"terminated": ended}}), "container web"),
        (
            json!({"state": waiting("RunContainerError")}),
            "RunContainerError: ",
        ),
        (
            json!({"state": waiting("CrashLoopBackOff"), "lastState": {"terminated": ended}}),
            "CrashLoopBackOff: container web",
        ),
    ] {
        let trouble = pod_trouble(&pod("a", &status)).unwrap();
        assert!(trouble.cause.contains("hunter2"), "{}", trouble.cause);
        let brief = trouble.brief();
        assert!(
            brief.starts_with(expect) && !brief.contains("hunter2"),
            "{brief}"
        );
    }
}

fn found(pods: &[Object], events: &[Object]) -> Diagnosis {
    let deployment = deployment();
    let sets = [
        object(owned("ReplicaSet", "apps/v1", "web-1", "uid-web", "1")),
        object(owned("ReplicaSet", "apps/v1", "web-2", "uid-web", "2")),
    ];
    let family = Family::of(&deployment, &sets, pods);
    let state = State::InProgress("0 of 1 pods available".into());
    diagnose(&state, &family, events, Texts::Shown)
}

#[track_caller]
fn check(container: &Value, events: &[Object], cause: &str, help: &str) {
    let diagnosis = found(&[pod("web-2-a", container)], events);
    assert_eq!(diagnosis.cause, cause);
    let given = diagnosis.help.unwrap_or_default();
    assert!(
        given.contains(help) && given.is_empty() == help.is_empty(),
        "{given}"
    );
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"state": {"waiting": {"reason": reason, "message": message}}})
}

fn crashed(code: i64, reason: &str) -> Value {
    json!({
        "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 4,
        "lastState": {"terminated": {"exitCode": code, "reason": reason}},
    })
}

#[test]
fn images() {
    let image = "image registry.example.com/web:9 of container web";
    let text = "rpc error: code = NotFound desc = manifest unknown";
    check(
        &waiting("ErrImagePull", text),
        &[],
        &format!("ErrImagePull: {image} was not found: {text}"),
        "name and tag",
    );
    check(
        &waiting("ErrImagePull", "pull access denied"),
        &[],
        &format!("ErrImagePull: {image} was refused by its registry: pull access denied"),
        "imagePullSecrets",
    );
    check(
        &waiting("ErrImagePull", "dial tcp: lookup x: no such host"),
        &[],
        &format!(
            "ErrImagePull: {image} could not be fetched: its registry cannot be reached: dial tcp: lookup x: no such host"
        ),
        "registry's name",
    );
    // While the kubelet waits before it tries again, only the event says what was wrong.
    let back_off = waiting(
        "ImagePullBackOff",
        "Back-off pulling image \"registry.example.com/web:9\"",
    );
    let failed = event(
        "web-2-a",
        "Failed",
        "Failed to pull image: not found",
        "2026-01-01T00:00:01Z",
    );
    check(
        &back_off,
        &[failed],
        &format!("ImagePullBackOff: {image} was not found"),
        "name and tag",
    );
    check(
        &back_off,
        &[],
        &format!("ImagePullBackOff: {image} cannot be pulled"),
        "name and tag",
    );
}

#[test]
fn configuration() {
    check(
        &waiting("CreateContainerConfigError", "secret \"db\" not found"),
        &[],
        "CreateContainerConfigError: secret \"db\" not found (container web)",
        "declare the Secret",
    );
    check(
        &waiting(
            "CreateContainerConfigError",
            "couldn't find key url in Secret shop/db",
        ),
        &[],
        "CreateContainerConfigError: couldn't find key url in Secret shop/db (container web)",
        "add the key",
    );
    let mount = "MountVolume.SetUp failed for volume \"conf\" : configmap \"app\" not found";
    check(
        &waiting("ContainerCreating", ""),
        &[event(
            "web-2-a",
            "FailedMount",
            mount,
            "2026-01-01T00:00:01Z",
        )],
        &format!("FailedMount: {mount}"),
        "declare the ConfigMap",
    );
    check(
        &waiting("ContainerCreating", ""),
        &[],
        "ContainerCreating: container web has not started",
        "",
    );
}

#[test]
fn crashes() {
    check(
        &crashed(1, "Error"),
        &[],
        "CrashLoopBackOff: container web exited with code 1, 4 restarts",
        "",
    );
    check(
        &crashed(137, "OOMKilled"),
        &[],
        "CrashLoopBackOff: container web was killed (OOMKilled): it used more memory than its limit of 64Mi, 4 restarts",
        "memory limit",
    );
    check(
        &crashed(127, "Error"),
        &[],
        "CrashLoopBackOff: container web exited with code 127: its command was not found, 4 restarts",
        "command and args",
    );
    check(
        &crashed(0, "Completed"),
        &[],
        "CrashLoopBackOff: container web exited with code 0, although it is to keep running, 4 restarts",
        "Job",
    );
    let diagnosis = found(&[pod("web-2-a", &crashed(1, "Error"))], &[]);
    let (pod, culprit) = diagnosis.culprit().unwrap();
    assert_eq!(
        (pod, culprit.container.as_str(), culprit.previous),
        ("web-2-a", "web", true)
    );
}

#[test]
fn probes() {
    let running = json!({"state": {"running": {}}, "ready": false, "started": true});
    let probe = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    check(
        &running,
        &[event("web-2-a", "Unhealthy", probe, "2026-01-01T00:00:01Z")],
        &format!("Unhealthy: {probe}"),
        "probe",
    );
    check(&running, &[], "container web runs and is not ready", "");
}

#[test]
fn no_pods() {
    let quota = |pod: &str| format!("pods \"{pod}\" is forbidden: exceeded quota: small, used: 2");
    let said = |prefix: &str, pod: &str, second: u8| {
        let message = format!("{prefix}Error creating: {}", quota(pod));
        event(
            "web-2",
            "FailedCreate",
            &message,
            &format!("2026-01-01T00:00:0{second}Z"),
        )
    };
    // One attempt after the other, each about another pod, is one thing that is said.
    let events = [
        said("", "web-2-x", 1),
        said("", "web-2-y", 2),
        said("(combined from similar events): ", "web-2-z", 3),
    ];
    let diagnosis = found(&[], &events);
    assert_eq!(
        diagnosis.cause,
        format!("FailedCreate: {}", quota("web-2-z"))
    );
    assert_eq!(diagnosis.events.len(), 1);
    assert_eq!(diagnosis.events[0].count, 3);
    let help = diagnosis.help.clone().unwrap();
    assert!(help.contains("ResourceQuota small"), "{help}");
    assert!(
        help.contains("`kubectl describe quota small -n shop`"),
        "{help}"
    );
    // What the object says of it is not said beside it.
    let state = "2 of 4 pods updated; pods cannot be made: FailedCreate: exceeded quota";
    assert_eq!(diagnosis.beside(state), "2 of 4 pods updated");
    assert_eq!(found(&[], &[]).beside(state), state);
    assert_eq!(found(&[], &[]).cause, "0 of 1 pods available");
}

/// Pods of a former revision, and those that go, say nothing of the newest.
#[test]
fn only_the_newest_pods_count() {
    let mut old = owned("Pod", "v1", "web-1-a", "uid-web-1", "");
    old["status"] = json!({"containerStatuses": [crashed(1, "Error")]});
    let mut going = owned("Pod", "v1", "web-2-b", "uid-web-2", "");
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    going["status"] = json!({"containerStatuses": [crashed(1, "Error")]});
    let pods = [
        object(old),
        object(going),
        pod("web-2-a", &waiting("ErrImagePull", "denied")),
        pod("web-2-c", &json!({"state": {"running": {}}, "ready": true})),
    ];
    let diagnosis = found(&pods, &[]);
    assert!(
        diagnosis.cause.starts_with("ErrImagePull"),
        "{}",
        diagnosis.cause
    );
    assert!(
        diagnosis.cause.ends_with("(1 of 2 pods)"),
        "{}",
        diagnosis.cause
    );
}

#[test]
fn events_are_joined_bounded_and_the_newest_first() {
    let mut events: Vec<Object> = (0..9)
        .map(|n| {
            event(
                "a",
                &format!("Reason{n}"),
                "m",
                &format!("2026-01-01T00:00:0{n}Z"),
            )
        })
        .collect();
    events.push(event("a", "Reason0", "m", "2026-01-01T00:01:00.5Z"));
    let found = found(&[], &events).events;
    assert_eq!(found.len(), MAX_EVENTS);
    assert_eq!((found[0].reason.as_str(), found[0].count), ("Reason0", 2));
    assert_eq!(found[1].reason, "Reason8");
}

/// What containers wrote is left out where it cannot be masked.
#[test]
fn texts_of_containers_are_withheld() {
    let mut container = crashed(1, "Error");
    container["lastState"]["terminated"]["message"] = json!("password is hunter2");
    let probe = event(
        "web-2-a",
        "Unhealthy",
        "Readiness probe failed: hunter2",
        "2026-01-01T00:00:01Z",
    );
    let (deployment, pods) = (deployment(), [pod("web-2-a", &container)]);
    let sets = [object(owned(
        "ReplicaSet",
        "apps/v1",
        "web-2",
        "uid-web",
        "2",
    ))];
    let family = Family::of(&deployment, &sets, &pods);
    let state = State::InProgress("x".into());
    let withheld = diagnose(
        &state,
        &family,
        std::slice::from_ref(&probe),
        Texts::Withheld,
    );
    assert!(!format!("{withheld:?}").contains("hunter2"));
    let shown = diagnose(&state, &family, &[probe], Texts::Shown);
    assert_eq!(shown.pods[0].said.as_deref(), Some("password is hunter2"));
    let masked = shown.masked(&Mask::new(["hunter2".to_owned()]));
    assert!(!format!("{masked:?}").contains("hunter2"));
}

#[test]
fn logs_are_bounded_masked_and_plain() {
    let mask = Mask::new(["hunter2".to_owned()]);
    let text: String = (0..40).map(|n| format!("line {n}\n")).collect();
    let lines = Log::excerpt(&text, &mask);
    assert_eq!(lines.len(), LOG_LINES);
    assert_eq!(lines[LOG_LINES - 1], "line 39");
    let lines = Log::excerpt("\u{1b}[31mred\u{1b}[0m \u{7}hunter2\r\n\n", &mask);
    assert_eq!(lines, ["red •••"]);
    assert!(Log::excerpt(&"x".repeat(1_000), &mask)[0].chars().count() < 300);
}

/// Where reading stopped within a secret, nothing of it is shown.
#[test]
fn half_a_line_is_not_shown() {
    let mask = Mask::new(["hunter2-and-more".to_owned()]);
    let mut text = "first\n".to_owned();
    text.push_str(&"y".repeat(LOG_BYTES - text.len() - 9));
    text.push_str("\nhunter2-");
    assert_eq!(text.len(), LOG_BYTES);
    let lines = Log::excerpt(&text, &mask);
    assert!(
        !lines.iter().any(|line| line.contains("hunter")),
        "{lines:?}"
    );
}
