//! Every need of a world as one graph: who lives by whom, with the evidence.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{
    Evidence, FieldPath, Object, ObjectKey, Reference, Relation, Strength, Target, World,
    builtin_kind,
};
use underpin_refs::{Effect, Presence, ReferenceIndex, bears_pods, effect, generated, presence};

use crate::{Ownership, ownership::controller_of};

/// Longest chain of controllers that is followed from a pod to the workload that states the same.
const CHAIN_LIMIT: usize = 10;

/// One object lives by another, or merely speaks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Who needs.
    pub consumer: ObjectKey,
    /// What is needed.
    pub provider: ObjectKey,
    /// How they are bound.
    pub relation: Relation,
    /// How sure it is that the consumer cannot do without.
    pub strength: Strength,
    /// What happens to the consumer when the provider goes.
    pub effect: Effect,
    /// The field that says so. Not always a field of the consumer: rights are granted to an account
    /// by a binding.
    pub evidence: Evidence,
}

/// Every need of a world, looked up from both ends. What a workload's pods state is stated by the
/// workload; what Kubernetes puts into every namespace needs nothing.
#[derive(Debug, Default)]
pub struct Graph {
    edges: Vec<Edge>,
    by_provider: BTreeMap<ObjectKey, Vec<usize>>,
    by_consumer: BTreeMap<ObjectKey, Vec<usize>>,
    /// Pods and other makings of a workload, with the workload.
    folded: BTreeMap<ObjectKey, ObjectKey>,
    /// What a controller made from another object and would make again.
    derived: BTreeSet<ObjectKey>,
}

impl Graph {
    /// Collects every need of `world`.
    pub fn of(world: &World, ownership: &Ownership) -> Self {
        let index = ReferenceIndex::build(world);
        let mut builder = Builder {
            world,
            graph: Self::default(),
            ambient: BTreeSet::new(),
        };
        for object in world.objects() {
            builder.classify(object, ownership);
        }
        for reference in index.all() {
            if let Target::Object(target) = &reference.target {
                builder.reference(reference, target);
            }
        }
        for object in world.objects() {
            for reference in index.needing(&object.key) {
                if !matches!(reference.target, Target::Object(_)) {
                    builder.reference(reference, &object.key);
                }
            }
            builder.made(object);
        }
        builder.finish()
    }

    /// Who needs `key`, or speaks of it, sorted by consumer.
    pub fn needing(&self, key: &ObjectKey) -> impl Iterator<Item = &Edge> {
        let found = self.by_provider.get(key).into_iter().flatten();
        found.filter_map(|&index| self.edges.get(index))
    }

    /// What `key` needs, or speaks of.
    pub fn needs_of(&self, key: &ObjectKey) -> impl Iterator<Item = &Edge> {
        let found = self.by_consumer.get(key).into_iter().flatten();
        found.filter_map(|&index| self.edges.get(index))
    }

    /// Everything that anybody refers to by name or selects, there or not.
    pub fn providers(&self) -> impl Iterator<Item = &ObjectKey> {
        self.by_provider.keys()
    }

    /// The workload that states what this one of its makings states; the object itself otherwise.
    pub fn workload_of<'k>(&'k self, key: &'k ObjectKey) -> &'k ObjectKey {
        self.folded.get(key).unwrap_or(key)
    }

    /// Whether a controller made the object from another one and would make it again.
    pub fn is_derived(&self, key: &ObjectKey) -> bool {
        self.derived.contains(key)
    }
}

struct Builder<'w> {
    world: &'w World,
    graph: Graph,
    ambient: BTreeSet<ObjectKey>,
}

