//! The digest graph of one repository: what holds what, and what says something of what.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    digest::Digest,
    manifest::{Manifest, ManifestKind},
    reference::Tag,
    registry::{Reading, Repository, subject_of_tag},
};

/// A manifest in a graph, by its place there.
pub(crate) type Node = usize;

/// The manifests of a repository with the ways between them.
#[derive(Debug)]
pub(crate) struct Graph<'r> {
    digests: Vec<&'r Digest>,
    places: BTreeMap<&'r Digest, Node>,
    manifests: Vec<&'r Manifest>,
    /// Tags of each, sorted.
    pub(crate) tags: Vec<Vec<&'r Tag>>,
    /// Children of indexes.
    pub(crate) children: Vec<Vec<Node>>,
    /// The indexes that hold each.
    pub(crate) parents: Vec<Vec<Node>>,
    /// What says something of each.
    pub(crate) referrers: Vec<Vec<Node>>,
    /// What each says something of.
    pub(crate) subjects: Vec<Vec<Node>>,
    /// Whose digests the bytes of each hold: its children and its subject. No hashes can form a loop of
    /// these.
    hashed: Vec<Vec<Node>>,
    /// Why each has to stay whatever needs it; `None` for most.
    pub(crate) held: Vec<Option<String>>,
}

impl<'r> Graph<'r> {
    /// The graph of what is there. What is not there, or could not be read, is no part of it; that
    /// it is missing holds what depends on it.
    pub(crate) fn of(repository: &'r Repository) -> Self {
        let there = repository.manifests.iter();
        let there = there.filter_map(|(digest, one)| Some((digest, one.present()?)));
        let (digests, manifests): (Vec<_>, Vec<_>) = there.unzip();
        let count = digests.len();
        let empty = || vec![Vec::new(); count];
        let mut graph = Self {
            places: digests.iter().copied().zip(0..).collect(),
            digests,
            manifests,
            tags: vec![Vec::new(); count],
            children: empty(),
            parents: empty(),
            referrers: empty(),
            subjects: empty(),
            hashed: empty(),
            held: vec![None; count],
        };
        for node in 0..count {
            graph.connect(node, repository);
        }
        for (tag, reading) in &repository.tags {
            graph.tag(tag, reading, repository);
        }
        graph.hold_loops();
        graph
    }

    fn connect(&mut self, node: Node, repository: &'r Repository) {
        let manifest = self.manifests[node];
        if manifest.kind == ManifestKind::Legacy {
            let reason = "it is of the legacy schema 1, and could not be put back for certain";
            self.held[node] = Some(reason.to_owned());
        }
        let mut seen = BTreeSet::new();
        for child in &manifest.children {
            match self.places.get(&child.digest) {
                Some(place) if seen.insert(*place) => {
                    self.children[node].push(*place);
                    self.parents[*place].push(node);
                    self.hashed[node].push(*place);
                }
                Some(_) => {}
                None => self.missing(node, &child.digest, repository, "holds"),
            }
        }
        if let Some(subject) = &manifest.subject {
            self.refer(node, subject, repository);
            if let Some(place) = self.places.get(subject) {
                self.hashed[node].push(*place);
            }
        }
    }

    fn tag(&mut self, tag: &'r Tag, reading: &'r Reading<Digest>, repository: &'r Repository) {
        let place = reading.present().and_then(|digest| self.places.get(digest));
        let Some(&node) = place else { return };
        self.tags[node].push(tag);
        if let Some(subject) = subject_of_tag(tag) {
            self.refer(node, &subject, repository);
        }
    }

    /// One says something of another.
    fn refer(&mut self, node: Node, subject: &Digest, repository: &Repository) {
        match self.places.get(subject) {
            Some(place) if *place == node || self.subjects[node].contains(place) => {}
            Some(place) => {
                self.subjects[node].push(*place);
                self.referrers[*place].push(node);
            }
            None => self.missing(node, subject, repository, "says something of"),
        }
    }

    /// What is known to be gone needs nothing. Of what nobody asked for, nobody knows.
    fn missing(&mut self, node: Node, other: &Digest, repository: &Repository, verb: &str) {
        let why = match repository.manifests.get(other) {
            Some(Reading::Absent | Reading::Present(_)) => return,
            Some(Reading::Unread(reason)) => format!("which could not be read: {reason}"),
            None => "which was not asked for".to_owned(),
        };
        let held = &mut self.held[node];
        held.get_or_insert_with(|| format!("it {verb} {other}, {why}"));
    }

    /// No digest can depend on itself. Who says so does not tell the truth, and nothing of it is
    /// believed.
    fn hold_loops(&mut self) {
        let all: BTreeSet<Node> = (0..self.len()).collect();
        let sorted = in_order(&all, |node| self.hashed[node].clone());
        for node in all.difference(&sorted.into_iter().collect()) {
            let reason = "it is part of, or behind, a loop of manifests, which no hashes can form";
            self.held[*node] = Some(reason.to_owned());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.digests.len()
    }

    pub(crate) fn digest(&self, node: Node) -> &'r Digest {
        self.digests[node]
    }

    pub(crate) fn manifest(&self, node: Node) -> &'r Manifest {
        self.manifests[node]
    }

    pub(crate) fn node(&self, digest: &Digest) -> Option<Node> {
        self.places.get(digest).copied()
    }

    /// Whether it is an image of its own: no child of an index, and nothing that says something of
    /// another one that is there.
    pub(crate) fn is_top(&self, node: Node) -> bool {
        let children = &self.children[node];
        let mut subjects = self.subjects[node].iter();
        // A tag may say that an index is about its own child.
        self.parents[node].is_empty() && subjects.all(|subject| children.contains(subject))
    }

    /// These manifests so that each stands before its children and before what says something of
    /// it. Where both cannot be, as for an index that says something of its own child, children
    /// alone decide: no registry takes an index without them.
    pub(crate) fn sorted(&self, nodes: &[Node]) -> Vec<Node> {
        let all: BTreeSet<Node> = nodes.iter().copied().collect();
        let mut sorted = in_order(&all, |node| self.below(node).collect());
        let rest: BTreeSet<Node> = all
            .difference(&sorted.iter().copied().collect())
            .copied()
            .collect();
        sorted.extend(in_order(&rest, |node| self.children[node].clone()));
        sorted
    }

    /// Children of a manifest, and what says something of it.
    pub(crate) fn below(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        let both = self.children[node].iter().chain(&self.referrers[node]);
        both.copied()
    }
}

/// Nodes so that each stands before what is below it; without those in loops, and behind them.
fn in_order(nodes: &BTreeSet<Node>, below: impl Fn(Node) -> Vec<Node>) -> Vec<Node> {
    let mut waits: BTreeMap<Node, usize> = nodes.iter().map(|node| (*node, 0)).collect();
    for node in nodes {
        for below in below(*node) {
            if let Some(waiting) = waits.get_mut(&below) {
                *waiting += 1;
            }
        }
    }
    let free = waits.iter().filter(|(_, waiting)| **waiting == 0);
    let mut sorted: Vec<Node> = free.map(|(node, _)| *node).collect();
    let mut at = 0;
    while at < sorted.len() {
        let node = sorted[at];
        at += 1;
        for below in below(node) {
            if let Some(waiting) = waits.get_mut(&below) {
                *waiting -= 1;
                if *waiting == 0 {
                    sorted.push(below);
                }
            }
        }
    }
    sorted
}
