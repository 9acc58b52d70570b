//! Waves: what must be there before what, from the references between the plan's own objects.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{
    GroupKind, LabelSelector, Object, ObjectKey, Relation, Step, Strength, Target, World,
};
use underpin_refs::defined_kind;

use crate::components::components;

/// Sorts the steps into waves. Applies come first, each after what it refers to; deletions follow,
/// each after what refers to it, so that an interruption leaves nothing dangling. Steps are sorted
/// by wave and key afterwards.
pub(crate) fn assign_waves(steps: &mut [Step], world: &World) {
    let applied: Vec<usize> = positions(steps, |step| step.action.applies());
    let deleted: Vec<usize> = positions(steps, |step| {
        step.action.is_destructive() && !step.action.applies()
    });
    let applies = dependencies(steps, &applied, world, |step| step.desired.as_ref());
    let last = place(steps, &applied, &applies, creation_floor, 0);
    let forward = dependencies(steps, &deleted, world, |step| step.before.as_ref());
    let removals = reversed(&forward);
    place(steps, &deleted, &removals, removal_floor, last);
    steps.sort_by(|a, b| (a.wave, &a.key).cmp(&(b.wave, &b.key)));
}

/// Dependencies between steps, by position: each needs all of its set first.
type Edges = BTreeMap<usize, BTreeSet<usize>>;

fn positions(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> Vec<usize> {
    steps
        .iter()
        .enumerate()
        .filter(|(_, step)| wanted(step))
        .map(|(index, _)| index)
        .collect()
}

/// Lowest wave of a kind when created: containers and definitions, then what pods are configured
/// by, then everything else, then what intercepts requests. Of Services, a pod is told in its
/// environment of those that are there when it starts.
fn creation_floor(kind: &GroupKind) -> usize {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") | ("apiextensions.k8s.io", _) => 0,
        (
            "",
            "ConfigMap"
            | "Secret"
            | "Service"
            | "ServiceAccount"
            | "PersistentVolume"
            | "PersistentVolumeClaim"
            | "LimitRange"
            | "ResourceQuota",
        )
        | (
            "rbac.authorization.k8s.io" | "scheduling.k8s.io" | "storage.k8s.io" | "node.k8s.io",
            _,
        )
        | ("networking.k8s.io", "NetworkPolicy" | "IngressClass") => 1,
        ("admissionregistration.k8s.io", _) => 3,
        _ => 2,
    }
}

/// The same backwards: what intercepts requests goes first, containers last; a Service goes with those
/// that answer behind it.
fn removal_floor(kind: &GroupKind) -> usize {
    if kind.is("", "Service") {
        return 1;
    }
    3 - creation_floor(kind)
}

/// Assigns waves from `first` on and returns the wave after the last one. Kubernetes itself
/// tolerates any order inside a cycle: there, only what has the smaller key is waited for.
fn place(
    steps: &mut [Step],
    members: &[usize],
    edges: &Edges,
    floor: impl Fn(&GroupKind) -> usize,
    first: usize,
) -> usize {
    let edges = without_cycles(steps, members, edges);
    let none = BTreeSet::new();
    let needs = |member: usize| edges.get(&member).unwrap_or(&none);
    let mut dependents: Edges = BTreeMap::new();
    for &member in members {
        for &need in needs(member) {
            dependents.entry(need).or_default().insert(member);
        }
    }
    let mut open: BTreeMap<usize, usize> = members
        .iter()
        .map(|&member| (member, needs(member).len()))
        .collect();
    let mut levels: BTreeMap<usize, usize> = members
        .iter()
        .map(|&member| (member, floor(&steps[member].key.kind)))
        .collect();
    let mut ready: Vec<usize> = members
        .iter()
        .filter(|member| needs(**member).is_empty())
        .copied()
        .collect();
    let mut last = first;
    while let Some(member) = ready.pop() {
        let level = levels.get(&member).copied().unwrap_or_default();
        let mut requires: Vec<ObjectKey> = needs(member)
            .iter()
            .map(|&need| steps[need].key.clone())
            .collect();
        requires.sort();
        steps[member].wave = first + level;
        steps[member].requires = requires;
        last = last.max(first + level + 1);
        for &dependent in dependents.get(&member).unwrap_or(&none) {
            let least = levels.entry(dependent).or_default();
            *least = (*least).max(level + 1);
            let count = open.entry(dependent).or_default();
            *count = count.saturating_sub(1);
            if *count == 0 {
                ready.push(dependent);
            }
        }
    }
    last
}

