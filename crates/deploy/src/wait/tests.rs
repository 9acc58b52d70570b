//! The wait against a server that is a function, on a paused clock.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};
use underpin_model::{
    Action, Depth, GroupKind, LogicalKey, NamespaceProvenance, Object, Origin, Placement,
    ResourceKind, Step, World,
};
use underpin_plan::{Plan, Purpose, ResolvedPlacement};
use underpin_source::manifests::{Variable, Variables};

use super::{Declared, Waiter};
use crate::{
    Event, Failure, Observer, Stop, StopReason,
    kinds::Kinds,
    mock::{self, Log, Seen, status},
};

const HOUR: Duration = Duration::from_hours(1);

/// Remembers what it is told.
#[derive(Default)]
struct Told(Mutex<Vec<Event>>);

impl Observer for Told {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

fn kind(group: &str, kind: &str, plural: &str) -> ResourceKind {
    ResourceKind {
        kind: GroupKind::new(group, kind),
        version: "v1".into(),
        versions: vec!["v1".into()],
        plural: plural.into(),
        namespaced: true,
        listable: true,
    }
}

fn deployment(name: &str, annotations: &Value, status: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": name, "namespace": "shop", "uid": format!("uid-{name}"), "generation": 1,
            "annotations": annotations,
        },
        "spec": {"replicas": 1, "template": {"spec": {}}},
        "status": status,
    })
}

fn rolled_out() -> Value {
    json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1})
}

fn object(value: Value) -> Object {
    Object::from_value(value, Depth::Full, Origin::Live).unwrap()
}

fn plan() -> Plan {
    let placement = Placement {
        namespace: "shop".into(),
        uid: None,
        provenance: NamespaceProvenance::Created,
        shared: false,
    };
    Plan {
        purpose: Purpose::Up,
        stack: "shop".into(),
        environment: "test".into(),
        placement: ResolvedPlacement {
            placement,
            derived: "shop".into(),
            recorded: true,
        },
        steps: Vec::new(),
        conflicts: [].into(),
        taken: [].into(),
        autoscaled: BTreeMap::new(),
        drifted: [].into(),
        nonces: [].into(),
        dropped: [].into(),
        problems: Vec::new(),
    }
}

/// What came of a wait.
struct Ended {
    failures: Vec<Failure>,
    stopped: Option<StopReason>,
    took: Duration,
    log: Log,
    told: Vec<Event>,
}

impl Ended {
    /// How many requests had a path that ends so.
    fn requests(&self, end: &str) -> usize {
        let log = self.log.lock().unwrap();
        log.iter().filter(|seen| seen.path.ends_with(end)).count()
    }

    /// Everything that was told, in one text.
    fn said(&self) -> String {
        format!("{:?} {:?}", self.failures, self.told)
    }
}

/// Waits for objects that were just applied, one hour each unless they say otherwise.
async fn wait(
    applied: Vec<Value>,
    deadline: Option<Duration>,
    answer: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static,
) -> Ended {
    wait_where(KINDS, applied, deadline, answer).await
}

/// The kinds that a cluster serves: group, name and plural.
type Served = &'static [(&'static str, &'static str, &'static str)];

const KINDS: Served = &[
    ("", "Secret", "secrets"),
    ("apps", "Deployment", "deployments"),
    ("apps", "ReplicaSet", "replicasets"),
    ("", "Pod", "pods"),
    ("example.com", "Widget", "widgets"),
];

