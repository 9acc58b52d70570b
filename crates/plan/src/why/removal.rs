//! What happens when a thing goes: what dies with it, and what breaks, at once and later.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{CascadeGroup, GroupKind, ObjectKey, Owner, Relation, Strength};
use underpin_refs::{Effect, Presence, presence};

use super::{
    Asked,
    graph::{Edge, Graph},
};
use crate::{Ownership, simulate::simulate_removal};

/// One object that breaks.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The object.
    pub key: ObjectKey,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// When it shows.
    pub when: Effect,
    /// Whether it is sure; else a guess from text stands between.
    pub is_certain: bool,
    /// What it lacks: something that dies, or something else that breaks.
    pub lacks: ObjectKey,
    /// The field that says that it needs it.
    pub because: Edge,
    /// Steps between it and what dies; 1 for whoever lacks that itself.
    pub depth: usize,
}

/// What happens when a thing goes.
#[derive(Clone, Debug)]
pub struct Removal {
    /// What is deleted along with it, by owner; itself excluded.
    pub dies: Vec<CascadeGroup>,
    /// What controllers made from these, or from itself, and is deleted as well.
    pub derived: Vec<ObjectKey>,
    /// What breaks: sure things first, then by time, then causes before what follows from them.
    pub broken: Vec<Broken>,
}

/// Simulates the deletion of `key` alone, by whomever, and follows what it breaks.
pub fn removal(asked: &Asked<'_>, ownership: &Ownership, key: &ObjectKey) -> Removal {
    let simulation = simulate_removal(asked.world, key);
    let mut dead: BTreeSet<ObjectKey> = simulation.deaths.keys().cloned().collect();
    dead.insert(key.clone());
    dead.extend(never_made(asked, &dead));
    let mut groups: BTreeMap<Owner, Vec<ObjectKey>> = BTreeMap::new();
    let mut derived = Vec::new();
    for object in dead.iter().filter_map(|dead| asked.world.get(dead)) {
        if object.key == *key {
            continue;
        }
        match presence(object, asked.world, ownership.claims()) {
            Presence::Ambient(_) => {}
            Presence::Derived(_) => derived.push(object.key.clone()),
            Presence::Counts => {
                let owner = asked.owner(&object.key).unwrap_or(Owner::Unknown);
                groups.entry(owner).or_default().push(object.key.clone());
            }
        }
    }
    let certain = Spread::from(&asked.graph, &dead, &BTreeMap::new(), Strength::Required).broken;
    let mut possible = Spread::from(&asked.graph, &dead, &certain, Strength::Guessed).broken;
    possible.retain(|key, _| !certain.contains_key(key));
    let mut broken: Vec<Broken> = [(true, certain), (false, possible)]
        .into_iter()
        .flat_map(|(is_certain, broken)| {
            broken.into_iter().map(move |(key, how)| Broken {
                owner: asked.owner(&key),
                when: how.when,
                is_certain,
                lacks: how.because.provider.clone(),
                because: how.because,
                depth: how.depth,
                key,
            })
        })
        .collect();
    let place = |one: &Broken| (!one.is_certain, one.when, one.depth);
    broken.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.key.cmp(&b.key)));
    Removal {
        dies: groups
            .into_iter()
            .map(|(owner, objects)| CascadeGroup { owner, objects })
            .collect(),
        derived,
        broken,
    }
}

/// What is not there yet and is not going to be, for whatever would make it dies.
fn never_made(asked: &Asked<'_>, dead: &BTreeSet<ObjectKey>) -> Vec<ObjectKey> {
    let makes = |edge: &&Edge| edge.relation == Relation::Made;
    let promised = dead
        .iter()
        .flat_map(|maker| asked.graph.needing(maker))
        .filter(makes)
        .map(|edge| &edge.consumer)
        .filter(|made| asked.world.get(made).is_none());
    promised
        .filter(|made| {
            let mut makers = asked.graph.needs_of(made).filter(makes);
            makers.all(|edge| dead.contains(&edge.provider))
        })
        .cloned()
        .collect()
}

/// When and why an object breaks.
#[derive(Clone)]
struct How {
    when: Effect,
    depth: usize,
    because: Edge,
}

/// Breakage spreading over the graph, in the order in which it shows.
struct Spread<'g> {
    graph: &'g Graph,
    dead: &'g BTreeSet<ObjectKey>,
    broken: BTreeMap<ObjectKey, How>,
    queue: BTreeSet<(Effect, usize, ObjectKey)>,
    /// The least sure references that count.
    weakest: Strength,
}

impl<'g> Spread<'g> {
    /// Spreads from what is dead, and from what is known to be broken.
    fn from(
        graph: &'g Graph,
        dead: &'g BTreeSet<ObjectKey>,
        known: &BTreeMap<ObjectKey, How>,
        weakest: Strength,
    ) -> Self {
        let queue = dead.iter().map(|key| (Effect::AtOnce, 0, key.clone()));
        let also = known
            .iter()
            .map(|(key, how)| (how.when, how.depth, key.clone()));
        let mut spread = Self {
            graph,
            dead,
            broken: known.clone(),
            queue: queue.chain(also).collect(),
            weakest,
        };
        // Each object enters the queue at most once for each time at which it may break.
        while let Some((when, depth, at)) = spread.queue.pop_first() {
            let current = spread.broken.get(&at).is_none_or(|how| how.when == when);
            if when != Effect::AtRenewal && current {
                spread.reach(when, depth + 1, &at);
            }
        }
        spread
    }

    fn reach(&mut self, when: Effect, depth: usize, at: &ObjectKey) {
        let graph = self.graph;
        for edge in graph.needing(at) {
            // What is written as optional does without.
            let counts = edge.strength <= self.weakest && edge.strength != Strength::Optional;
            if !counts || self.dead.contains(&edge.consumer) {
                continue;
            }
            let Some(shows) = self.shows(when, edge) else {
                continue;
            };
            let known = self.broken.get(&edge.consumer);
            if known.is_some_and(|how| how.when <= shows) || !self.is_last(edge, shows) {
                continue;
            }
            let how = How {
                when: shows,
                depth,
                because: edge.clone(),
            };
            self.broken.insert(edge.consumer.clone(), how);
            self.queue.insert((shows, depth, edge.consumer.clone()));
        }
    }

    /// When the consumer breaks because its provider is gone, or no longer works from `when` on.
    fn shows(&self, when: Effect, edge: &Edge) -> Option<Effect> {
        if self.dead.contains(&edge.provider) {
            // What goes along is among the dead already, unless something else holds it.
            return (edge.effect.is_need() && edge.effect != Effect::Dies).then_some(edge.effect);
        }
        let lives_by_its_work = match edge.effect {
            Effect::AtOnce => edge.relation != Relation::ScaleTarget,
            Effect::AtStart => true,
            Effect::Dies | Effect::AtRenewal | Effect::Nothing => false,
        };
        lives_by_its_work.then_some(when)
    }

    /// A Service works as long as anything that it selects does.
    fn is_last(&self, edge: &Edge, shows: Effect) -> bool {
        let service = GroupKind::core("Service");
        if edge.relation != Relation::Selects || edge.consumer.kind != service {
            return true;
        }
        let mut selected = self
            .graph
            .needs_of(&edge.consumer)
            .filter(|other| other.relation == Relation::Selects);
        selected.all(|other| {
            self.dead.contains(&other.provider)
                || self
                    .broken
                    .get(&other.provider)
                    .is_some_and(|how| how.when <= shows && how.when != Effect::AtRenewal)
        })
    }
}
