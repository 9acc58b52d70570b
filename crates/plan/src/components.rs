//! Cycles of a graph: its strongly connected components.

use std::collections::{BTreeMap, BTreeSet};

/// Numbers the strongly connected components of a graph (Tarjan 1972, without recursion): two nodes
/// get the same number if and only if each reaches the other. Linear in nodes and edges, up to
/// logarithms; edges to what is no node are ignored.
pub(crate) fn components(
    nodes: &[usize],
    edges: &BTreeMap<usize, BTreeSet<usize>>,
) -> BTreeMap<usize, usize> {
    let mut search = Search::default();
    let known: BTreeSet<usize> = nodes.iter().copied().collect();
    for &node in nodes {
        if !search.index.contains_key(&node) {
            search.visit(node, &known, edges);
        }
    }
    search.component
}

#[derive(Default)]
struct Search {
    index: BTreeMap<usize, usize>,
    low: BTreeMap<usize, usize>,
    open: Vec<usize>,
    component: BTreeMap<usize, usize>,
    found: usize,
}

impl Search {
    fn visit(
        &mut self,
        root: usize,
        known: &BTreeSet<usize>,
        edges: &BTreeMap<usize, BTreeSet<usize>>,
    ) {
        let next = |node: usize| -> Vec<usize> {
            let ends = edges.get(&node).into_iter().flatten();
            ends.copied().filter(|end| known.contains(end)).collect()
        };
        self.enter(root);
        let mut stack = vec![(root, next(root))];
        while let Some((node, left)) = stack.last_mut() {
            let node = *node;
            match left.pop() {
                Some(end) if !self.index.contains_key(&end) => {
                    self.enter(end);
                    stack.push((end, next(end)));
                }
                Some(end) => {
                    if !self.component.contains_key(&end) {
                        self.lower(node, self.index.get(&end).copied());
                    }
                }
                None => {
                    stack.pop();
                    self.leave(node);
                    if let Some((above, _)) = stack.last() {
                        self.lower(*above, self.low.get(&node).copied());
                    }
                }
            }
        }
    }

    fn enter(&mut self, node: usize) {
        let index = self.index.len();
        self.index.insert(node, index);
        self.low.insert(node, index);
        self.open.push(node);
    }

    fn lower(&mut self, node: usize, to: Option<usize>) {
        if let (Some(low), Some(to)) = (self.low.get_mut(&node), to) {
            *low = (*low).min(to);
        }
    }

    /// Closes the component of which `node` is the root, if it is one.
    fn leave(&mut self, node: usize) {
        if self.low.get(&node) != self.index.get(&node) {
            return;
        }
        while let Some(member) = self.open.pop() {
            self.component.insert(member, self.found);
            if member == node {
                break;
            }
        }
        self.found += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Two nodes share a component exactly where each reaches the other.
        #[test]
        fn components_are_mutual_reachability(pairs in prop::collection::vec((0_usize..9, 0_usize..9), 0..25)) {
            let nodes: Vec<usize> = (0..9).collect();
            let mut edges: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
            let mut reach = [[false; 9]; 9];
            for &(from, to) in &pairs {
                edges.entry(from).or_default().insert(to);
                reach[from][to] = true;
            }
            for via in 0..9 {
                for from in 0..9 {
                    for to in 0..9 {
                        reach[from][to] |= reach[from][via] && reach[via][to];
                    }
                }
            }
            let found = components(&nodes, &edges);
            for one in 0..9 {
                for other in 0..9 {
                    let mutual = one == other || (reach[one][other] && reach[other][one]);
                    prop_assert_eq!(found[&one] == found[&other], mutual);
                }
            }
        }
    }
}
