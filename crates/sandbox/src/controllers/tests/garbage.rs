//! The garbage collector against an oracle that knows no finalizers, queues or indexes: random
//! graphs of owners, random deletions, and in the end the same objects must be left.

use std::collections::BTreeMap;

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::Cluster;
use crate::object;

const NAMESPACES: [&str; 3] = ["", "a", "b"];
const OBJECTS: usize = 8;

/// A reference: which object it means, whether it blocks, and whether its uid is another one's.
#[derive(Clone, Debug)]
struct Reference {
    owner: usize,
    blocks: bool,
    stale: bool,
}

#[derive(Clone, Debug)]
struct Node {
    /// Index into [`NAMESPACES`]: cluster-scoped objects are PriorityClasses, others ConfigMaps.
    namespace: usize,
    owners: Vec<Reference>,
}

#[derive(Clone, Copy, Debug)]
struct Deletion {
    node: usize,
    policy: &'static str,
    /// Whether everything comes to rest before the next one.
    rest: bool,
}

/// What the oracle knows of an object that exists: the owners that it still refers to.
type World = BTreeMap<usize, Vec<usize>>;

/// What a reference leads to.
fn resolves(nodes: &[Node], world: &World, from: usize, reference: &Reference) -> Option<bool> {
    let (own, theirs) = (nodes[from].namespace, nodes[reference.owner].namespace);
    if own == 0 && theirs != 0 {
        // A cluster-scoped object cannot be owned by a namespaced one: nobody knows.
        return None;
    }
    let reachable = theirs == 0 || theirs == own;
    Some(reachable && !reference.stale && world.contains_key(&reference.owner))
}

fn reference(nodes: &[Node], node: usize, owner: usize) -> &Reference {
    let found = nodes[node].owners.iter().find(|found| found.owner == owner);
    found.expect("the world holds references of the graph")
}

/// Whether all references of an object lead nowhere. One that nobody can judge keeps it.
fn is_garbage(nodes: &[Node], world: &World, node: usize) -> bool {
    let owners = &world[&node];
    !owners.is_empty()
        && owners.iter().all(|owner| {
            resolves(nodes, world, node, reference(nodes, node, *owner)) == Some(false)
        })
}

/// Takes away what is garbage, again and again.
fn collect(nodes: &[Node], world: &mut World) {
    while let Some(found) = world
        .keys()
        .copied()
        .find(|node| is_garbage(nodes, world, *node))
    {
        world.remove(&found);
    }
    prune(nodes, world);
}

/// Of an object that keeps an owner, references to others that lead nowhere are taken out.
fn prune(nodes: &[Node], world: &mut World) {
    let before = world.clone();
    for (node, owners) in world {
        let leads =
            |owner: &usize| resolves(nodes, &before, *node, reference(nodes, *node, *owner));
        let known = owners.iter().all(|owner| leads(owner).is_some());
        if known && owners.iter().any(|owner| leads(owner) == Some(true)) {
            owners.retain(|owner| leads(owner) == Some(true));
        }
    }
}

fn expected(nodes: &[Node], deletions: &[Deletion]) -> Vec<usize> {
    let mut world: World = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (index, node.owners.iter().map(|owner| owner.owner).collect()))
        .collect();
    collect(nodes, &mut world);
    for deletion in deletions {
        if !world.contains_key(&deletion.node) {
            continue;
        }
        if deletion.policy == "Orphan" {
            let dependents: Vec<usize> = world.keys().copied().collect();
            for node in dependents {
                let of_it = world[&node].contains(&deletion.node)
                    && !reference(nodes, node, deletion.node).stale;
                if of_it && let Some(owners) = world.get_mut(&node) {
                    owners.retain(|owner| *owner != deletion.node);
                }
            }
        }
        world.remove(&deletion.node);
        collect(nodes, &mut world);
    }
    world.into_keys().collect()
}

fn collection(namespace: usize) -> String {
    match NAMESPACES[namespace] {
        "" => "/apis/scheduling.k8s.io/v1/priorityclasses".to_owned(),
        namespace => format!("/api/v1/namespaces/{namespace}/configmaps"),
    }
}

