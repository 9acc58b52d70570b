use std::time::Duration;

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::*;
use crate::{Config, handle::tests::request};

/// A cluster without controllers' work in between: nothing here has any.
fn state() -> State {
    State::new(Config {
        nodes: Vec::new(),
        watch_history: 5,
        ..Config::default()
    })
}

fn config_map(name: &str, labels: &Value) -> Value {
    let namespace = if name.starts_with("other") {
        "other"
    } else {
        "apps"
    };
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
    })
}

fn kind(state: &State) -> Arc<Kind> {
    let kind = state.kinds.of(&GroupKind::new("", "ConfigMap"));
    kind.expect("a built-in kind").clone()
}

fn put(state: &mut State, name: &str, labels: &Value) {
    let kind = kind(state);
    state.put(&kind, config_map(name, labels));
}

fn erase(state: &mut State, name: &str) {
    let kind = kind(state);
    state.erase(&kind, "apps", name).expect("it is there");
}

fn begin(state: &State, query: &str, accept: &str) -> Result<Watch, Failure> {
    let mut request = request("GET", &format!("/api/v1/configmaps?{query}"), &Value::Null);
    request.accept = accept.to_owned();
    match start(state, &kind(state), Some("apps"), &request)?.body {
        ReplyBody::Watch(watch) => Ok(watch),
        other => panic!("no watch: {other:?}"),
    }
}

/// Type and name of each event; the columns of tables.
fn told(watch: &mut Watch, state: &State) -> Vec<String> {
    let events = watch.poll(state);
    let events = events.iter().map(|event| {
        let object = &event["object"];
        let name = match text(object, "/metadata/name") {
            "" if !text(object, "/message").is_empty() => text(object, "/message"),
            "" => text(object, "/rows/0/object/metadata/name"),
            name => name,
        };
        format!("{} {name}", text(event, "/type")).trim().to_owned()
    });
    events.collect()
}

#[test]
fn a_watch_without_a_revision_tells_what_is_there_and_then_what_comes() {
    let mut state = state();
    put(&mut state, "one", &json!({}));
    put(&mut state, "other", &json!({}));
    let mut watch = begin(&state, "watch=true", "application/json").unwrap();
    assert_eq!(told(&mut watch, &state), ["ADDED one"]);
    assert!(told(&mut watch, &state).is_empty());
    put(&mut state, "two", &json!({}));
    put(&mut state, "one", &json!({}));
    erase(&mut state, "two");
    assert_eq!(
        told(&mut watch, &state),
        ["ADDED two", "MODIFIED one", "DELETED two"]
    );
    assert!(!watch.is_over());
}

#[test]
fn what_leaves_the_selection_is_deleted_and_what_enters_it_is_added() {
    let mut state = state();
    put(&mut state, "one", &json!({"tier": "web"}));
    let since = state.revision();
    let query = format!("resourceVersion={since}&labelSelector=tier%3Dweb");
    let mut watch = begin(&state, &query, "").unwrap();
    put(&mut state, "one", &json!({"tier": "db"}));
    let left = watch.poll(&state);
    assert_eq!(text(&left[0], "/type"), "DELETED");
    // The last state that was selected, at the revision at which it ceased to be.
    assert_eq!(text(&left[0], "/object/metadata/labels/tier"), "web");
    let version = text(&left[0], "/object/metadata/resourceVersion");
    assert_eq!(version, state.revision().to_string());
    put(&mut state, "one", &json!({"tier": "db"}));
    assert!(told(&mut watch, &state).is_empty());
    put(&mut state, "one", &json!({"tier": "web"}));
    assert_eq!(told(&mut watch, &state), ["ADDED one"]);
}

#[test]
fn a_revision_that_is_not_kept_any_more_is_expired() {
    let mut state = state();
    put(&mut state, "one", &json!({}));
    let since = state.revision();
    for _ in 0..5 {
        put(&mut state, "one", &json!({}));
    }
    let mut kept = begin(&state, &format!("resourceVersion={since}"), "").unwrap();
    assert_eq!(told(&mut kept, &state).len(), 5);
    put(&mut state, "one", &json!({}));
    let mut lost = begin(&state, &format!("resourceVersion={since}"), "").unwrap();
    let events = lost.poll(&state);
    assert_eq!(events[0]["object"]["code"], 410);
    assert_eq!(events[0]["object"]["reason"], "Expired");
    assert!(lost.is_over());
    assert!(lost.poll(&state).is_empty());
}

#[test]
fn bookmarks_come_when_asked_for_and_tell_how_far_a_watch_is() {
    let mut state = state();
    put(&mut state, "one", &json!({}));
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true\
                 &timeoutSeconds=90";
    let mut watch = begin(&state, query, "").unwrap();
    let events = watch.poll(&state);
    assert_eq!(events.len(), 2);
    let end = &events[1]["object"]["metadata"];
    assert_eq!(end["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(end["resourceVersion"], state.revision().to_string());
    let pass = |state: &mut State, seconds| {
        let later = state.now() + Duration::from_secs(seconds);
        state.advance_to(later);
    };
    assert_eq!(watch.wake_at(), state.now() + Duration::from_mins(1));
    pass(&mut state, 60);
    assert_eq!(told(&mut watch, &state), ["BOOKMARK"]);
    assert!(!watch.is_over());
    pass(&mut state, 30);
    assert_eq!(told(&mut watch, &state), ["BOOKMARK"]);
    assert!(watch.is_over());
}

#[test]
fn only_the_first_table_carries_the_columns() {
    let mut state = state();
    put(&mut state, "one", &json!({}));
    put(&mut state, "two", &json!({}));
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    let mut watch = begin(&state, "", accept).unwrap();
    let events = watch.poll(&state);
    assert_eq!(text(&events[0], "/object/kind"), "Table");
    assert_eq!(text(&events[0], "/object/columnDefinitions/0/name"), "Name");
    assert_eq!(events[1]["object"]["columnDefinitions"], Value::Null);
    assert_eq!(
        text(&events[1], "/object/rows/0/object/metadata/name"),
        "two"
    );
}

#[track_caller]
fn check_refused(query: &str, code: u16, part: &str) {
    let failure = begin(&state(), query, "").expect_err("refused");
    assert_eq!(failure.code, code, "{query}");
    assert!(failure.message.contains(part), "{}", failure.message);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    check_refused("sendInitialEvents=true", 422, "requires setting");
    check_refused("resourceVersionMatch=Exact", 422, "is forbidden for watch");
    check_refused("resourceVersion=x", 400, "invalid syntax");
    check_refused("timeoutSeconds=x", 400, "invalid syntax");
    check_refused("labelSelector=a%3D%3D%3D", 400, "unable to parse");
    check_refused(
        "fieldSelector=data.x%3D1",
        400,
        "not a known field selector",
    );
}
