//! Every module's references, against a reviewed snapshot per subject.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use std::{collections::BTreeMap, fmt::Write};

use common::{line, metadata_of, object, world};
use serde_json::{Value, json};
use underpin_model::{Depth, FieldPath, Object, Origin, Place};
use underpin_refs::references;

/// Renders all references of the fixture's objects, one a line under each object.
fn render(fixture: &str) -> String {
    let objects: Vec<Value> = serde_json::from_str(fixture).expect("a fixture in JSON");
    let world = world([]);
    let mut text = String::new();
    for value in objects {
        let object = object(value);
        writeln!(text, "{}", object.key).unwrap();
        for reference in references(&object, &world) {
            assert_eq!(reference.from, object.key);
            assert_eq!(reference.evidence.object, object.key);
            writeln!(text, "  {}", line(&reference)).unwrap();
        }
    }
    text
}

#[test]
fn pods_and_workloads() {
    insta::assert_snapshot!(render(include_str!("fixtures/pod.json")));
}

#[test]
fn core_and_caddy_entries() {
    insta::assert_snapshot!(render(include_str!("fixtures/core.json")));
}

#[test]
fn networking_policy_and_gateways() {
    insta::assert_snapshot!(render(include_str!("fixtures/networking.json")));
}

#[test]
fn autoscaling() {
    insta::assert_snapshot!(render(include_str!("fixtures/autoscaling.json")));
}

#[test]
fn rbac_admission_and_api_extensions() {
    insta::assert_snapshot!(render(include_str!("fixtures/cluster.json")));
}

#[test]
fn storage() {
    insta::assert_snapshot!(render(include_str!("fixtures/storage.json")));
}

#[test]
fn custom_kinds() {
    insta::assert_snapshot!(render(include_str!("fixtures/custom.json")));
}

/// An object of which only metadata was read states its namespace, owners and proxy entries, and
/// nothing of the spec that happens to lie in the value.
#[test]
fn metadata_alone_states_metadata_alone() {
    let service = metadata_of(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": "web", "namespace": "wallet",
            "annotations": {"underpin.dev/route": "reverse_proxy http://web.wallet.svc:80"},
        },
        "spec": {"selector": {"app": "web"}},
    }));
    let lines: Vec<String> = references(&service, &world([])).iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "metadata.namespace Contained Required namespace/wallet",
            "metadata.annotations[\"underpin.dev/route\"] Upstream Required service/wallet/web",
        ]
    );
}

/// Credentials in entries, URLs and Secrets never reach evidence.
#[test]
fn evidence_holds_no_secret() {
    let objects = [
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "wallet", "annotations": {
                "simple-container.com/caddyfile-entry":
                    "basic_auth {\n bob hunter2\n}\nreverse_proxy http://u:hunter2@web.wallet.svc:80",
            }},
        }),
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "wallet"},
            "spec": {"containers": [{
                "env": [{"name": "A", "value": "postgres://hunter2:hunter2@db:5432/x"}],
                "args": ["--dsn=amqp://hunter2.x:1@mq.bus:5672"],
            }]},
        }),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "wallet"},
            "data": {"x": "hunter2"}, "stringData": {"url": "http://hunter2.wallet.svc"},
        }),
    ];
    let mut count = 0;
    for value in objects {
        for reference in references(&object(value), &world([])) {
            assert!(
                !format!("{reference:?}").contains("hunter2"),
                "{reference:?}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 6); // three namespaces, the upstream, db and mq
}

/// A field's own line and column stand in the evidence, or those of the nearest field around it.
#[test]
fn evidence_names_the_place_in_the_file() {
    let place = Place {
        file: "k8s/web.yaml".into(),
        line: 1,
        column: 1,
    };
    let source = "spec.containers[0].env[0].valueFrom.secretKeyRef";
    let spans = BTreeMap::from([
        (FieldPath::new(format!("{source}.name")), (12, 23)),
        (FieldPath::new("spec"), (5, 1)),
    ]);
    let origin = Origin::Declared {
        place,
        spans: spans.into(),
    };
    let value = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "wallet"},
        "spec": {"serviceAccountName": "runner", "containers": [
            {"env": [{"valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}}]}]},
    });
    let pod = Object::from_value(value, Depth::Full, origin).unwrap();
    let places: Vec<String> = references(&pod, &world([]))
        .iter()
        .map(|reference| reference.evidence.to_string())
        .collect();
    assert_eq!(
        places,
        [
            "k8s/web.yaml:1:1 pod/wallet/p metadata.namespace: lies in namespace wallet".to_owned(),
            format!("k8s/web.yaml:12:23 pod/wallet/p {source}.name: reads Secret db"),
            "k8s/web.yaml:5:1 pod/wallet/p spec.serviceAccountName: runs as ServiceAccount runner"
                .to_owned(),
        ]
    );
}

/// What every namespace has by itself is no reference: the default account, the cluster's
/// certificate authority in the token volume of every live pod.
#[test]
fn what_every_pod_has_says_nothing() {
    let pod = object(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "wallet"},
        "spec": {"serviceAccountName": "default", "serviceAccount": "default", "volumes": [
            {"projected": {"sources": [{"configMap": {"name": "kube-root-ca.crt"}}]}}]},
    }));
    let lines: Vec<String> = references(&pod, &world([])).iter().map(line).collect();
    assert_eq!(
        lines,
        ["metadata.namespace Contained Required namespace/wallet"]
    );
}
