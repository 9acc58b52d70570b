//! R5.2: every need is judged for a new connection.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

use serde_json::{Value, json};
use underpin_connect::{Engine, Options, Verdict};
use underpin_model::{
    Confidence, Consumer, Depth, Evidence, FieldPath, Need, Object, ObjectKey, Origin, PortRef,
    Protocol, Supplier, World,
};
use underpin_plan::connectivity::{JudgedNeed, judge_needs};

fn world(objects: Vec<Value>) -> World {
    let mut world = World::default();
    for value in objects {
        world.insert(Object::from_value(value, Depth::Full, Origin::Live).expect("an object"));
    }
    world
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn workload(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 8080}]}]},
        }},
    })
}

fn service(namespace: &str, name: &str, ports: &[u16]) -> Value {
    let ports: Vec<Value> = ports
        .iter()
        .map(|port| json!({"port": port, "name": format!("p{port}")}))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": ports},
    })
}

/// Allows the namespaces named, on one port or all, to pods of a namespace.
fn allow(namespace: &str, from: &[&str], port: Option<u16>) -> Value {
    let from: Vec<Value> = from
        .iter()
        .map(|name| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}))
        .collect();
    let mut rule = json!({"from": from});
    if let Some(port) = port {
        rule["ports"] = json!([{"port": port}]);
    }
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny-ingress", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]},
    })
}

fn need(from: Consumer, to: (&str, &str), port: Option<u16>) -> Need {
    Need {
        from,
        to: Supplier::Service {
            namespace: to.0.to_owned(),
            name: to.1.to_owned(),
        },
        protocol: Protocol::Tcp,
        port: port.map(PortRef::Number),
        confidence: Confidence::Certain,
        evidence: vec![Evidence {
            object: ObjectKey::of_namespace("x"),
            path: FieldPath::root(),
            place: None,
            note: "declared".to_owned(),
        }],
        reason: None,
    }
}

fn from_namespace(name: &str) -> Consumer {
    Consumer::Namespace(name.to_owned())
}

fn judged(objects: Vec<Value>, need: Need) -> JudgedNeed {
    let engine = Engine::new(&world(objects), &Options::default());
    judge_needs(&engine, &[need]).remove(0)
}

#[track_caller]
fn check(objects: Vec<Value>, need: Need, expect: Verdict) -> JudgedNeed {
    let judged = judged(objects, need);
    assert_eq!(judged.verdict, expect, "{:?}", judged.reasons);
    judged
}

/// I5: the Service is an operator's and in no file, the consumer is in another repository, and
/// there is nothing to compare with.
#[test]
fn r5_2_the_need_alone_is_refused_by_the_files_as_they_are() {
    let policies = |from: &[&str]| vec![namespace("postgres"), allow("postgres", from, Some(5432))];
    let docs = || {
        need(
            from_namespace("pal-e-docs"),
            ("postgres", "pal-e-postgres-rw"),
            Some(5432),
        )
    };
    check(
        policies(&["pal-e-app", "monitoring"]),
        docs(),
        Verdict::Refused,
    );
    let mended = check(
        policies(&["pal-e-app", "pal-e-docs"]),
        docs(),
        Verdict::Unknown,
    );
    // The operator's pods may listen on another port than the Service.
    assert!(!mended.reasons.is_empty());
    let any_port = vec![
        namespace("pal-e-docs"),
        namespace("postgres"),
        allow("postgres", &["pal-e-docs"], None),
    ];
    check(any_port, docs(), Verdict::Allowed);
}

#[test]
fn r5_2_without_a_port_every_port_is_asked() {
    let objects = |port| {
        vec![
            namespace("data"),
            namespace("shop"),
            workload("data", "db"),
            workload("shop", "web"),
            service("data", "db", &[5432, 9187]),
            allow("data", &["shop"], port),
        ]
    };
    let asked = || need(from_namespace("shop"), ("data", "db"), None);
    check(objects(None), asked(), Verdict::Allowed);
    check(objects(Some(80)), asked(), Verdict::Refused);
    let partly = check(objects(Some(5432)), asked(), Verdict::Unknown);
    assert_eq!(
        partly.reasons[0].to_string(),
        "which port is meant is not known, and not all are alike: allowed: TCP 5432; refused: TCP 9187"
    );
    assert_eq!(partly.judgements.len(), 2);
}

#[test]
fn r5_2_a_workload_of_which_the_kind_is_not_known_is_found_by_name() {
    let objects = vec![
        namespace("data"),
        namespace("shop"),
        workload("data", "db"),
        workload("shop", "web"),
        service("data", "db", &[5432]),
        allow("data", &["shop"], None),
    ];
    let named = |name: &str| Consumer::Named {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    };
    let found = check(
        objects.clone(),
        need(named("web"), ("data", "db"), Some(5432)),
        Verdict::Allowed,
    );
    assert_eq!(
        found.judgements[0].from.to_string(),
        "deployment.apps/shop/web"
    );
    let unseen = check(
        objects,
        need(named("gone"), ("data", "db"), Some(5432)),
        Verdict::Allowed,
    );
    assert_eq!(
        unseen.judgements[0].from.to_string(),
        "pods of namespace shop"
    );
}

#[test]
fn r5_2_the_api_server_comes_from_outside_of_the_pods() {
    let webhook = |rule: Value| {
        let mut policy = allow("hooks", &[], None);
        policy["spec"]["ingress"] = rule;
        vec![
            namespace("hooks"),
            workload("hooks", "hook"),
            service("hooks", "hook", &[443]),
            policy,
        ]
    };
    let asked = || need(Consumer::ApiServer, ("hooks", "hook"), Some(443));
    check(webhook(json!([{}])), asked(), Verdict::Allowed);
    check(
        webhook(json!([{"from": [{"podSelector": {}}]}])),
        asked(),
        Verdict::Unknown,
    );
}
