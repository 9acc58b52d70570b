//! Plain requests of somebody who does not use Underpin.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use underpin_sandbox::{ReplyBody, Request, State, User};

use crate::{
    kinds::Kind,
    scenario::{Environment, Foreign},
};

/// The name under which somebody else sends requests.
pub(crate) const SOMEBODY: &str = "somebody";

/// Does it, as far as the cluster lets them.
pub(crate) fn act(state: &mut State, environments: &[Environment], foreign: &Foreign) {
    match *foreign {
        Foreign::Legacy {
            environment,
            version,
        } => {
            let environment = &environments[environment];
            create_namespace(state, environment.legacy);
            for mut object in environment.objects(version, environment.legacy) {
                if let Some(metadata) = object.get_mut("metadata") {
                    metadata["labels"] = json!({"deployed-by": "legacy", "of": environment.id()});
                }
                create(state, &object);
            }
        }
        Foreign::Namespace(environment) => {
            create_namespace(state, environments[environment].home);
        }
        Foreign::ConfigMap(environment) => {
            let home = environments[environment].home;
            create(state, &config_map(home, "somebodys"));
        }
        Foreign::Needy(environment) => needy(state, &environments[environment]),
        Foreign::Copy(environment) => {
            if let Some(mut copy) = app(state, &environments[environment]) {
                renew(&mut copy);
                copy["metadata"]["name"] = json!("copy");
                create(state, &copy);
            }
        }
        Foreign::Protect(environment) => {
            let patch = json!({"metadata": {"annotations": {"underpin.dev/protect": "keep"}}});
            let path = app_path(&environments[environment]);
            let body = patch.to_string();
            send(
                state,
                Method::PATCH,
                &path,
                "application/merge-patch+json",
                body,
            );
        }
        Foreign::DeleteConfigMap(environment) => {
            let path = app_path(&environments[environment]);
            send(
                state,
                Method::DELETE,
                &path,
                "application/json",
                String::new(),
            );
        }
        Foreign::Widget(environment) => {
            let widget = json!({
                "apiVersion": "example.org/v1", "kind": "Widget",
                "metadata": {"name": "somebodys", "namespace": environments[environment].home},
            });
            create(state, &widget);
        }
        Foreign::RestoreConfigMap(environment) => {
            if let Some(mut backup) = app(state, &environments[environment]) {
                let path = app_path(&environments[environment]);
                send(
                    state,
                    Method::DELETE,
                    &path,
                    "application/json",
                    String::new(),
                );
                renew(&mut backup);
                create(state, &backup);
            }
        }
    }
}

/// A workload that needs what it finds.
fn needy(state: &mut State, environment: &Environment) {
    let home = environment.home;
    let name = format!("app{}", environment.suffix);
    let is_there = |state: &mut State, kind: &str| {
        let kind = Kind::named(kind)
            .map(|kind| kind.path(home))
            .unwrap_or_default();
        get(state, &format!("{kind}/{name}")).is_some()
    };
    let mut pod = json!({"containers": [{"name": "main", "image": "example.org/needy:1"}]});
    if is_there(state, "Secret") {
        pod["volumes"] = json!([{"name": "s", "secret": {"secretName": name}}]);
    }
    if is_there(state, "ConfigMap") {
        pod["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": name}}]);
    }
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "needy", "namespace": home},
        "spec": {
            "selector": {"matchLabels": {"app": "needy"}},
            "template": {"metadata": {"labels": {"app": "needy"}}, "spec": pod},
        },
    });
    create(state, &deployment);
}

fn config_map(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace}, "data": {"mine": "yes"},
    })
}

fn app_path(environment: &Environment) -> String {
    let collection = format!("/api/v1/namespaces/{}/configmaps", environment.home);
    format!("{collection}/app{}", environment.suffix)
}

fn app(state: &mut State, environment: &Environment) -> Option<Value> {
    get(state, &app_path(environment))
}

/// Takes off what the server gave, so that the object can be created again.
fn renew(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
        ] {
            metadata.remove(field);
        }
    }
}

fn create_namespace(state: &mut State, name: &str) {
    create(
        state,
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
    );
}

/// Creates an object; one that is there already stays as it is.
fn create(state: &mut State, object: &Value) {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if let Some(kind) = Kind::named(text("/kind")) {
        let path = kind.path(text("/metadata/namespace"));
        send(
            state,
            Method::POST,
            &path,
            "application/json",
            object.to_string(),
        );
    }
}

fn get(state: &mut State, path: &str) -> Option<Value> {
    send(state, Method::GET, path, "application/json", String::new())
}

fn send(
    state: &mut State,
    method: Method,
    path: &str,
    content_type: &str,
    body: String,
) -> Option<Value> {
    let reply = state.handle(&Request {
        method,
        path: path.to_owned(),
        query: Vec::new(),
        accept: "application/json".to_owned(),
        content_type: content_type.to_owned(),
        user_agent: "kubectl/v1.32".to_owned(),
        body: Bytes::from(body),
        user: User {
            name: SOMEBODY.to_owned(),
            groups: vec!["system:masters".to_owned()],
        },
    });
    match reply.body {
        ReplyBody::Json(value) if reply.code < 300 => Some(value),
        _ => None,
    }
}
