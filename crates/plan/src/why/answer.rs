//! Who needs a thing, transitively.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{ObjectKey, Owner, Relation, Strength, Unread};
use underpin_refs::{Effect, protections};

use super::{
    Asked,
    graph::Edge,
    walk::{Closure, Reached, closure, needs},
};

/// How the thing stands in the world that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    There,
    /// It is not there, and somebody names it.
    Missing,
    /// Whether it is there could not be read, and why.
    Unknown(Unread),
}

/// One object that needs the thing.
#[derive(Clone, Debug)]
pub struct Need {
    /// The object.
    pub key: ObjectKey,
    /// Whose it is; `None` where it is named and not there.
    pub owner: Option<Owner>,
    /// Steps between it and the thing; 1 for whoever needs the thing itself.
    pub depth: usize,
    /// What it needs that leads to the thing: the thing itself, or another one that needs it.
    pub via: ObjectKey,
    /// The weakest link of the chain.
    pub strength: Strength,
    /// Every field that says that it needs `via`.
    pub links: Vec<Edge>,
    /// What else it needs that leads to the thing, sorted.
    pub also: Vec<ObjectKey>,
}

impl Need {
    /// Whether it needs `via` by lying in it, being owned by it or being an instance of it alone.
    pub fn is_part(&self) -> bool {
        self.links.iter().all(|link| is_part(link.relation))
    }
}

/// Who needs a thing.
#[derive(Clone, Debug)]
pub struct Why {
    /// The thing.
    pub thing: ObjectKey,
    /// The thing that was asked about, where it is one of the makings of `thing`.
    pub asked: ObjectKey,
    /// Whether it is there.
    pub standing: Standing,
    /// Whose it is, if it is there.
    pub owner: Option<Owner>,
    /// The keys by which somebody protects it from deletion.
    pub protections: Vec<String>,
    /// What makes it, and would make it again.
    pub made_by: Vec<ObjectKey>,
    /// Everything that needs it: parents before children, siblings sorted.
    pub needs: Vec<Need>,
    /// Who speaks of the thing itself without living by it: policies, budgets, monitors.
    pub mentions: Vec<Edge>,
    /// What could not be read: any of it may need the thing.
    pub unread: Vec<Unread>,
    /// Whether a bound was met, and there is more.
    pub is_cut: bool,
}

impl Why {
    /// Whether nothing that could hold a need is missing from the answer.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty() && !self.is_cut
    }
}

/// Who needs `key`, transitively.
pub fn why(asked: &Asked<'_>, key: &ObjectKey) -> Why {
    let thing = asked.graph.workload_of(key).clone();
    let Closure {
        mut reached,
        is_cut,
    } = closure(&asked.graph, &thing);
    prune(asked, &mut reached);
    let standing = match asked.world.get(&thing) {
        Some(_) => Standing::There,
        None => match asked.world.unread(&thing.kind, thing.namespace.as_deref()) {
            Some(unread) => Standing::Unknown(unread.clone()),
            None => Standing::Missing,
        },
    };
    let protected = asked.world.get(&thing).map(protections).unwrap_or_default();
    Why {
        standing,
        owner: asked.owner(&thing),
        protections: protected.into_iter().map(|one| one.key).collect(),
        made_by: makers(asked, &thing),
        needs: in_order(asked, &thing, &reached),
        mentions: mentions(asked, &thing, &reached),
        unread: asked.world.unread.clone(),
        is_cut,
        asked: key.clone(),
        thing,
    }
}

/// What makes an object and would make it again.
pub(super) fn makers(asked: &Asked<'_>, key: &ObjectKey) -> Vec<ObjectKey> {
    let derived = asked.graph.is_derived(key);
    let mut makers: Vec<ObjectKey> = asked
        .graph
        .needs_of(key)
        .filter(|edge| {
            edge.relation == Relation::Made || (derived && edge.relation == Relation::Owned)
        })
        .map(|edge| edge.provider.clone())
        .filter(|maker| asked.world.get(maker).is_some())
        .collect();
    makers.dedup();
    makers
}

/// Leaves out what merely goes along and comes again: makings of controllers, and names of things
/// that are not there, that need the thing as its parts alone and that nobody else needs.
fn prune(asked: &Asked<'_>, reached: &mut BTreeMap<ObjectKey, Reached>) {
    let mut deepest_first: Vec<(usize, ObjectKey)> = reached
        .iter()
        .filter(|(key, _)| asked.graph.is_derived(key) || asked.world.get(key).is_none())
        .map(|(key, found)| (found.depth, key.clone()))
        .collect();
    deepest_first.sort();
    for (_, key) in deepest_first.into_iter().rev() {
        let is_needed = needs(&asked.graph, &key).any(|edge| reached.contains_key(&edge.consumer));
        let is_part = asked
            .graph
            .needs_of(&key)
            .filter(|edge| edge.effect.is_need())
            .all(|edge| is_part(edge.relation));
        if is_part && !is_needed {
            reached.remove(&key);
        }
    }
}

/// Whether a relation makes one object a part of another rather than a user of it.
fn is_part(relation: Relation) -> bool {
    matches!(
        relation,
        Relation::Contained | Relation::Owned | Relation::InstanceOf | Relation::Made
    )
}

/// The needs as a tree read from top to bottom.
fn in_order(
    asked: &Asked<'_>,
    thing: &ObjectKey,
    reached: &BTreeMap<ObjectKey, Reached>,
) -> Vec<Need> {
    let mut below: BTreeMap<&ObjectKey, Vec<&ObjectKey>> = BTreeMap::new();
    for (key, found) in reached {
        below.entry(&found.via).or_default().push(key);
    }
    let mut needs = Vec::new();
    let mut stack: Vec<&ObjectKey> = Vec::new();
    let push = |stack: &mut Vec<_>, at: &ObjectKey| {
        stack.extend(below.get(at).into_iter().flatten().rev().copied());
    };
    push(&mut stack, thing);
    while let Some(key) = stack.pop() {
        needs.push(need(asked, thing, reached, key));
        push(&mut stack, key);
    }
    needs
}

fn need(
    asked: &Asked<'_>,
    thing: &ObjectKey,
    reached: &BTreeMap<ObjectKey, Reached>,
    key: &ObjectKey,
) -> Need {
    let found = &reached[key];
    let (mut links, mut also) = (Vec::new(), BTreeSet::new());
    for edge in asked.graph.needs_of(key) {
        if edge.effect == Effect::Nothing {
            continue;
        }
        if edge.provider == found.via {
            links.push(edge.clone());
        } else if edge.provider == *thing || reached.contains_key(&edge.provider) {
            also.insert(edge.provider.clone());
        }
    }
    Need {
        key: key.clone(),
        owner: asked.owner(key),
        depth: found.depth,
        via: found.via.clone(),
        strength: found.strength,
        links,
        also: also.into_iter().collect(),
    }
}

/// Who speaks of the thing itself, unless it needs it as well.
fn mentions(
    asked: &Asked<'_>,
    thing: &ObjectKey,
    reached: &BTreeMap<ObjectKey, Reached>,
) -> Vec<Edge> {
    asked
        .graph
        .needing(thing)
        .filter(|edge| !edge.effect.is_need() && !reached.contains_key(&edge.consumer))
        .cloned()
        .collect()
}
