//! Waves over random reference graphs, cycles included, against plain reachability.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::Scene;
use underpin_model::{Action, ObjectKey};

const NODES: usize = 7;

/// Services whose proxy entries name other Services: a graph of any shape, for `up` or `down`.
fn scene(edges: &[(usize, usize)], down: bool, reversed: bool) -> Scene {
    let mut objects: Vec<Value> = (0..NODES)
        .map(|node| {
            let upstreams: Vec<String> = edges
                .iter()
                .filter(|(from, _)| *from == node)
                .map(|(_, to)| format!("reverse_proxy http://s{to}.wallet.svc.cluster.local:80"))
                .collect();
            let entry = upstreams.join("\n");
            json!({
                "o": format!("v1 Service wallet/s{node}"),
                "meta": {"annotations": {"simple-container.com/caddyfile-entry": entry}},
            })
        })
        .collect();
    if reversed {
        objects.reverse();
    }
    let entries: Vec<String> = (0..NODES)
        .map(|node| format!("v1 Service wallet/s{node}"))
        .collect();
    let mut world = vec![json!("v1 Namespace wallet")];
    if down {
        world.extend(objects.clone());
    }
    Scene::new(&json!({
        "environment": {"of": "wallet/production"},
        "world": world,
        "claims": [{"of": "wallet/production", "home": "wallet", "entries": if down { entries } else { vec![] }}],
        "declared": objects,
        "down": down,
    }))
}

fn reachability(edges: &[(usize, usize)]) -> [[bool; NODES]; NODES] {
    let mut reach = [[false; NODES]; NODES];
    for &(from, to) in edges {
        reach[from][to] = true;
    }
    for via in 0..NODES {
        for from in 0..NODES {
            for to in 0..NODES {
                reach[from][to] |= reach[from][via] && reach[via][to];
            }
        }
    }
    reach
}

type Waves = BTreeMap<ObjectKey, (usize, Vec<ObjectKey>)>;

fn waves(scene: &Scene) -> Waves {
    let plan = scene.plan();
    let steps = plan
        .steps
        .iter()
        .filter(|step| !matches!(step.action, Action::Keep(_)));
    steps
        .map(|step| (step.key.clone(), (step.wave, step.requires.clone())))
        .collect()
}

fn service(node: usize) -> ObjectKey {
    support::identity(&format!("v1 Service wallet/s{node}")).1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is needed lies in an earlier wave, except inside a cycle; a teardown runs the other
    /// way round; the order in which objects are declared changes nothing.
    #[test]
    fn needs_come_first(edges in prop::collection::vec((0..NODES, 0..NODES), 0..16), down in any::<bool>()) {
        let found = waves(&scene(&edges, down, false));
        prop_assert_eq!(&found, &waves(&scene(&edges, down, true)));
        let reach = reachability(&edges);
        for &(from, to) in &edges {
            if from == to || reach[to][from] {
                continue;
            }
            let (needing, needed) = if down { (to, from) } else { (from, to) };
            let (needing, needed) = (service(needing), service(needed));
            prop_assert!(found[&needed].0 < found[&needing].0, "{needed} not before {needing}");
            prop_assert!(found[&needing].1.contains(&needed));
        }
        for (wave, requires) in found.values() {
            for required in requires {
                prop_assert!(found[required].0 < *wave);
            }
        }
    }
}

/// Deletions come after every apply, so that an interruption leaves nothing dangling.
#[test]
fn deletions_follow_applies() {
    let scene = Scene::new(&json!({
        "environment": {"of": "wallet/production"},
        "world": ["v1 Namespace wallet", "v1 Secret wallet/old"],
        "claims": [{"of": "wallet/production", "home": "wallet", "entries": ["v1 Namespace wallet", "v1 Secret wallet/old"]}],
        "declared": ["v1 Secret new", {"o": "apps/v1 Deployment web", "spec": {"template": {"spec": {
            "volumes": [{"name": "s", "secret": {"secretName": "new"}}]}}}}],
    }));
    let found = waves(&scene);
    let wave = |text: &str| found[&support::identity(text).1].0;
    assert!(wave("v1 Secret wallet/new") < wave("apps/v1 Deployment wallet/web"));
    assert!(wave("apps/v1 Deployment wallet/web") < wave("v1 Secret wallet/old"));
}
