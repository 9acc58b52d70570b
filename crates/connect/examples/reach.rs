//! What it costs to ask everybody about everybody: `cargo run --release --example reach -- 1000`.
//!
//! One workload per Deployment, twenty to a namespace; per namespace a policy that denies all
//! ingress, and per workload one that allows two peers.

#![allow(
    clippy::disallowed_methods,
    reason = "measures; nothing depends on the time"
)]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use serde_json::{Value, json};
use underpin_connect::{Endpoint, Engine, Options, Question, Target};
use underpin_model::{Depth, Object, Origin, PortRef, Protocol, World};

/// Workloads when no number is given.
const WORKLOADS: u64 = 1000;
/// Beyond so many workloads, pairs are left alone: there are too many.
const MOST_PAIRED: u64 = 20_000;
/// Workloads in one namespace.
const TO_A_NAMESPACE: u64 = 20;

fn main() {
    let workloads = std::env::args()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or(WORKLOADS);
    let world = world(workloads);
    let start = Instant::now();
    let engine = Engine::new(&world, &Options::default());
    println!("engine of {workloads} workloads: {:?}", start.elapsed());

    let start = Instant::now();
    let questions: Vec<Question> = engine
        .workloads()
        .zip(engine.workloads().skip(1))
        .map(|(from, to)| Question {
            from: Endpoint::Workload(from.clone()),
            to: Target::Endpoint(Endpoint::Workload(to.clone())),
            protocol: Protocol::Tcp,
            port: PortRef::Number(8000),
        })
        .collect();
    let flows: usize = questions
        .iter()
        .map(|asked| engine.answer(asked).flows.len())
        .sum();
    println!("{flows} questions: {:?}", start.elapsed());

    if workloads > MOST_PAIRED {
        return;
    }
    let start = Instant::now();
    let mut pairs = 0_u64;
    engine.matrix(&[]).visit(|_, _, _| pairs += 1);
    println!("all pairs, {pairs} allowed: {:?}", start.elapsed());
}

fn world(workloads: u64) -> World {
    let mut world = World::default();
    let mut insert = |value: Value| {
        if let Some(object) = Object::from_value(value, Depth::Full, Origin::Live) {
            world.insert(object);
        }
    };
    let namespaces = (workloads / TO_A_NAMESPACE).max(1);
    let mut seed = 1_u64;
    let mut random = |bound: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for at in 0..namespaces {
        let name = format!("ns{at}");
        insert(json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"team": format!("t{}", at % 7)}},
        }));
        insert(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "default-deny", "namespace": name},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }));
    }
    for at in 0..workloads {
        let (name, namespace) = (format!("w{at}"), format!("ns{}", at % namespaces));
        let port = 8000 + at % 50;
        insert(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"template": {
                "metadata": {"labels": {
                    "app": name, "tier": format!("tier{}", at % 5), "role": format!("r{}", at % 11),
                }},
                "spec": {"containers": [
                    {"name": "c", "image": "x", "ports": [{"containerPort": port, "name": "http"}]},
                ]},
            }},
        }));
        let named = json!({"kubernetes.io/metadata.name": format!("ns{}", random(namespaces))});
        insert(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": format!("allow-{name}"), "namespace": namespace},
            "spec": {
                "podSelector": {"matchLabels": {"app": name}},
                "policyTypes": ["Ingress"],
                "ingress": [{
                    "from": [
                        {
                            "namespaceSelector": {"matchLabels": named},
                            "podSelector": {"matchLabels": {"tier": format!("tier{}", random(5))}},
                        },
                        {"namespaceSelector": {"matchLabels": {"team": format!("t{}", random(7))}}},
                    ],
                    "ports": [{"protocol": "TCP", "port": port}],
                }],
            },
        }));
    }
    world
}