/// The same in a cluster that serves these kinds.
async fn wait_where(
    served: Served,
    applied: Vec<Value>,
    deadline: Option<Duration>,
    answer: impl Fn(&Seen) -> (u16, Value) + Send + Sync + 'static,
) -> Ended {
    let (cluster, log) = mock::cluster(answer);
    let mut world = World::default();
    for (group, name, plural) in served {
        let kind = kind(group, name, plural);
        world.kinds.insert(kind.kind.clone(), kind);
    }
    let kinds = Kinds::new(&world, std::iter::empty());
    let mut variables = Variables::default();
    variables.insert("password", Variable::secret("from-a-variable"));
    let objects: Vec<Object> = applied.into_iter().map(object).collect();
    let steps: Vec<Step> = objects
        .iter()
        .map(|one| Step {
            desired: Some(one.clone()),
            ..Step::new(
                Action::Create,
                one.key.clone(),
                LogicalKey::of(&one.key, "shop"),
            )
        })
        .collect();
    let begin = Instant::now();
    let (_sender, interrupted) = watch::channel(false);
    let stop = Stop::new(deadline.map(|deadline| begin + deadline), interrupted);
    let (told, plan) = (Told::default(), plan());
    let timed = || Ok(cluster.clone());
    let waiter = Waiter {
        timed: &timed,
        stop: &stop,
        observer: &told,
        world: &world,
        plan: &plan,
        kinds: &kinds,
        variables: &variables,
        patience: HOUR,
    };
    let declared = steps.iter().zip(objects);
    let declared = declared.map(|(step, object)| Declared {
        step,
        object,
        wave: 1,
    });
    let (failures, stopped) = waiter.wait(declared.collect()).await;
    Ended {
        failures,
        stopped,
        took: begin.elapsed(),
        log,
        told: told.0.into_inner().unwrap(),
    }
}

fn list(items: &[Value]) -> (u16, Value) {
    (200, json!({"items": items}))
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_costs_no_request() {
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": "shop"},
    });
    let applied = vec![config, deployment("web", &json!({}), &rolled_out())];
    let ended = wait(applied, None, |seen| panic!("{seen:?}")).await;
    assert!(ended.failures.is_empty() && ended.told.is_empty());
    assert_eq!(ended.took, Duration::ZERO);
}

/// However many objects of a kind wait, a look is one request.
#[tokio::test(start_paused = true)]
async fn many_of_a_kind_are_listed() {
    let names: Vec<String> = (0..50).map(|n| format!("web{n}")).collect();
    let applied = names
        .iter()
        .map(|name| deployment(name, &json!({}), &json!({})));
    let live: Vec<Value> = names
        .iter()
        .map(|name| deployment(name, &json!({}), &rolled_out()))
        .collect();
    let ended = wait(applied.collect(), None, move |_| list(&live)).await;
    assert!(ended.failures.is_empty(), "{:?}", ended.failures);
    assert_eq!(ended.log.lock().unwrap().len(), 1);
    assert_eq!(ended.requests("/deployments"), 1);
}

#[tokio::test(start_paused = true)]
async fn where_lists_are_refused_objects_are_read_one_by_one() {
    let names: Vec<String> = (0..5).map(|n| format!("web{n}")).collect();
    let applied = names
        .iter()
        .map(|name| deployment(name, &json!({}), &json!({})));
    let ended = wait(applied.collect(), None, |seen| {
        match seen.path.rsplit_once("/deployments/") {
            Some((_, name)) => (200, deployment(name, &json!({}), &rolled_out())),
            None => status(403, "Forbidden", &json!([])),
        }
    });
    let ended = ended.await;
    assert!(ended.failures.is_empty(), "{:?}", ended.failures);
    assert_eq!(ended.requests("/deployments"), 1);
}

/// A custom kind whose controller does not tell what it has seen gets a moment to notice.
#[tokio::test(start_paused = true)]
async fn a_custom_kind_is_looked_at_again() {
    let widget = |ready: &str| {
        json!({
            "apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": "one", "namespace": "shop"},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        })
    };
    let begin = Instant::now();
    let ended = wait(vec![widget("True")], None, move |_| {
        // It takes the controller almost a second to notice, and two more to mend it.
        let noticed = begin.elapsed() > Duration::from_millis(900);
        let mended = begin.elapsed() > Duration::from_secs(3);
        (
            200,
            widget(if noticed && !mended { "False" } else { "True" }),
        )
    });
    let ended = ended.await;
    assert!(ended.failures.is_empty());
    assert!(ended.took >= Duration::from_secs(3), "{:?}", ended.took);
}