fn path(nodes: &[Node], node: usize) -> String {
    format!("{}/o{node}", collection(nodes[node].namespace))
}

fn build(cluster: &mut Cluster, nodes: &[Node]) {
    for namespace in &NAMESPACES[1..] {
        cluster.namespace(namespace);
    }
    let mut uids = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let mut body = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("o{index}")},
        });
        if node.namespace == 0 {
            body["apiVersion"] = json!("scheduling.k8s.io/v1");
            body["kind"] = json!("PriorityClass");
            body["value"] = json!(1);
        }
        let made = cluster.post(&collection(node.namespace), &body);
        uids.push(object::uid(&made).to_owned());
    }
    // All references at once, before the collector looks: circles are possible only like this.
    for (index, node) in nodes.iter().enumerate() {
        let references: Vec<Value> = node
            .owners
            .iter()
            .map(|owner| {
                let cluster_scoped = nodes[owner.owner].namespace == 0;
                let (version, kind) = if cluster_scoped {
                    ("scheduling.k8s.io/v1", "PriorityClass")
                } else {
                    ("v1", "ConfigMap")
                };
                let uid = if owner.stale {
                    format!("{}-stale-{index}", uids[owner.owner])
                } else {
                    uids[owner.owner].clone()
                };
                json!({
                    "apiVersion": version, "kind": kind, "name": format!("o{}", owner.owner),
                    "uid": uid, "blockOwnerDeletion": owner.blocks,
                })
            })
            .collect();
        let change = json!({"metadata": {"ownerReferences": references}});
        cluster.patch(&path(nodes, index), &change);
    }
}

/// Takes out what would keep an owner that is deleted in the foreground for ever, as it does on a
/// real server: a cluster-scoped object that blocks while nobody can judge its namespaced owner,
/// and an object that blocks itself. Of such a cluster-scoped object with further owners it is not
/// known here what a real server does when one of them is orphaned: it names no namespaced ones.
fn unblock_the_stuck(mut nodes: Vec<Node>) -> Vec<Node> {
    let namespaced: Vec<bool> = nodes.iter().map(|node| node.namespace != 0).collect();
    for (index, node) in nodes.iter_mut().enumerate() {
        let unknown =
            node.namespace == 0 && node.owners.iter().any(|owner| namespaced[owner.owner]);
        if node.namespace == 0 && node.owners.len() > 1 {
            node.owners.retain(|owner| !namespaced[owner.owner]);
        }
        for owner in &mut node.owners {
            owner.blocks &= !unknown && owner.owner != index;
        }
    }
    nodes
}

/// Leaves references to earlier objects only: of a circle in which two are deleted in the
/// foreground at a time, each waits for the other for ever.
fn without_circles(mut nodes: Vec<Node>) -> Vec<Node> {
    for (index, node) in nodes.iter_mut().enumerate() {
        node.owners.retain(|owner| owner.owner < index);
    }
    nodes
}

#[track_caller]
fn check(nodes: &[Node], deletions: &[Deletion]) {
    let mut cluster = Cluster::new();
    build(&mut cluster, nodes);
    cluster.settle();
    for deletion in deletions {
        let query = [("propagationPolicy", deletion.policy)];
        let path = path(nodes, deletion.node);
        let (code, _) = cluster.send(Method::DELETE, &path, &query, &Value::Null);
        assert!(matches!(code, 200 | 404), "{code}");
        if deletion.rest {
            cluster.settle();
        }
    }
    cluster.settle();
    let left: Vec<usize> = (0..nodes.len())
        .filter(|node| cluster.code(&path(nodes, *node)) == 200)
        .collect();
    assert_eq!(left, expected(nodes, deletions));
    for kind in [
        GroupKind::core("ConfigMap"),
        GroupKind::new("scheduling.k8s.io", "PriorityClass"),
    ] {
        let objects = cluster.state.objects(&kind);
        assert!(objects.values().all(|found| !object::is_deleting(found)));
    }
}

