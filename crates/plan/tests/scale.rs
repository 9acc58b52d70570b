//! A large world: 5,000 objects of 50 environments, every rule. That it ends at all within a test
//! run is the check; a quadratic loop over it would not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

mod support;

use serde_json::{Value, json};
use support::Scene;

const ENVIRONMENTS: usize = 50;
const OBJECTS: usize = 100;

fn objects(environment: usize) -> Vec<Value> {
    (0..OBJECTS / 2)
        .flat_map(|index| {
            let secret = format!("db-{index}");
            let template = json!({"spec": {
                "containers": [{"name": "c", "image": format!("registry.example/web-{environment}:1")}],
                "volumes": [{"name": "s", "secret": {"secretName": secret}}],
            }});
            [
                json!({"o": format!("v1 Secret n{environment}/{secret}"), "data": {"password": "aHVudGVyMg=="}}),
                json!({"o": format!("apps/v1 Deployment n{environment}/web-{index}"), "spec": {"template": template}}),
            ]
        })
        .collect()
}

fn scene(declared: usize, down: bool) -> Scene {
    let mut world = Vec::new();
    let mut claims = Vec::new();
    for environment in 0..ENVIRONMENTS {
        world.push(json!(format!("v1 Namespace n{environment}")));
        let members = objects(environment);
        let mut entries = vec![json!(format!("v1 Namespace n{environment}"))];
        entries.extend(members.iter().map(|one| one["o"].clone()));
        claims.push(json!({
            "of": format!("s/e{environment}"), "home": format!("n{environment}"), "entries": entries,
        }));
        world.extend(members);
    }
    let mut own = objects(0);
    own.truncate(declared);
    Scene::new(&json!({
        "environment": {"of": "s/e0", "namespace": "n0"},
        "world": world, "claims": claims, "declared": own, "down": down,
    }))
}

#[test]
fn a_large_world_is_judged() {
    let verdict = scene(OBJECTS, false).verdict();
    assert!(verdict.findings.is_empty(), "{:?}", verdict.findings);
    let verdict = scene(10, false).verdict();
    assert!(
        verdict
            .findings
            .iter()
            .any(|finding| finding.code.to_string() == "UP110")
    );
    let teardown = scene(0, true);
    assert_eq!(teardown.plan().changing().count(), OBJECTS + 1);
    assert!(teardown.verdict().findings.is_empty());
}

/// One environment that owns all 5,000 objects, and takes most of them away.
#[test]
fn a_large_environment_is_planned_and_judged() {
    let members: Vec<Value> = (0..ENVIRONMENTS)
        .flat_map(objects)
        .map(|mut one| {
            let form = one["o"]
                .as_str()
                .unwrap()
                .replace('/', "-")
                .replacen("apps-v1", "apps/v1", 1);
            let (kind, name) = form.rsplit_once(' ').unwrap();
            one["o"] = json!(format!("{kind} home/{name}"));
            one
        })
        .collect();
    let mut entries = vec![json!("v1 Namespace home")];
    entries.extend(members.iter().map(|one| one["o"].clone()));
    let mut world = members.clone();
    world.push(json!("v1 Namespace home"));
    let scene = Scene::new(&json!({
        "environment": {"of": "s/e", "namespace": "home"},
        "world": world,
        "claims": [{"of": "s/e", "home": "home", "entries": entries}],
        "declared": members[..members.len() / 2],
    }));
    let plan = scene.plan();
    assert_eq!(plan.deleted().len(), ENVIRONMENTS * OBJECTS / 2);
    let verdict = scene.verdict();
    // The Deployments kept still need their Secrets by the old names, which never were there.
    assert!(verdict.findings.iter().all(|finding| !finding.blocks()));
}