impl Builder<'_> {
    fn classify(&mut self, object: &Object, ownership: &Ownership) {
        match presence(object, self.world, ownership.claims()) {
            Presence::Counts => {}
            Presence::Ambient(_) => {
                self.ambient.insert(object.key.clone());
            }
            Presence::Derived(_) => {
                self.graph.derived.insert(object.key.clone());
                let top = workload_above(self.world, object);
                if top != object.key {
                    self.graph.folded.insert(object.key.clone(), top);
                }
            }
        }
    }

    fn reference(&mut self, reference: &Reference, target: &ObjectKey) {
        let effect = effect(reference);
        if effect == Effect::Dies && self.ambient.contains(&reference.from) {
            return;
        }
        self.edge(Edge {
            consumer: reference.from.clone(),
            provider: target.clone(),
            relation: reference.relation,
            // A Service without anything selected serves nobody, whatever selection is by itself.
            strength: if reference.relation == Relation::Selects && effect.is_need() {
                Strength::Required
            } else {
                reference.strength
            },
            effect,
            evidence: reference.evidence.clone(),
        });
        // The other way round: an account, and whoever runs as it, has its rights from the binding.
        if reference.relation == Relation::Subject && self.world.get(target).is_some() {
            self.edge(Edge {
                consumer: target.clone(),
                provider: reference.from.clone(),
                relation: Relation::Subject,
                strength: Strength::Required,
                effect: Effect::AtOnce,
                evidence: reference.evidence.clone(),
            });
        }
    }

    /// What an operator makes of a custom resource. Built-in kinds own what they make.
    fn made(&mut self, object: &Object) {
        let kind = &object.key.kind;
        if builtin_kind(&kind.group, &kind.kind).is_some() {
            return;
        }
        for made in generated(object) {
            let note = format!("makes {made}");
            self.edge(Edge {
                consumer: made,
                provider: object.key.clone(),
                relation: Relation::Made,
                strength: Strength::Required,
                effect: Effect::AtRenewal,
                evidence: object.evidence(FieldPath::root(), note),
            });
        }
    }

    fn edge(&mut self, mut edge: Edge) {
        edge.consumer = self.graph.workload_of(&edge.consumer).clone();
        edge.provider = self.graph.workload_of(&edge.provider).clone();
        if edge.consumer != edge.provider {
            self.graph.edges.push(edge);
        }
    }

    fn finish(self) -> Graph {
        let mut graph = self.graph;
        graph.edges.sort_by(|a, b| order(a).cmp(&order(b)));
        // What pods state besides their workload is told once.
        graph.edges.dedup_by(|later, first| {
            let same = (&later.consumer, &later.provider, later.relation)
                == (&first.consumer, &first.provider, first.relation);
            let by_the_workload = first.evidence.object == first.consumer;
            let repeats = later.evidence.path == first.evidence.path
                || (by_the_workload && later.evidence.object != later.consumer);
            same && repeats && first.strength <= later.strength
        });
        for (position, edge) in graph.edges.iter().enumerate() {
            let entry = graph.by_provider.entry(edge.provider.clone());
            entry.or_default().push(position);
            let entry = graph.by_consumer.entry(edge.consumer.clone());
            entry.or_default().push(position);
        }
        graph
    }
}

/// By consumer, provider and relation; what the consumer says itself before what its pods say.
fn order(
    edge: &Edge,
) -> (
    &ObjectKey,
    &ObjectKey,
    Relation,
    bool,
    Strength,
    &FieldPath,
    &ObjectKey,
) {
    (
        &edge.consumer,
        &edge.provider,
        edge.relation,
        edge.evidence.object != edge.consumer,
        edge.strength,
        &edge.evidence.path,
        &edge.evidence.object,
    )
}

/// The topmost workload whose pod template this object was made from.
fn workload_above(world: &World, object: &Object) -> ObjectKey {
    let mut at = object;
    for _ in 0..CHAIN_LIMIT {
        if !bears_pods(&at.key.kind) {
            break;
        }
        match controller_of(world, at) {
            Some(above) if bears_pods(&above.key.kind) => at = above,
            _ => break,
        }
    }
    at.key.clone()
}
