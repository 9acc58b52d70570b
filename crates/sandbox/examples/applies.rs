//! How many server-side applies a sandbox carries out a second, on one core, in process.
//!
//! ```text
//! cargo run --release -p underpin-sandbox --example applies
//! ```
//!
//! Each apply is a whole request: parsed from bytes, authorised, merged, defaulted, validated,
//! stored, and its answer written out.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures real time, and its numbers are what it is for"
)]

use std::time::Instant;

use serde_json::{Value, json};
use underpin_sandbox::{Config, Request, State, User};

/// Objects of each kind.
const OBJECTS: usize = 1_000;
/// Rounds of changes to all of them.
const ROUNDS: usize = 5;

fn main() {
    let mut state = State::new(Config::default());
    send(
        &mut state,
        "PATCH",
        "/api/v1/namespaces/load",
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "load"}}),
    );
    for (kind, collection, object) in [
        (
            "ConfigMap",
            "/api/v1/namespaces/load/configmaps",
            config_map as Make,
        ),
        ("Service", "/api/v1/namespaces/load/services", service),
        ("Secret", "/api/v1/namespaces/load/secrets", secret),
        (
            "Deployment",
            "/apis/apps/v1/namespaces/load/deployments",
            deployment,
        ),
    ] {
        let mut measure = |what: &str, rounds: usize, offset: usize| {
            let begin = Instant::now();
            for round in 0..rounds {
                for number in 0..OBJECTS {
                    let name = format!("o-{number}");
                    let object = object(&name, round + offset);
                    send(
                        &mut state,
                        "PATCH",
                        &format!("{collection}/{name}"),
                        &object,
                    );
                }
            }
            let count = rounds * OBJECTS;
            #[allow(clippy::cast_precision_loss, reason = "a rate needs no fifteen digits")]
            let rate = count as f64 / begin.elapsed().as_secs_f64();
            println!("{kind:12} {what:10} {rate:>9.0} applies/s");
        };
        measure("created", 1, 0);
        measure("changed", ROUNDS, 1);
        measure("unchanged", 1, ROUNDS);
    }
    forks(&state);
}

/// A fork that is written to once, as a dry run or a test that goes on from a moment is.
fn forks(state: &State) {
    let path = "/api/v1/namespaces/load/configmaps/o-1";
    let object = config_map("o-1", ROUNDS + 1);
    let begin = Instant::now();
    for _ in 0..OBJECTS {
        send(&mut state.clone(), "PATCH", path, &object);
    }
    println!(
        "fork and write {:>9.0} microseconds",
        begin.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(OBJECTS).unwrap_or(1))
    );
}

/// Makes an object of a name whose content is that of a round.
type Make = fn(&str, usize) -> Value;

fn config_map(name: &str, round: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"round": round.to_string(), "settings": "a: 1\nb: 2\n"},
    })
}

fn secret(name: &str, round: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "stringData": {"round": round.to_string()},
    })
}

fn service(name: &str, round: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "labels": {"round": round.to_string()}},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    })
}

fn deployment(name: &str, round: usize) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "main", "image": format!("registry.example.com/app:{round}"),
                    "ports": [{"containerPort": 8080}],
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                }]},
            },
        },
    })
}

/// Sends an apply and writes its answer out, as a server does.
fn send(state: &mut State, method: &str, path: &str, body: &Value) {
    let reply = state.handle(&Request {
        method: method.parse().unwrap_or_default(),
        path: path.to_owned(),
        query: vec![("fieldManager".to_owned(), "load".to_owned())],
        accept: "application/json".to_owned(),
        content_type: "application/apply-patch+yaml".to_owned(),
        user_agent: "load/1".to_owned(),
        body: body.to_string().into(),
        user: User::admin(),
    });
    let text = reply.value().map(Value::to_string).unwrap_or_default();
    assert!(matches!(reply.code, 200 | 201), "{path}: {text}");
}