/// The edges without those that close a cycle: of two members that wait for each other, directly or
/// round a corner, only the one with the greater key waits.
fn without_cycles(steps: &[Step], members: &[usize], edges: &Edges) -> Edges {
    let component = components(members, edges);
    let mut acyclic = edges.clone();
    for (&member, needs) in &mut acyclic {
        needs.retain(|&need| {
            component.get(&need) != component.get(&member)
                || (&steps[need].key, need) < (&steps[member].key, member)
        });
    }
    acyclic
}

fn reversed(edges: &Edges) -> Edges {
    let mut reversed: Edges = BTreeMap::new();
    for (&from, needs) in edges {
        for &need in needs {
            reversed.entry(need).or_default().insert(from);
        }
    }
    reversed
}

/// What each step's object refers to among the other members, by name, by what a member generates,
/// or as an instance of a member's definition.
fn dependencies(
    steps: &[Step],
    members: &[usize],
    world: &World,
    object: impl Fn(&Step) -> Option<&Object>,
) -> Edges {
    let mut providers: BTreeMap<ObjectKey, usize> = BTreeMap::new();
    let mut definitions: BTreeMap<GroupKind, usize> = BTreeMap::new();
    for &member in members {
        let Some(object) = object(&steps[member]) else {
            continue;
        };
        for generated in underpin_refs::generated(object) {
            providers.entry(generated).or_insert(member);
        }
        if let Some(kind) = defined_kind(object) {
            definitions.insert(kind, member);
        }
    }
    for &member in members {
        providers.insert(steps[member].key.clone(), member);
    }
    let mut edges = Edges::new();
    for &member in members {
        let step = &steps[member];
        let mut needs: BTreeSet<usize> = definitions
            .get(&step.key.kind)
            .copied()
            .into_iter()
            .collect();
        if let Some(namespace) = &step.key.namespace {
            needs.extend(providers.get(&ObjectKey::of_namespace(namespace.clone())));
        }
        for reference in object(step)
            .map(|object| underpin_refs::references(object, world))
            .unwrap_or_default()
        {
            if !orders(reference.relation, reference.strength) {
                continue;
            }
            let Target::Object(key) = &reference.target else {
                continue;
            };
            let Some(&provider) = providers.get(key) else {
                continue;
            };
            needs.insert(provider);
            if reference.relation == Relation::Service && intercepts(&step.key.kind) {
                needs.extend(backends(steps, members, provider, &object));
            }
        }
        needs.remove(&member);
        // A namespace that is there holds nobody up: who may not change it may still work in it.
        needs.retain(|&need| {
            let step = &steps[need];
            !(step.key.is_namespace() && step.action.applies() && step.before.is_some())
        });
        edges.insert(member, needs);
    }
    edges
}

/// Whether a reference says something about order. A guess and a mere selection do not.
fn orders(relation: Relation, strength: Strength) -> bool {
    strength != Strength::Guessed
        && !matches!(relation, Relation::Selects | Relation::NamespaceName)
}

/// Kinds through which requests to the API server itself run: their Service must answer before
/// they are created, or every later write fails.
fn intercepts(kind: &GroupKind) -> bool {
    kind.group == "admissionregistration.k8s.io" || kind.group == "apiregistration.k8s.io"
}

/// The members whose pods stand behind a Service.
fn backends<'s>(
    steps: &'s [Step],
    members: &[usize],
    service: usize,
    object: &impl Fn(&'s Step) -> Option<&'s Object>,
) -> Vec<usize> {
    let namespace = &steps[service].key.namespace;
    let selector = object(&steps[service])
        .and_then(|service| service.at("/spec/selector"))
        .and_then(LabelSelector::from_map);
    let Some(selector) = selector else {
        return Vec::new();
    };
    let backs = |&&member: &&usize| {
        steps[member].key.namespace == *namespace
            && object(&steps[member])
                .and_then(underpin_refs::pod_labels)
                .is_some_and(|labels| selector.matches(&labels))
    };
    members.iter().filter(backs).copied().collect()
}
