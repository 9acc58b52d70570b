//! The simulation against an oracle that shares no code with it: rules applied to sets until
//! nothing changes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;
use support::{empty_world, live};
use underpin_model::{Action, LogicalKey, NamespaceProvenance, ObjectKey, Placement, Step, World};
use underpin_plan::{Ownership, Plan, Purpose, ResolvedPlacement, occupancy, simulate};

/// One object of a random world: which kind, in which namespace, its owners, its volume's policy.
#[derive(Clone, Debug)]
struct Draw {
    kind: usize,
    namespace: usize,
    owners: Vec<usize>,
    retains: bool,
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let one = (
        0_usize..6,
        0_usize..3,
        prop::collection::vec(0_usize..14, 0..3),
        any::<bool>(),
    );
    let draw = one.prop_map(|(kind, namespace, owners, retains)| Draw {
        kind,
        namespace,
        owners,
        retains,
    });
    prop::collection::vec(draw, 1..14)
}

fn form(index: usize, draw: &Draw) -> String {
    let Draw {
        kind, namespace, ..
    } = draw;
    match kind {
        0 => format!("v1 Namespace n{namespace}"),
        1 => format!("v1 ConfigMap n{namespace}/o{index}"),
        2 => format!("example.com/v1 Widget n{namespace}/o{index}"),
        3 => "apiextensions.k8s.io/v1 CustomResourceDefinition widgets.example.com".to_owned(),
        4 => format!("v1 PersistentVolumeClaim n{namespace}/o{index}"),
        _ => format!("v1 PersistentVolume v{index}"),
    }
}

