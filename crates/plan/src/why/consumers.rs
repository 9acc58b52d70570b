//! Whom to ask before a thing goes or is renamed: a checklist.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{ObjectKey, Owner};
use underpin_refs::{bears_pods, served_hosts};

use super::{Asked, answer::Why, graph::Edge};

/// One thing to look at before.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// The workload, route or other object that nothing else in between stands for.
    pub key: ObjectKey,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// The host names that it serves to the outside.
    pub hosts: Vec<String>,
    /// The field that leads from it to the thing.
    pub because: Edge,
    /// Whether a guess from text, or something optional, stands between.
    pub is_certain: bool,
}

/// A checklist.
#[derive(Clone, Debug)]
pub struct Consumers {
    /// Environments and releases of others, with the number of their objects on the list.
    pub others: BTreeMap<Owner, usize>,
    /// The items, sorted by owner and key.
    pub items: Vec<Consumer>,
}

/// The outermost consumers of the thing that `why` is about: workloads, routes, and what nobody else
/// needs; and who names it without living by it, for a rename concerns them too.
pub fn consumers(asked: &Asked<'_>, why: &Why) -> Consumers {
    let needed: BTreeSet<&ObjectKey> = why
        .needs
        .iter()
        .flat_map(|need| need.also.iter().chain([&need.via]))
        .collect();
    let mut items = Vec::new();
    for need in &why.needs {
        let object = asked.world.get(&need.key);
        let hosts = object.and_then(served_hosts);
        let is_outermost =
            bears_pods(&need.key.kind) || hosts.is_some() || !needed.contains(&need.key);
        if let (true, Some(because)) = (is_outermost, need.links.first()) {
            items.push(Consumer {
                key: need.key.clone(),
                owner: need.owner.clone(),
                hosts: hosts.unwrap_or_default(),
                because: because.clone(),
                is_certain: need.strength == underpin_model::Strength::Required,
            });
        }
    }
    for mention in &why.mentions {
        if items.iter().all(|item| item.key != mention.consumer) {
            items.push(Consumer {
                key: mention.consumer.clone(),
                owner: asked.owner(&mention.consumer),
                hosts: Vec::new(),
                because: mention.clone(),
                is_certain: false,
            });
        }
    }
    items.sort_by(|a, b| (&a.owner, &a.key).cmp(&(&b.owner, &b.key)));
    let mut others: BTreeMap<Owner, usize> = BTreeMap::new();
    for item in &items {
        let foreign = item
            .owner
            .as_ref()
            .filter(|owner| owner.is_claimed() && Some(*owner) != why.owner.as_ref());
        if let Some(owner) = foreign {
            *others.entry(owner.clone()).or_default() += 1;
        }
    }
    Consumers { others, items }
}
