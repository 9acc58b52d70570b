//! Custom resources come and go with their definitions.

use serde_json::{Value, json};

use super::Cluster;
use crate::{lifecycle::conditions::holds, object};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const THINGS: &str = "/apis/example.com/v1/namespaces/a/things";

fn definition(plural: &str, kind: &str, short: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {
                "plural": plural, "singular": kind.to_lowercase(), "kind": kind,
                "listKind": format!("{kind}List"), "shortNames": [short],
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }],
        },
    })
}

fn thing(name: &str, finalizers: &[&str]) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Thing",
        "metadata": {"name": name, "finalizers": finalizers},
    })
}

#[test]
fn a_definition_is_served_once_it_is_established() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(DEFINITIONS, &definition("things", "Thing", "th"));
    assert_eq!(cluster.code(THINGS), 404);
    cluster.settle();
    let made = cluster.get(&format!("{DEFINITIONS}/things.example.com"));
    assert!(
        holds(&made, "NamesAccepted") && holds(&made, "Established"),
        "{made:#}"
    );
    assert_eq!(made["status"]["acceptedNames"]["kind"], "Thing");
    cluster.post(THINGS, &thing("x", &[]));
    assert_eq!(cluster.code(&format!("{THINGS}/x")), 200);
}

#[test]
fn names_that_are_taken_are_refused_until_they_are_free() {
    let mut cluster = Cluster::new();
    cluster.post(DEFINITIONS, &definition("things", "Thing", "th"));
    cluster.settle();
    cluster.post(DEFINITIONS, &definition("thongs", "Thong", "th"));
    cluster.settle();
    let path = format!("{DEFINITIONS}/thongs.example.com");
    let refused = cluster.get(&path);
    assert!(!holds(&refused, "NamesAccepted") && !holds(&refused, "Established"));
    let condition = &refused["status"]["conditions"][0];
    assert_eq!(condition["reason"], "ShortNamesConflict", "{refused:#}");
    assert_eq!(condition["message"], "\"th\" is already in use");
    cluster.delete(&format!("{DEFINITIONS}/things.example.com"), &[]);
    cluster.settle();
    assert!(holds(&cluster.get(&path), "Established"));
}

#[test]
fn a_deleted_definition_takes_its_instances_and_theirs_along() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(DEFINITIONS, &definition("things", "Thing", "th"));
    cluster.settle();
    let owner = cluster.post(THINGS, &thing("x", &[]));
    let owned = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "of-x", "ownerReferences": [{
            "apiVersion": "example.com/v1", "kind": "Thing", "name": "x",
            "uid": object::uid(&owner),
        }]},
    });
    cluster.post("/api/v1/namespaces/a/configmaps", &owned);
    cluster.settle();
    let path = format!("{DEFINITIONS}/things.example.com");
    let answer = cluster.delete(&path, &[]);
    assert!(holds(&answer, "Terminating"));
    cluster.settle();
    assert_eq!(cluster.code(&path), 404);
    assert_eq!(cluster.code(THINGS), 404);
    assert_eq!(cluster.code("/api/v1/namespaces/a/configmaps/of-x"), 404);
}

#[test]
fn a_definition_waits_for_the_finalizers_of_its_instances() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(DEFINITIONS, &definition("things", "Thing", "th"));
    cluster.settle();
    cluster.post(THINGS, &thing("x", &["example.com/keep"]));
    let path = format!("{DEFINITIONS}/things.example.com");
    cluster.delete(&path, &[]);
    cluster.settle();
    assert!(object::is_deleting(&cluster.get(&format!("{THINGS}/x"))));
    cluster.patch(
        &format!("{THINGS}/x"),
        &json!({"metadata": {"finalizers": null}}),
    );
    cluster.settle();
    assert_eq!(cluster.code(&path), 404);
}