#[tokio::test(start_paused = true)]
async fn a_definite_failure_is_not_waited_out() {
    let late = json!({
        "observedGeneration": 1,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
    });
    let applied = vec![
        deployment("bad", &json!({}), &json!({})),
        deployment("good", &json!({}), &json!({})),
    ];
    let begin = Instant::now();
    let ended = wait(applied, None, move |seen| match &seen.path {
        path if path.ends_with("/bad") => (200, deployment("bad", &json!({}), &late)),
        path if path.ends_with("/good") && begin.elapsed() > Duration::from_secs(30) => {
            (200, deployment("good", &json!({}), &rolled_out()))
        }
        path if path.ends_with("/good") => (200, deployment("good", &json!({}), &json!({}))),
        _ => list(&[]),
    });
    let ended = ended.await;
    assert_eq!(ended.failures.len(), 1);
    assert_eq!(ended.failures[0].key.name, "bad");
    let first = ended
        .told
        .iter()
        .position(|event| matches!(event, Event::NotReady { .. }));
    let second = ended
        .told
        .iter()
        .position(|event| matches!(event, Event::Ready(_)));
    assert!(first < second, "{:?}", ended.told);
}

#[tokio::test(start_paused = true)]
async fn each_object_has_its_own_time() {
    let own = json!({"underpin.dev/wait-timeout": "10m"});
    let none = json!({"underpin.dev/wait": "false"});
    let applied = vec![
        deployment("slow", &own, &json!({})),
        deployment("never", &none, &json!({})),
    ];
    let ended = wait(applied, None, move |seen| match &seen.path {
        path if path.ends_with("/slow") => (200, deployment("slow", &json!({}), &json!({}))),
        _ => list(&[]),
    });
    let ended = ended.await;
    assert_eq!(ended.failures.len(), 1);
    let not_ready = ended.failures[0].not_ready.as_ref().unwrap();
    assert!(
        not_ready.state.starts_with("not ready after 600 s"),
        "{}",
        not_ready.state
    );
    assert!(ended.took < HOUR);
    // A long wait looks ever more rarely.
    assert!(ended.requests("/slow") < 250, "{}", ended.requests("/slow"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cuts_a_wait_short() {
    let applied = vec![deployment("web", &json!({}), &json!({}))];
    let deadline = Some(Duration::from_secs(20));
    let ended = wait(applied, deadline, |seen| match &seen.path {
        path if path.ends_with("/web") => (200, deployment("web", &json!({}), &json!({}))),
        _ => list(&[]),
    });
    let ended = ended.await;
    assert_eq!(ended.stopped, Some(StopReason::Deadline));
    assert!(ended.took <= Duration::from_secs(20));
}

const PASSWORD: &str = "correct-horse-battery";

/// A Deployment whose pod crashes, reads Secret `db` and writes its password wherever it can.
fn leaking(seen: &Seen, secret: &(u16, Value)) -> (u16, Value) {
    let owner = |kind: &str, uid: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": uid, "controller": true}]);
    let said = format!("{PASSWORD} and from-a-variable");
    let set = json!({"metadata": {
        "name": "web-1", "namespace": "shop", "uid": "uid-set",
        "ownerReferences": owner("Deployment", "uid-web"),
    }});
    let pod = json!({
        "metadata": {
            "name": "web-1-a", "namespace": "shop", "uid": "uid-pod",
            "ownerReferences": owner("ReplicaSet", "uid-set"),
        },
        "spec": {"containers": [{
            "name": "main", "image": "web:1", "envFrom": [{"secretRef": {"name": "db"}}],
        }]},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "main", "restartCount": 2,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "message": said}},
        }]},
    });
    let event = json!({
        "metadata": {"name": "e", "namespace": "shop"}, "type": "Warning", "reason": "Unhealthy",
        "message": format!("Readiness probe failed: {said}"),
        "involvedObject": {"kind": "Pod", "name": "web-1-a"},
    });
    match &seen.path {
        path if path.ends_with("/deployments/web") => (
            200,
            deployment("web", &json!({}), &json!({"observedGeneration": 1})),
        ),
        path if path.ends_with("/replicasets") => list(&[set]),
        path if path.ends_with("/pods") => list(&[pod]),
        path if path.ends_with("/events") => list(&[event]),
        path if path.ends_with("/secrets/db") => secret.clone(),
        path if path.ends_with("/log") => (200, json!(said)),
        path => panic!("{path}"),
    }
}