/// The world of the draws; owner references are by uid alone, so any object may own any other.
fn world(draws: &[Draw]) -> World {
    let mut world = empty_world();
    for (index, draw) in draws.iter().enumerate() {
        let mut value = json!({"o": form(index, draw)});
        let owners: Vec<_> = draw
            .owners
            .iter()
            .map(|&owner| {
                // Owners beyond the world are gone already.
                let uid = draws.get(owner).map_or_else(
                    || format!("gone-{owner}"),
                    |above| format!("uid:{}", support::identity(&form(owner, above)).1),
                );
                json!({"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid})
            })
            .collect();
        if !owners.is_empty() {
            value["meta"] = json!({"ownerReferences": owners});
        }
        match draw.kind {
            3 => value["spec"] = json!({"group": "example.com", "names": {"kind": "Widget"}}),
            4 => {
                value["spec"] =
                    json!({"volumeName": format!("v{}", draw.owners.len() + index % 3)});
            }
            5 => {
                let policy = if draw.retains { "Retain" } else { "Delete" };
                value["spec"] = json!({"persistentVolumeReclaimPolicy": policy});
            }
            _ => {}
        }
        world.insert(live(&value));
    }
    world
}

fn plan(keys: &BTreeSet<ObjectKey>, world: &World) -> Plan {
    let placement = Placement {
        namespace: "home".into(),
        uid: None,
        provenance: NamespaceProvenance::Created,
        shared: false,
    };
    let step = |key: &ObjectKey| Step {
        before: world.get(key).cloned(),
        validated: true,
        ..Step::new(Action::Delete, key.clone(), LogicalKey::of(key, "home"))
    };
    Plan {
        purpose: Purpose::Up,
        stack: "s".into(),
        environment: "e".into(),
        placement: ResolvedPlacement {
            placement,
            derived: "home".into(),
            recorded: true,
        },
        steps: keys.iter().map(step).collect(),
        conflicts: BTreeMap::new(),
        taken: BTreeMap::new(),
        drifted: BTreeSet::new(),
        nonces: BTreeMap::new(),
        dropped: BTreeMap::new(),
        problems: Vec::new(),
    }
}

/// What dies, by applying every rule to every object over and over.
fn oracle(world: &World, roots: &BTreeSet<ObjectKey>) -> BTreeSet<ObjectKey> {
    let mut dead: BTreeSet<ObjectKey> = world
        .objects()
        .map(|o| o.key.clone())
        .filter(|key| roots.contains(key))
        .collect();
    loop {
        let mut more = dead.clone();
        for object in world.objects() {
            let is_dead = |kind: &str, name: &str| {
                dead.iter()
                    .any(|key| key.kind.kind == kind && key.name == name && key.namespace.is_none())
            };
            let in_dead_namespace = object
                .key
                .namespace
                .as_ref()
                .is_some_and(|name| is_dead("Namespace", name));
            let undefined = object.key.kind.kind == "Widget"
                && is_dead("CustomResourceDefinition", "widgets.example.com");
            let owners = object.value["metadata"]["ownerReferences"].as_array();
            let lost_one = owners.into_iter().flatten().any(|owner| {
                world
                    .objects()
                    .any(|o| o.uid() == owner["uid"].as_str() && dead.contains(&o.key))
            });
            let has_one_left = owners.into_iter().flatten().any(|owner| {
                world
                    .objects()
                    .any(|o| o.uid() == owner["uid"].as_str() && !dead.contains(&o.key))
            });
            let reclaimed = object.key.kind.kind == "PersistentVolume"
                && object.value["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
                && world.objects().any(|claim| {
                    claim.key.kind.kind == "PersistentVolumeClaim"
                        && dead.contains(&claim.key)
                        && claim.value["spec"]["volumeName"] == object.key.name.as_str()
                });
            if in_dead_namespace || undefined || (lost_one && !has_one_left) || reclaimed {
                more.insert(object.key.clone());
            }
        }
        if more == dead {
            return dead;
        }
        dead = more;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// R2.2: the simulation kills exactly what the oracle kills, and leaves the rest.
    #[test]
    fn cascades_are_the_oracles(draws in draws(), chosen in prop::collection::vec(0_usize..14, 1..4)) {
        let world = world(&draws);
        let roots: BTreeSet<ObjectKey> = chosen
            .iter()
            .filter_map(|&index| Some(support::identity(&form(index, draws.get(index)?)).1))
            .collect();
        let simulation = simulate(&world, &plan(&roots, &world));
        let dead: BTreeSet<ObjectKey> = simulation.deaths.keys().cloned().collect();
        let expect = oracle(&world, &roots);
        prop_assert_eq!(&dead, &expect);
        for object in world.objects() {
            prop_assert_eq!(simulation.after.get(&object.key).is_some(), !expect.contains(&object.key));
        }
        // Every death hangs on a step: the cascades of the roots cover them all.
        let mut covered = roots.clone();
        for root in &roots {
            covered.extend(simulation.cascade_of(root).into_iter().cloned());
        }
        prop_assert!(dead.is_subset(&covered));
    }

    /// R1.4: what is left in a namespace is what neither leaves nor is ambient.
    #[test]
    fn occupancy_counts_what_is_left(draws in draws(), leaving in prop::collection::btree_set(0_usize..14, 0..8)) {
        let world = world(&draws);
        let leaves: BTreeSet<ObjectKey> = leaving
            .iter()
            .filter_map(|&index| Some(support::identity(&form(index, draws.get(index)?)).1))
            .collect();
        let ownership = Ownership::of(&world);
        let found = occupancy(&world, &ownership, "n1", None, |object| leaves.contains(&object.key));
        let mut expect: Vec<ObjectKey> = draws
            .iter()
            .enumerate()
            .map(|(index, draw)| support::identity(&form(index, draw)).1)
            .filter(|key| key.namespace.as_deref() == Some("n1") && !leaves.contains(key))
            .collect();
        expect.sort();
        expect.dedup();
        let keys: Vec<ObjectKey> = found.occupants.iter().map(|one| one.key.clone()).collect();
        prop_assert_eq!(found.is_proven_empty(), expect.is_empty());
        prop_assert_eq!(keys, expect);
    }
}
