//! R1.4, R1.5, R6.2: only what a deletion leaves behind for a moment goes by itself.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests: a fixture that is wrong fails"
)]

mod common;

use serde_json::{Value, json};
use underpin_model::{ObjectKey, OwnerReference};
use underpin_refs::{Neighbours, goes_by_itself};

/// Beside an object an owner with the uid `there` is, and a Service `is`; a Service `web` was.
struct Beside;

impl Neighbours for Beside {
    fn may_be_there(&self, owner: &OwnerReference) -> bool {
        owner.uid == "there"
    }

    fn is_absent(&self, key: &ObjectKey) -> bool {
        key.to_string() != "service/wallet/is"
    }

    fn was_there(&self, key: &ObjectKey) -> bool {
        key.to_string() == "service/wallet/web"
    }
}

#[track_caller]
fn check(kind: &str, name: &str, metadata: &Value, expect: bool) {
    let mut value = json!({
        "apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "wallet"},
    });
    for (field, content) in metadata.as_object().unwrap() {
        value["metadata"][field] = content.clone();
    }
    let goes = goes_by_itself(&common::object(value), &Beside);
    assert_eq!(goes, expect, "{kind} {name} {metadata}");
}

fn owned_by(uids: &[&str]) -> Value {
    let owner = |uid: &&str| json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": uid, "controller": true});
    json!({"ownerReferences": uids.iter().map(owner).collect::<Vec<_>>()})
}

#[test]
fn what_is_deleted_or_belonged_to_what_is_gone() {
    check("Pod", "web-1", &owned_by(&["gone"]), true);
    check("Pod", "web-1", &owned_by(&["there"]), false);
    check("Pod", "web-1", &owned_by(&["gone", "there"]), false);
    check("Pod", "by-hand", &json!({}), false);
    let deleted = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
    check("Pod", "by-hand", &deleted, true);
}

#[test]
fn endpoints_go_with_their_service() {
    check("Endpoints", "web", &json!({}), true);
    check("Endpoints", "by-hand", &json!({}), false);
    check("ConfigMap", "web", &json!({}), false);
    let by = |managers: &[&str]| {
        let one = |manager: &&str| json!({"manager": manager, "operation": "Update"});
        json!({"managedFields": managers.iter().map(one).collect::<Vec<_>>()})
    };
    let controller = by(&["kube-controller-manager"]);
    check("Endpoints", "forgotten", &controller, true);
    check("Endpoints", "is", &controller, false);
    let both = by(&["kube-controller-manager", "kubectl"]);
    check("Endpoints", "forgotten", &both, false);
    check("Endpoints", "forgotten", &by(&[]), false);
    let mut leader = controller;
    leader["annotations"] = json!({"control-plane.alpha.kubernetes.io/leader": "{}"});
    check("Endpoints", "leader", &leader, false);
}

#[test]
fn tokens_go_with_their_account() {
    let token = |uid: &str| {
        json!({"annotations": {
            "kubernetes.io/service-account.name": "app", "kubernetes.io/service-account.uid": uid,
        }})
    };
    check("Secret", "app-token-1", &token("gone"), true);
    check("Secret", "app-token-1", &token("there"), false);
    check("ConfigMap", "app-token-1", &token("gone"), false);
    check("Secret", "app-token-1", &json!({}), false);
}
