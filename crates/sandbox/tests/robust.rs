//! No request makes the sandbox panic: bodies and patches of any shape on any resource, one after
//! the other on one cluster, with time passing in between.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails panics"
)]

#[path = "support/part.rs"]
mod part;
mod support;

use std::time::Duration;

use part::contains;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{cluster, send_raw};

const METHODS: [&str; 8] = [
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "PATCH apply",
    "PATCH merge",
    "PATCH json",
    "PATCH strategic",
];

const COLLECTIONS: [&str; 14] = [
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/persistentvolumes",
    "/api/v1/namespaces/default/configmaps",
    "/api/v1/namespaces/default/secrets",
    "/api/v1/namespaces/default/services",
    "/api/v1/namespaces/default/pods",
    "/api/v1/namespaces/default/persistentvolumeclaims",
    "/apis/apps/v1/namespaces/default/deployments",
    "/apis/apps/v1/namespaces/default/statefulsets",
    "/apis/batch/v1/namespaces/default/jobs",
    "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
];

const PLACES: [&str; 6] = ["", "/a", "/b", "/a/status", "/a/scale", "/a/eviction"];

const QUERIES: [&str; 5] = [
    "fieldManager=f",
    "fieldManager=g&force=true",
    "fieldManager=f&dryRun=All",
    "fieldManager=f&fieldValidation=Strict",
    "limit=1",
];

/// Field names that mean something, so that random objects reach deep.
const NAMES: [&str; 28] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "finalizers",
    "ownerReferences",
    "uid",
    "resourceVersion",
    "deletionTimestamp",
    "managedFields",
    "generateName",
    "spec",
    "selector",
    "matchLabels",
    "template",
    "containers",
    "image",
    "ports",
    "port",
    "replicas",
    "status",
    "conditions",
    "data",
    "type",
    "names",
    "versions",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_i64..3).prop_map(Value::from),
        "[ab]".prop_map(Value::from),
        "[a-z/.:-]{0,8}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES.to_vec()), inner), 0..5).prop_map(
                |fields| {
                    let fields = fields.into_iter();
                    Value::Object(
                        fields
                            .map(|(name, value)| (name.to_owned(), value))
                            .collect(),
                    )
                }
            ),
        ]
    })
}

/// An object that gets past the first checks.
fn object() -> impl Strategy<Value = Value> {
    (value(), value(), value()).prop_map(|(spec, data, extra)| {
        let mut object = json!({
            "metadata": {"name": "a", "labels": {"a": "b"}},
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
            },
            "data": data,
        });
        if let (Value::Object(spec), Value::Object(into)) = (spec, &mut object["spec"]) {
            into.extend(spec);
        }
        if let (Value::Object(extra), Value::Object(into)) = (extra, &mut object["metadata"]) {
            into.extend(extra);
        }
        object
    })
}

fn json_patch() -> impl Strategy<Value = Value> {
    let operation = (
        prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test"]),
        "(/(metadata|spec|labels|template|0|-|a)){0,4}",
        "(/(metadata|spec|labels|template|0|-|a)){0,4}",
        value(),
    );
    let operation = operation.prop_map(
        |(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}),
    );
    prop::collection::vec(operation, 0..5).prop_map(Value::from)
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => object().prop_map(|value| value.to_string()),
        2 => value().prop_map(|value| value.to_string()),
        2 => json_patch().prop_map(|value| value.to_string()),
        1 => any::<String>(),
    ]
}

/// What is sent: method, collection, place, query, body, seconds until the next.
type Step = (usize, usize, usize, usize, String, u64);

fn step() -> impl Strategy<Value = Step> {
    (
        0..METHODS.len(),
        0..COLLECTIONS.len(),
        0..PLACES.len(),
        0..QUERIES.len(),
        body(),
        0_u64..30,
    )
}

/// Fills in version and kind where an apply needs them.
fn completed(collection: &str, body: &str) -> String {
    let kinds = [
        ("configmaps", "v1", "ConfigMap"),
        ("secrets", "v1", "Secret"),
        ("services", "v1", "Service"),
        ("pods", "v1", "Pod"),
        ("deployments", "apps/v1", "Deployment"),
        ("statefulsets", "apps/v1", "StatefulSet"),
    ];
    let found = kinds
        .iter()
        .find(|(plural, ..)| collection.ends_with(plural));
    match (serde_json::from_str(body), found) {
        (Ok(Value::Object(mut object)), Some((_, version, kind))) => {
            object.insert("apiVersion".to_owned(), json!(version));
            object.insert("kind".to_owned(), json!(kind));
            Value::Object(object).to_string()
        }
        _ => body.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_request_makes_it_panic(steps in prop::collection::vec(step(), 1..12)) {
        let mut state = cluster();
        for (method, collection, place, query, body, pause) in steps {
            let method = METHODS[method];
            let collection = COLLECTIONS[collection];
            let path = format!("{collection}{}?{}", PLACES[place], QUERIES[query]);
            let body = if method == "PATCH apply" { completed(collection, &body) } else { body };
            let (code, value) = send_raw(&mut state, method, &path, &body);
            if code >= 400 && !value.is_null() {
                let status = json!({"kind": "Status", "code": code});
                prop_assert!(contains(&value, &status), "{} {}: {}", method, path, value);
            }
            state.advance_to(state.now() + Duration::from_secs(pause));
        }
    }
}
