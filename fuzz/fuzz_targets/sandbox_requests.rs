//! No request makes the sandbox panic, and what it refuses is a Status.
//!
//! The first byte says which verb, the second which path, the third which query; the rest is the
//! body. The cluster holds an object of each kind, so that patches have something to change.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use underpin_sandbox::{Config, Request, State, User};

/// Method and media type.
const VERBS: [(&str, &str); 9] = [
    ("GET", ""),
    ("POST", "application/json"),
    ("PUT", "application/json"),
    ("PATCH", "application/apply-patch+yaml"),
    ("PATCH", "application/merge-patch+json"),
    ("PATCH", "application/json-patch+json"),
    ("PATCH", "application/strategic-merge-patch+json"),
    ("DELETE", "application/json"),
    ("PATCH", "text/plain"),
];

/// Collections; each holds an object `x`.
const COLLECTIONS: [&str; 12] = [
    "/api/v1/namespaces",
    "/api/v1/nodes",
    "/api/v1/persistentvolumes",
    "/api/v1/namespaces/x/configmaps",
    "/api/v1/namespaces/x/secrets",
    "/api/v1/namespaces/x/services",
    "/api/v1/namespaces/x/pods",
    "/api/v1/namespaces/x/persistentvolumeclaims",
    "/apis/apps/v1/namespaces/x/deployments",
    "/apis/networking.k8s.io/v1/namespaces/x/networkpolicies",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/x/roles",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
];

/// What follows a collection's path.
const PLACES: [&str; 6] = ["", "/x", "/y", "/x/status", "/x/scale", "/x/eviction"];

const QUERIES: [&str; 5] = [
    "fieldManager=f",
    "fieldManager=g&force=true&dryRun=All",
    "fieldManager=f&fieldValidation=Strict",
    "limit=1&labelSelector=a in (b)",
    "propagationPolicy=Foreground&dryRun=Some",
];

fn request(verb: usize, path: String, query: usize, body: &[u8]) -> Request {
    let (method, content_type) = VERBS[verb % VERBS.len()];
    let query = QUERIES[query % QUERIES.len()].split('&');
    Request {
        method: method.parse().unwrap(),
        path,
        query: query
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        accept: String::new(),
        content_type: content_type.to_owned(),
        user_agent: "fuzz".to_owned(),
        body: body.to_vec().into(),
        user: User::admin(),
    }
}

static CLUSTER: LazyLock<State> = LazyLock::new(|| {
    let mut state = State::new(Config::default());
    let spec = r#"{"metadata":{"name":"x","labels":{"a":"b"}},"spec":{
        "selector":{"matchLabels":{"a":"b"}},"replicas":1,
        "template":{"metadata":{"labels":{"a":"b"}},
            "spec":{"containers":[{"name":"c","image":"i"}]}}}}"#;
    let plain = r#"{"metadata":{"name":"x","labels":{"a":"b"}}}"#;
    for collection in COLLECTIONS {
        let body = if collection.contains("deployments") {
            spec
        } else {
            plain
        };
        // Kinds that need more than this stay empty.
        state.handle(&request(1, collection.to_owned(), 0, body.as_bytes()));
    }
    state
});

fuzz_target!(|data: &[u8]| {
    let [verb, path, query, body @ ..] = data else {
        return;
    };
    let collection = COLLECTIONS[usize::from(*path) % COLLECTIONS.len()];
    let place = PLACES[usize::from(*path) / COLLECTIONS.len() % PLACES.len()];
    let request = request(
        usize::from(*verb),
        format!("{collection}{place}"),
        usize::from(*query),
        body,
    );
    let mut state = CLUSTER.clone();
    let reply = state.handle(&request);
    if reply.code >= 400
        && let Some(status) = reply.value()
    {
        assert_eq!(status["kind"], "Status");
        assert_eq!(status["code"], reply.code);
    }
    // What was stored must not make the controllers panic either.
    let later = state.now() + std::time::Duration::from_secs(60);
    state.advance_to(later);
});
