//! Tests of lifecycle and controllers through the API.

mod definitions;
mod garbage;
mod namespaces;
mod volumes;
mod workloads;

use std::{sync::Arc, time::Duration};

use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use crate::{Config, Request, State, User, object};

/// A cluster to try things on.
pub(super) struct Cluster {
    pub(super) state: State,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(super) fn with(config: Config) -> Self {
        Self {
            state: State::new(config),
        }
    }

    /// Sends a request; returns code and body.
    pub(super) fn send(
        &mut self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: &Value,
    ) -> (u16, Value) {
        let content_type = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = Request {
            method,
            path: path.to_owned(),
            query: query
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            accept: "application/json".to_owned(),
            content_type: content_type.to_owned(),
            user_agent: "test/1".to_owned(),
            body: body.into(),
            user: User::admin(),
        };
        let reply = self.state.handle(&request);
        (reply.code, reply.value().cloned().unwrap_or_default())
    }

    /// Creates an object in the collection at a path.
    #[track_caller]
    pub(super) fn post(&mut self, path: &str, body: &Value) -> Value {
        let (code, answer) = self.send(Method::POST, path, &[], body);
        assert_eq!(code, 201, "{answer:#}");
        answer
    }

    #[track_caller]
    pub(super) fn patch(&mut self, path: &str, body: &Value) -> Value {
        let (code, answer) = self.send(Method::PATCH, path, &[], body);
        assert_eq!(code, 200, "{answer:#}");
        answer
    }

    #[track_caller]
    pub(super) fn delete(&mut self, path: &str, query: &[(&str, &str)]) -> Value {
        let (code, answer) = self.send(Method::DELETE, path, query, &Value::Null);
        assert_eq!(code, 200, "{answer:#}");
        answer
    }

    /// The object at a path.
    #[track_caller]
    pub(super) fn get(&mut self, path: &str) -> Value {
        let (code, answer) = self.send(Method::GET, path, &[], &Value::Null);
        assert_eq!(code, 200, "{answer:#}");
        answer
    }

    /// The code that a GET answers with: 200 or 404.
    pub(super) fn code(&mut self, path: &str) -> u16 {
        self.send(Method::GET, path, &[], &Value::Null).0
    }

    /// Creates a namespace, and lets its account come.
    pub(super) fn namespace(&mut self, name: &str) {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.post("/api/v1/namespaces", &body);
        self.pass(200);
    }

    /// Lets milliseconds pass.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        let time = SignedDuration::try_from(Duration::from_millis(milliseconds)).unwrap();
        let now = self.state.now();
        self.state.advance_to(now.checked_add(time).unwrap());
    }

    /// Lets time pass until nothing is left to do, or for an hour of it.
    #[track_caller]
    pub(super) fn settle(&mut self) {
        let end = self.state.now() + SignedDuration::from_hours(1);
        while let Some(due) = self.state.next_due() {
            assert!(due < end, "work goes on without end");
            self.state.advance_to(due);
        }
    }

    pub(super) fn list(&self, kind: &GroupKind, namespace: &str) -> Vec<Arc<Value>> {
        super::client::list(&self.state, kind, namespace)
    }

    /// The names of the objects of a kind in a namespace.
    pub(super) fn names(&self, kind: &GroupKind, namespace: &str) -> Vec<String> {
        let all = self.list(kind, namespace);
        all.iter()
            .map(|found| object::name(found).to_owned())
            .collect()
    }
}

/// A workload of one container.
pub(super) fn workload(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    let mut all = json!({
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "main", "image": "example.com/main:1"}]},
        },
    });
    if let (Some(all), Some(spec)) = (all.as_object_mut(), spec.as_object()) {
        all.extend(spec.clone());
    }
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": all})
}
