//! Lists: pages, selectors, revisions.
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
use serde_json::{Value, json};
use support::{cluster, send};
use underpin_sandbox::State;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn filled() -> State {
    let mut state = cluster();
    for name in ["a", "b", "c", "d", "e"] {
        let map = json!({"metadata": {"name": name, "labels": {"name": name}}});
        assert_eq!(send(&mut state, "POST", MAPS, &map).0, 201);
    }
    state
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .filter(|name| *name != "kube-root-ca.crt")
        .collect()
}

#[track_caller]
fn get(state: &mut State, query: &str) -> Value {
    let (code, value) = send(state, "GET", &format!("{MAPS}{query}"), &json!(null));
    assert_eq!(code, 200, "{query}: {value}");
    value
}

#[track_caller]
fn refused(state: &mut State, query: &str, code: u16, expect: &Value) {
    let (found, value) = send(state, "GET", &format!("{MAPS}{query}"), &json!(null));
    assert_eq!(found, code, "{query}: {value}");
    assert!(contains(&value, expect), "{query}: {value:#}");
}

#[test]
fn pages_show_one_moment() {
    let mut state = filled();
    let first = get(&mut state, "?limit=2");
    assert_eq!(names(&first), ["a", "b"]);
    let version = first["metadata"]["resourceVersion"].clone();
    // What happens in between is not seen.
    send(&mut state, "DELETE", &format!("{MAPS}/c"), &json!(null));
    send(
        &mut state,
        "POST",
        MAPS,
        &json!({"metadata": {"name": "f"}}),
    );
    let mut token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    let mut all = vec!["a".to_owned(), "b".to_owned()];
    while !token.is_empty() {
        let page = get(&mut state, &format!("?limit=2&continue={token}"));
        assert_eq!(page["metadata"]["resourceVersion"], version);
        all.extend(names(&page).into_iter().map(str::to_owned));
        let next = page["metadata"]["continue"].as_str();
        token = next.unwrap_or_default().to_owned();
    }
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
    assert_eq!(names(&get(&mut state, "")), ["a", "b", "d", "e", "f"]);
}

#[test]
fn tokens_expire_and_offer_an_inconsistent_rest() {
    let mut state = filled();
    let first = get(&mut state, "?limit=2");
    let token = first["metadata"]["continue"].as_str().unwrap();
    state.advance_to(state.now() + Duration::from_secs(301));
    let path = format!("{MAPS}?limit=2&continue={token}");
    let (code, value) = send(&mut state, "GET", &path, &json!(null));
    assert_eq!((code, value["reason"].as_str()), (410, Some("Expired")));
    let rest = value["metadata"]["continue"].as_str().unwrap();
    assert_eq!(
        names(&get(&mut state, &format!("?continue={rest}"))),
        ["c", "d", "e"]
    );
}

#[test]
fn selectors_narrow_lists_down() {
    let mut state = filled();
    assert_eq!(
        names(&get(&mut state, "?labelSelector=name in (a,e)")),
        ["a", "e"]
    );
    assert_eq!(
        names(&get(&mut state, "?fieldSelector=metadata.name=c")),
        ["c"]
    );
    assert_eq!(
        names(&get(&mut state, "?fieldSelector=metadata.name=none")),
        [""; 0]
    );
    assert_eq!(
        names(&get(
            &mut state,
            "?fieldSelector=metadata.name=c&labelSelector=name=d"
        )),
        [""; 0]
    );
}

#[test]
fn old_revisions_are_remembered_for_a_while() {
    let mut state = filled();
    let then = state.revision();
    send(&mut state, "DELETE", &format!("{MAPS}/a"), &json!(null));
    send(
        &mut state,
        "POST",
        MAPS,
        &json!({"metadata": {"name": "f"}}),
    );
    let exact = get(
        &mut state,
        &format!("?resourceVersion={then}&resourceVersionMatch=Exact"),
    );
    assert_eq!(names(&exact), ["a", "b", "c", "d", "e"]);
    assert_eq!(exact["metadata"]["resourceVersion"], then.to_string());
    let fresh = get(&mut state, &format!("?resourceVersion={then}"));
    assert_eq!(names(&fresh), ["b", "c", "d", "e", "f"]);
    let now = state.revision();
    refused(
        &mut state,
        "?resourceVersion=99999999",
        504,
        &json!({
            "message": format!("Timeout: Too large resource version: 99999999, current: {now}"),
            "details": {"retryAfterSeconds": 1},
        }),
    );
}

#[test]
fn malformed_parameters_are_refused() {
    let mut state = filled();
    let mut check = |query: &str, code: u16, message: &str| {
        refused(&mut state, query, code, &json!({"message": message}));
    };
    check(
        "?limit=x",
        400,
        "strconv.ParseInt: parsing \"x\": invalid syntax",
    );
    check(
        "?continue=abc",
        400,
        "invalid continue token: continue key is not valid: invalid character 'i' looking for \
         beginning of value",
    );
    check(
        "?resourceVersion=x",
        500,
        "resourceVersion: Invalid value: \"x\": strconv.ParseUint: parsing \"x\": invalid syntax",
    );
    check(
        "?resourceVersionMatch=Exact",
        422,
        "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: \
         resourceVersionMatch is forbidden unless resourceVersion is provided",
    );
}

/// The real server orders by key, in which a slash follows the namespace.
#[test]
fn lists_across_namespaces_are_in_the_servers_order() {
    let mut state = cluster();
    for namespace in ["ab", "ab-c", "ab0"] {
        let object = json!({"metadata": {"name": namespace}});
        assert_eq!(
            send(&mut state, "POST", "/api/v1/namespaces", &object).0,
            201
        );
        let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
        assert_eq!(send(&mut state, "POST", &secrets, &object).0, 201);
    }
    let mut all = Vec::new();
    let mut path = "/api/v1/secrets?limit=1".to_owned();
    loop {
        let (_, page) = send(&mut state, "GET", &path, &json!(null));
        all.extend(names(&page).into_iter().map(str::to_owned));
        match page["metadata"]["continue"].as_str() {
            Some(token) => path = format!("/api/v1/secrets?limit=1&continue={token}"),
            None => break,
        }
    }
    assert_eq!(all, ["ab-c", "ab", "ab0"]);
}
