//! Namespaces come with their ambient objects, and go with all that is in them.

use http::Method;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::Cluster;
use crate::object;

const CONFIG_MAPS: &str = "/api/v1/namespaces/a/configmaps";

fn config_map(name: &str, finalizers: &[&str]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "finalizers": finalizers},
    })
}

#[test]
fn a_fresh_cluster_is_at_rest() {
    let cluster = Cluster::new();
    assert_eq!(cluster.state.next_due(), None);
    let namespaces = cluster.names(&GroupKind::core("Namespace"), "");
    assert_eq!(
        namespaces,
        ["default", "kube-node-lease", "kube-public", "kube-system"]
    );
    for namespace in namespaces {
        let accounts = cluster.names(&GroupKind::core("ServiceAccount"), &namespace);
        assert_eq!(accounts, ["default"]);
        let maps = cluster.names(&GroupKind::core("ConfigMap"), &namespace);
        assert_eq!(maps, ["kube-root-ca.crt"]);
    }
}

#[test]
fn two_clusters_of_one_seed_are_equal() {
    let all = || {
        let mut cluster = Cluster::new();
        cluster.namespace("a");
        cluster
            .state
            .all()
            .map(|(_, object)| object.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(all(), all());
}

#[test]
fn ambient_objects_come_back() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.delete("/api/v1/namespaces/a/serviceaccounts/default", &[]);
    cluster.delete("/api/v1/namespaces/a/configmaps/kube-root-ca.crt", &[]);
    cluster.pass(100);
    assert_eq!(
        cluster.code("/api/v1/namespaces/a/serviceaccounts/default"),
        200
    );
    let path = "/api/v1/namespaces/a/configmaps/kube-root-ca.crt";
    cluster.patch(path, &json!({"data": {"ca.crt": "mine"}}));
    cluster.pass(100);
    assert_eq!(cluster.get(path)["data"]["ca.crt"], "");
    assert_eq!(cluster.state.next_due(), None);
}

#[test]
fn a_deleted_namespace_goes_with_its_content() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.namespace("b");
    cluster.post(CONFIG_MAPS, &config_map("x", &[]));
    let answer = cluster.delete("/api/v1/namespaces/a", &[]);
    assert_eq!(answer["status"]["phase"], "Terminating");
    assert_eq!(answer["metadata"].get("deletionGracePeriodSeconds"), None);
    let (code, refused) = cluster.send(Method::POST, CONFIG_MAPS, &[], &config_map("y", &[]));
    assert_eq!(code, 403);
    assert_eq!(
        refused["details"]["causes"][0]["reason"],
        "NamespaceTerminating"
    );
    cluster.pass(4_900);
    assert_eq!(cluster.code("/api/v1/namespaces/a/configmaps/x"), 200);
    cluster.pass(200);
    assert_eq!(cluster.code("/api/v1/namespaces/a"), 404);
    assert_eq!(cluster.names(&GroupKind::core("ConfigMap"), "a"), [""; 0]);
    assert_eq!(cluster.code("/api/v1/namespaces/b"), 200);
    cluster.settle();
    assert_eq!(cluster.code("/api/v1/namespaces/a"), 404);
    let (code, refused) = cluster.send(Method::POST, CONFIG_MAPS, &[], &config_map("y", &[]));
    assert_eq!(
        (code, object::text(&refused, "/message")),
        (404, "namespaces \"a\" not found")
    );
}

#[test]
fn a_namespace_waits_for_finalizers_and_says_so() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(CONFIG_MAPS, &config_map("x", &["example.com/keep"]));
    cluster.delete("/api/v1/namespaces/a", &[]);
    cluster.settle();
    let namespace = cluster.get("/api/v1/namespaces/a");
    let messages: Vec<&str> = namespace["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|condition| condition["status"] == "True")
        .map(|condition| object::text(condition, "/message"))
        .collect();
    assert_eq!(
        messages,
        [
            "Some resources are remaining: configmaps. has 1 resource instances",
            "Some content in the namespace has finalizers remaining: example.com/keep in 1 \
             resource instances",
        ]
    );
    cluster.patch(
        &format!("{CONFIG_MAPS}/x"),
        &json!({"metadata": {"finalizers": null}}),
    );
    cluster.settle();
    assert_eq!(cluster.code("/api/v1/namespaces/a"), 404);
}

#[test]
fn system_namespaces_stay() {
    let mut cluster = Cluster::new();
    let path = "/api/v1/namespaces/kube-system";
    let (code, refused) = cluster.send(Method::DELETE, path, &[], &Value::Null);
    assert_eq!(code, 403);
    assert_eq!(
        refused["message"],
        "namespaces \"kube-system\" is forbidden: this namespace may not be deleted"
    );
}

#[test]
fn preconditions_are_checked_against_the_live_object() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    let made = cluster.post(CONFIG_MAPS, &config_map("x", &[]));
    let mut attempt = |path: &str, preconditions: Value| {
        let options = json!({"preconditions": preconditions});
        let (code, answer) = cluster.send(Method::DELETE, path, &[], &options);
        (code, object::text(&answer, "/message").to_owned())
    };
    let path = format!("{CONFIG_MAPS}/x");
    let uid = object::uid(&made);
    let (code, message) = attempt(&path, json!({"uid": "other"}));
    assert_eq!(code, 409);
    assert_eq!(
        message,
        format!(
            "Operation cannot be fulfilled on ConfigMap \"x\": the UID in the precondition \
             (other) does not match the UID in record ({uid}). The object might have been \
             deleted and then recreated"
        )
    );
    assert_eq!(attempt(&path, json!({"resourceVersion": "1"})).0, 409);
    let (code, message) = attempt("/api/v1/namespaces/a", json!({"resourceVersion": "1"}));
    assert_eq!(code, 409);
    assert!(
        message.starts_with(
            "Operation cannot be fulfilled on namespaces \"a\": Precondition failed: \
             ResourceVersion in precondition: 1, ResourceVersion in object meta: "
        ),
        "{message}"
    );
    let exact = json!({"uid": uid, "resourceVersion": object::resource_version(&made)});
    assert_eq!(attempt(&path, exact).0, 200);
}