async fn leak(served: Served, secret: (u16, Value)) -> Ended {
    let short = json!({"underpin.dev/wait-timeout": "20s"});
    let applied = vec![deployment("web", &short, &json!({}))];
    wait_where(served, applied, None, move |seen| leaking(seen, &secret)).await
}

#[tokio::test(start_paused = true)]
async fn values_of_secrets_are_hidden_in_what_containers_wrote() {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"},
        "data": {"password": "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"},
    });
    let ended = leak(KINDS, (200, secret)).await;
    let said = ended.said();
    assert!(
        !said.contains(PASSWORD) && !said.contains("from-a-variable"),
        "{said}"
    );
    let diagnosis = &ended.failures[0].not_ready.as_ref().unwrap().diagnosis;
    let log = diagnosis.log.as_ref().unwrap();
    assert_eq!(log.lines, ["\"••• and •••\""]);
    assert_eq!(diagnosis.pods[0].said.as_deref(), Some("••• and •••"));
    assert!(
        diagnosis
            .cause
            .starts_with("CrashLoopBackOff: container main exited with code 1")
    );
}

/// Nobody knows what such a log may hold: it is not even read.
#[tokio::test(start_paused = true)]
async fn where_a_secret_cannot_be_read_no_log_is_shown() {
    let ended = leak(KINDS, status(403, "Forbidden", &json!([]))).await;
    assert!(!ended.said().contains(PASSWORD), "{}", ended.said());
    assert_eq!(ended.requests("/log"), 0);
    let diagnosis = &ended.failures[0].not_ready.as_ref().unwrap().diagnosis;
    assert!(diagnosis.cause.starts_with("CrashLoopBackOff"));
    assert!(
        diagnosis.unread[0].starts_with("logs, which are shown only if"),
        "{:?}",
        diagnosis.unread
    );
    assert!(
        diagnosis
            .help
            .as_ref()
            .unwrap()
            .contains("kubectl logs -n shop web-1-a -c main --previous")
    );
}

/// A discovery that failed tells of no Secrets; that is no pod without any.
#[tokio::test(start_paused = true)]
async fn where_secrets_were_not_discovered_no_log_is_shown() {
    let ended = leak(&KINDS[1..], (404, Value::Null)).await;
    assert!(!ended.said().contains(PASSWORD), "{}", ended.said());
    assert_eq!(ended.requests("/log"), 0);
}

/// What cannot be read is named, and the wait ends as it would.
#[tokio::test(start_paused = true)]
async fn without_rights_the_state_is_told() {
    let short = json!({"underpin.dev/wait-timeout": "20s"});
    let applied = vec![deployment("web", &short, &json!({}))];
    let ended = wait(applied, None, |seen| match &seen.path {
        path if path.ends_with("/deployments/web") => (
            200,
            deployment("web", &json!({}), &json!({"observedGeneration": 1})),
        ),
        _ => status(403, "Forbidden", &json!([])),
    });
    let ended = ended.await;
    let diagnosis = &ended.failures[0].not_ready.as_ref().unwrap().diagnosis;
    assert_eq!(diagnosis.cause, "0 of 1 pods updated");
    let unread: BTreeMap<bool, usize> =
        diagnosis
            .unread
            .iter()
            .fold(BTreeMap::new(), |mut count, what| {
                *count.entry(what.contains("Forbidden")).or_default() += 1;
                count
            });
    assert_eq!(
        unread,
        BTreeMap::from([(true, 3)]),
        "{:?}",
        diagnosis.unread
    );
}
