//! Raw requests against a state.

use http::Method;
use serde_json::{Value, json};
use underpin_sandbox::{Config, Request, State, User};

/// A cluster with the namespace `default`.
pub(crate) fn cluster() -> State {
    let mut state = State::new(Config::default());
    let namespace = json!({"metadata": {"name": "default"}});
    send(&mut state, "POST", "/api/v1/namespaces", &namespace);
    state
}

/// Sends a request; a null body is none. Answers with the code and the document.
pub(crate) fn send(state: &mut State, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = match body {
        Value::Null => String::new(),
        Value::String(raw) => raw.clone(),
        body => body.to_string(),
    };
    send_raw(state, method, path, &body)
}

/// Sends a request with a body as it is. `PATCH`es take their media type from a word after the
/// method: `PATCH apply`, `PATCH merge`, `PATCH json`, `PATCH strategic`.
pub(crate) fn send_raw(state: &mut State, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (method, patch) = method.split_once(' ').unwrap_or((method, ""));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let content_type = match patch {
        "apply" => "application/apply-patch+yaml",
        "merge" => "application/merge-patch+json",
        "json" => "application/json-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        _ => "application/json",
    };
    let reply = state.handle(&Request {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        path: path.to_owned(),
        query,
        accept: "application/json".to_owned(),
        content_type: content_type.to_owned(),
        user_agent: "tester/1".to_owned(),
        body: body.to_owned().into(),
        user: User::admin(),
    });
    let value = reply.value().cloned().unwrap_or_default();
    (reply.code, value)
}
