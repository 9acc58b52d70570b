//! R1.4: what occupies a namespace, and what does not. When in doubt it counts.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use common::{metadata_of, object, world};
use serde_json::{Value, json};
use underpin_model::ClaimIndex;
use underpin_refs::{Presence, presence};

fn named(api_version: &str, kind: &str, name: &str, more: Value) -> Value {
    let mut value = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "wallet"},
    });
    for (pointer, field) in more.as_object().unwrap() {
        match pointer.as_str() {
            "labels" | "annotations" | "ownerReferences" | "uid" => {
                value["metadata"][pointer] = field.clone();
            }
            _ => value[pointer] = field.clone(),
        }
    }
    value
}

/// The world around: a Service, a Deployment with uid `d1`, a ServiceAccount, a Pod.
fn surroundings() -> underpin_model::World {
    world([
        object(named("v1", "Service", "web", json!({}))),
        object(named("apps/v1", "Deployment", "web", json!({"uid": "d1"}))),
        object(named("apps/v1", "StatefulSet", "db", json!({"uid": "s1"}))),
        object(named("v1", "ServiceAccount", "runner", json!({}))),
        object(named("v1", "Pod", "p", json!({"uid": "p1"}))),
    ])
}

#[track_caller]
fn check(value: Value, expect: char) {
    check_object(&object(value), expect);
}

#[track_caller]
fn check_object(object: &underpin_model::Object, expect: char) {
    let found = match presence(object, &surroundings(), &ClaimIndex::default()) {
        Presence::Counts => 'c',
        Presence::Ambient(_) => 'a',
        Presence::Derived(_) => 'd',
    };
    assert_eq!(found, expect, "{}", object.key);
}

fn owned(kind: &str, name: &str, uid: &str, controller: bool) -> Value {
    json!({"ownerReferences": [
        {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": controller},
    ]})
}

#[test]
fn ambient_objects_are_everywhere() {
    check(named("v1", "ConfigMap", "kube-root-ca.crt", json!({})), 'a');
    check(
        named("v1", "ConfigMap", "istio-ca-root-cert", json!({})),
        'a',
    );
    check(named("v1", "ConfigMap", "app", json!({})), 'c');
    check(named("v1", "ServiceAccount", "default", json!({})), 'a');
    check(named("v1", "ServiceAccount", "runner", json!({})), 'c');
    check(named("v1", "Event", "e.1", json!({})), 'a');
    check(named("events.k8s.io/v1", "Event", "e.1", json!({})), 'a');
    check(
        named("metrics.k8s.io/v1beta1", "PodMetrics", "p", json!({})),
        'a',
    );
    check(named("v1", "Secret", "default", json!({})), 'c');
}

#[test]
fn tokens_count_only_when_people_made_them() {
    let token = |account: &str| {
        json!({"type": "kubernetes.io/service-account-token",
            "annotations": {"kubernetes.io/service-account.name": account}})
    };
    check(
        named("v1", "Secret", "default-token-x1", token("default")),
        'a',
    );
    check(
        named("v1", "Secret", "runner-token-x1", token("runner")),
        'd',
    );
    check(named("v1", "Secret", "gone-token-x1", token("gone")), 'c');
    check(
        named(
            "v1",
            "Secret",
            "default-token-x1",
            json!({"type": "Opaque"}),
        ),
        'c',
    );
    let opaque = json!({"type": "Opaque",
        "annotations": {"kubernetes.io/service-account.name": "default"}});
    check(named("v1", "Secret", "default-token-x1", opaque), 'c');
    let bare = json!({"annotations": {"kubernetes.io/service-account.name": "default"}});
    check_object(
        &metadata_of(named("v1", "Secret", "default-token-x1", bare)),
        'a',
    );
}

#[test]
fn endpoints_are_counted_through_their_service() {
    check(named("v1", "Endpoints", "web", json!({})), 'd');
    check(named("v1", "Endpoints", "leader", json!({})), 'c');
    let slice = |service: &str| json!({"labels": {"kubernetes.io/service-name": service}});
    check(
        named(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "web-1",
            slice("web"),
        ),
        'd',
    );
    check(
        named("discovery.k8s.io/v1", "EndpointSlice", "x-1", slice("gone")),
        'c',
    );
}

#[test]
fn leases_count_unless_nobody_holds_them() {
    let lease = |spec: Value| {
        named(
            "coordination.k8s.io/v1",
            "Lease",
            "l",
            json!({"spec": spec}),
        )
    };
    check(lease(json!({})), 'a');
    check(lease(json!({"holderIdentity": ""})), 'a');
    check(lease(json!({"holderIdentity": "p_1"})), 'c');
    check_object(&metadata_of(lease(json!({}))), 'c');
}

#[test]
fn what_a_controller_owns_dies_with_its_owner_except_data() {
    let replica_set = |more| named("apps/v1", "ReplicaSet", "web-1", more);
    check(replica_set(owned("Deployment", "web", "d1", true)), 'd');
    check(replica_set(owned("Deployment", "web", "d0", true)), 'c'); // a former incarnation
    check(replica_set(owned("Deployment", "web", "d1", false)), 'c');
    check(replica_set(owned("Deployment", "gone", "d1", true)), 'c');
    let claim = |more| named("v1", "PersistentVolumeClaim", "data-db-0", more);
    check(claim(json!({})), 'c');
    check(claim(owned("StatefulSet", "db", "s1", true)), 'c');
    let of_pod = json!({"ownerReferences": [
        {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "p1", "controller": true}]});
    check(claim(of_pod), 'd'); // an ephemeral volume
}
