//! The index by example; the property against a naive scan is in `properties.rs`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use std::sync::Arc;

use common::{line, object, world};
use serde_json::json;
use underpin_model::{GroupKind, ObjectKey, World};
use underpin_refs::ReferenceIndex;

/// R2.5: a deployment, its Service, a policy of another namespace and a proxy entry elsewhere.
fn wallet() -> World {
    world(
        [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "wallet"}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "web", "namespace": "wallet"},
                "spec": {"template": {"metadata": {"labels": {"app": "web"}}}}}),
            json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "web", "namespace": "wallet"},
                "spec": {"selector": {"app": "web"}}}),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {"name": "allow", "namespace": "postgres"},
                "spec": {"podSelector": {}, "ingress": [{"from": [
                    {"namespaceSelector": {"matchExpressions": [{
                        "key": "kubernetes.io/metadata.name", "operator": "Exists"}]}}]}]}}),
            json!({"apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "shop", "namespace": "shop", "annotations": {
                    "simple-container.com/caddyfile-entry":
                        "http://x.example.com {\n reverse_proxy http://web.wallet.svc.cluster.local:80\n}"}},
                "spec": {"selector": {"app": "web"}}}),
        ]
        .map(object),
    )
}

#[track_caller]
fn check(key: ObjectKey, expect: &[&str]) {
    let index = ReferenceIndex::build(&wallet());
    let found: Vec<String> = index
        .needing(&key)
        .iter()
        .map(|reference| format!("{}: {}", reference.from, line(reference)))
        .collect();
    assert_eq!(found, expect);
}

#[test]
fn a_workload_is_found_by_the_selectors_of_its_namespace_alone() {
    let deployment = GroupKind::new("apps", "Deployment");
    check(
        ObjectKey::namespaced(deployment, "wallet", "web"),
        &["service/wallet/web: spec.selector Selects Optional pod in wallet with app=web"],
    );
}

#[test]
fn a_service_is_found_by_proxy_entries() {
    check(
        ObjectKey::namespaced(GroupKind::core("Service"), "wallet", "web"),
        &[
            "service/shop/shop: metadata.annotations[\"simple-container.com/caddyfile-entry\"] \
           Upstream Required service/wallet/web",
        ],
    );
}

/// The namespace carries no labels at all, as on a server before 1.21.
#[test]
fn a_namespace_is_found_by_its_contents_and_by_its_name_label() {
    check(
        ObjectKey::of_namespace("wallet"),
        &[
            "service/wallet/web: metadata.namespace Contained Required namespace/wallet",
            "deployment.apps/wallet/web: metadata.namespace Contained Required namespace/wallet",
            "networkpolicy.networking.k8s.io/postgres/allow: \
             spec.ingress[0].from[0].namespaceSelector Selects Optional \
             namespaces with kubernetes.io/metadata.name",
        ],
    );
}

/// What an index of a changed world says, made anew and made from the former one.
#[track_caller]
fn check_rebuilt(change: impl FnOnce(&mut World)) -> bool {
    let former = wallet();
    let index = Arc::new(ReferenceIndex::build(&former));
    let mut world = former.clone();
    change(&mut world);
    let rebuilt = index.rebuild(&former, &world);
    let anew = ReferenceIndex::build(&world);
    assert!(rebuilt.all().eq(anew.all()));
    for object in former.objects().chain(world.objects()) {
        assert_eq!(rebuilt.needing(&object.key), anew.needing(&object.key));
    }
    Arc::ptr_eq(&index, &rebuilt)
}

#[test]
fn an_index_made_from_a_former_one_says_the_same() {
    let deployment = ObjectKey::namespaced(GroupKind::new("apps", "Deployment"), "wallet", "web");
    assert!(check_rebuilt(|_| ()));
    assert!(!check_rebuilt(|world| {
        world.remove(&deployment);
    }));
    // Of the same name, and something else.
    assert!(!check_rebuilt(|world| world.insert(object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "wallet"},
        "spec": {"selector": {"app": "other"}},
    })))));
    assert!(!check_rebuilt(|world| world.insert(object(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "more", "namespace": "wallet"},
        "spec": {"selector": {"app": "web"}},
    })))));
    // How a kind is served has a share in what objects of other kinds refer to.
    assert!(!check_rebuilt(|world| {
        world.kinds.pop_first();
    }));
}
