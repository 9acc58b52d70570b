//! Walks the graph from what is needed to whoever needs it.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{ObjectKey, Strength};

use super::graph::{Edge, Graph};

/// Most objects that one answer holds; beyond, it says that it is cut short.
const OBJECT_LIMIT: usize = 20_000;
/// Longest chain of needs that is followed.
const DEPTH_LIMIT: usize = 64;

/// How an object was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// The weakest link of the strongest chain.
    pub(super) strength: Strength,
    /// The length of that chain.
    pub(super) depth: usize,
    /// The object before it on that chain.
    pub(super) via: ObjectKey,
}

/// Everything that needs one of `roots`, transitively, by chains of needs.
pub(super) struct Closure {
    pub(super) reached: BTreeMap<ObjectKey, Reached>,
    /// Whether a bound was met.
    pub(super) is_cut: bool,
}

/// Follows needs from `root` to whoever needs it. Every object is reached by its strongest chain,
/// and where several are as strong, from the object nearest to the root; cycles end where they
/// began.
pub(super) fn closure(graph: &Graph, root: &ObjectKey) -> Closure {
    let mut reached: BTreeMap<ObjectKey, Reached> = BTreeMap::new();
    let mut is_cut = false;
    let mut settled = BTreeSet::from([root.clone()]);
    let mut queue = BTreeSet::from([(Strength::Required, 0, root.clone())]);
    while let Some((strength, depth, at)) = queue.pop_first() {
        if depth >= DEPTH_LIMIT {
            is_cut = true;
            continue;
        }
        settled.insert(at.clone());
        for edge in needs(graph, &at) {
            if settled.contains(&edge.consumer) {
                continue;
            }
            let strength = strength.max(edge.strength);
            let better = reached
                .get(&edge.consumer)
                .is_none_or(|known| (strength, depth + 1) < (known.strength, known.depth));
            if !better {
                continue;
            }
            if reached.len() >= OBJECT_LIMIT && !reached.contains_key(&edge.consumer) {
                is_cut = true;
                continue;
            }
            let found = Reached {
                strength,
                depth: depth + 1,
                via: at.clone(),
            };
            if let Some(old) = reached.insert(edge.consumer.clone(), found) {
                queue.remove(&(old.strength, old.depth, edge.consumer.clone()));
            }
            queue.insert((strength, depth + 1, edge.consumer.clone()));
        }
    }
    Closure { reached, is_cut }
}

/// The edges by which something needs `key`, without mere mentions.
pub(super) fn needs<'g>(graph: &'g Graph, key: &ObjectKey) -> impl Iterator<Item = &'g Edge> {
    graph.needing(key).filter(|edge| edge.effect.is_need())
}