fn any_node() -> impl Strategy<Value = Node> {
    let reference = (0..OBJECTS, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
        |(owner, blocks, stale)| Reference {
            owner,
            blocks,
            stale,
        },
    );
    // Mostly in one namespace, or hardly any two would have to do with each other.
    let namespace = prop_oneof![1 => Just(0), 6 => Just(1), 1 => Just(2)];
    (namespace, prop::collection::vec(reference, 0..3)).prop_map(|(namespace, mut owners)| {
        owners.sort_by_key(|owner| owner.owner);
        owners.dedup_by_key(|owner| owner.owner);
        Node { namespace, owners }
    })
}

fn any_deletion(rest: bool) -> impl Strategy<Value = Deletion> {
    let policy = prop_oneof![Just("Background"), Just("Foreground"), Just("Orphan")];
    (0..OBJECTS, policy).prop_map(move |(node, policy)| Deletion { node, policy, rest })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_is_what_the_oracle_leaves(
        nodes in prop::collection::vec(any_node(), OBJECTS),
        deletions in prop::collection::vec(any_deletion(true), 1..5),
    ) {
        check(&unblock_the_stuck(nodes), &deletions);
    }

    /// Without a rest in between; orphaning excepted, of which the order decides.
    #[test]
    fn deletions_that_overlap_leave_the_same(
        nodes in prop::collection::vec(any_node(), OBJECTS),
        deletions in prop::collection::vec(any_deletion(false), 1..5),
    ) {
        let deletions: Vec<Deletion> = deletions
            .into_iter()
            .filter(|deletion| deletion.policy != "Orphan")
            .collect();
        check(&without_circles(unblock_the_stuck(nodes)), &deletions);
    }
}

fn node(owners: &[usize]) -> Node {
    let owners = owners.iter().map(|owner| Reference {
        owner: *owner,
        blocks: true,
        stale: false,
    });
    Node {
        namespace: 1,
        owners: owners.collect(),
    }
}

#[test]
fn circles_of_owners_go_in_the_foreground_too() {
    for circle in [
        vec![node(&[1]), node(&[0])],
        vec![node(&[2]), node(&[0]), node(&[1])],
        vec![node(&[3, 1]), node(&[0]), node(&[1]), node(&[2])],
    ] {
        for policy in ["Background", "Foreground"] {
            let deletion = Deletion {
                node: 0,
                policy,
                rest: true,
            };
            check(&circle, &[deletion]);
        }
    }
}

#[test]
fn a_dependent_keeps_the_owner_that_is_left() {
    let nodes = [node(&[]), node(&[]), node(&[0, 1])];
    for policy in ["Background", "Foreground", "Orphan"] {
        let mut cluster = Cluster::new();
        build(&mut cluster, &nodes);
        cluster.delete(&path(&nodes, 0), &[("propagationPolicy", policy)]);
        cluster.settle();
        let kept = cluster.get(&path(&nodes, 2));
        let references = kept["metadata"]["ownerReferences"].as_array().unwrap();
        assert_eq!(references.len(), 1, "{policy}");
        assert_eq!(references[0]["name"], "o1", "{policy}");
    }
}

#[test]
fn an_owner_deleted_in_the_foreground_waits_for_what_blocks_it() {
    let mut cluster = Cluster::new();
    let nodes = [node(&[]), node(&[0])];
    build(&mut cluster, &nodes);
    let keep = json!({"metadata": {"finalizers": ["example.com/keep"]}});
    cluster.patch(&path(&nodes, 1), &keep);
    cluster.delete(&path(&nodes, 0), &[("propagationPolicy", "Foreground")]);
    cluster.settle();
    let owner = cluster.get(&path(&nodes, 0));
    assert_eq!(
        owner["metadata"]["finalizers"],
        json!(["foregroundDeletion"])
    );
    assert!(object::is_deleting(&cluster.get(&path(&nodes, 1))));
    cluster.patch(&path(&nodes, 1), &json!({"metadata": {"finalizers": null}}));
    cluster.settle();
    assert_eq!(cluster.code(&path(&nodes, 0)), 404);
}
