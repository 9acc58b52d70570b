//! What it costs to find all needs and to judge them: `cargo run --release --example needs -- 5000`.
//!
//! Namespaces of four workloads with five pods each, whose environments name two Services of other
//! namespaces; per namespace fifteen policies, of which one denies all ingress.

#![allow(
    clippy::disallowed_methods,
    reason = "measures; nothing depends on the time"
)]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use serde_json::{Value, json};
use underpin_connect::{Engine, Options, Verdict};
use underpin_model::{Depth, Object, Origin, World};
use underpin_plan::connectivity::judge_needs;
use underpin_refs::{NeedOptions, needs};

/// Namespaces when no number is given.
const NAMESPACES: u64 = 5000;
const WORKLOADS: u64 = 4;
const PODS: u64 = 5;
const POLICIES: u64 = 15;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let namespaces = arguments
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(NAMESPACES);
    // Pods of which no template is known speak each for itself.
    let has_templates = arguments.next().as_deref() != Some("pods");
    let world = world(namespaces, has_templates);
    let objects = world.objects().count();
    println!("{objects} objects, {} pods", namespaces * WORKLOADS * PODS);

    let start = Instant::now();
    let found = needs(&world, &NeedOptions::default());
    println!("{} needs found: {:?}", found.len(), start.elapsed());

    let start = Instant::now();
    let engine = Engine::new(&world, &Options::default());
    println!("engine: {:?}", start.elapsed());

    let start = Instant::now();
    let judged = judge_needs(&engine, &found);
    let refused = judged
        .iter()
        .filter(|one| one.verdict == Verdict::Refused)
        .count();
    println!("judged, {refused} refused: {:?}", start.elapsed());
}

fn world(namespaces: u64, has_templates: bool) -> World {
    let mut world = World::default();
    let mut insert = |value: Value| {
        if let Some(object) = Object::from_value(value, Depth::Full, Origin::Live) {
            world.insert(object);
        }
    };
    for at in 0..namespaces {
        let namespace = format!("ns{at}");
        insert(json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"team": format!("t{}", at % 7)}},
        }));
        for policy in 0..POLICIES {
            insert(policy_of(&namespace, policy, at, namespaces));
        }
        for workload in 0..WORKLOADS {
            let name = format!("w{workload}");
            let metadata = json!({"labels": {"app": name, "team": format!("t{}", at % 7)}});
            let spec = pod_spec((at, workload), namespaces);
            insert(json!({
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
            }));
            let set = json!({
                "apiVersion": "apps/v1", "kind": "StatefulSet",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"template": {"metadata": metadata, "spec": spec}},
            });
            if has_templates {
                insert(set);
            }
            for pod in 0..PODS {
                insert(json!({
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {
                        "name": format!("{name}-{pod}"), "namespace": namespace,
                        "labels": metadata["labels"],
                        "ownerReferences": [{
                            "apiVersion": "apps/v1", "kind": "StatefulSet", "name": name,
                            "uid": format!("{at}-{workload}"), "controller": true,
                        }],
                    },
                    "spec": spec,
                    "status": {"podIP": format!("10.{}.{}.{}", at / 250, at % 250, workload * PODS + pod + 1)},
                }));
            }
        }
    }
    world
}

fn pod_spec((at, workload): (u64, u64), namespaces: u64) -> Value {
    let other = |step: u64| (at * 31 + workload * 7 + step) % namespaces;
    let mut env: Vec<Value> = (0..12)
        .map(|number| json!({"name": format!("SETTING_{number}"), "value": format!("value {number}")}))
        .collect();
    env.push(json!({"name": "API_URL", "value": format!("http://w1.ns{}.svc.cluster.local/v1", other(1))}));
    env.push(json!({"name": "DB_HOST", "value": format!("w2.ns{}", other(2))}));
    env.push(json!({"name": "DB_PORT", "value": "80"}));
    env.push(json!({"name": "DSN", "value": "postgres://$(DB_HOST):$(DB_PORT)/x"}));
    json!({"containers": [{
        "name": "c", "image": "registry.example.com/c:1", "env": env,
        "args": ["--listen=:8080", "--log-level=info"], "ports": [{"containerPort": 8080}],
    }]})
}

fn policy_of(namespace: &str, number: u64, at: u64, namespaces: u64) -> Value {
    let rule = match number {
        0 => json!([]),
        _ => json!([{"from": [{"namespaceSelector": {"matchLabels": {
            "kubernetes.io/metadata.name": format!("ns{}", (at * 17 + number) % namespaces),
        }}}]}]),
    };
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": format!("p{number}"), "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": rule},
    })
}
