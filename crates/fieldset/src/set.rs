//! Sets of field paths: [`FieldSet`].
//!
//! Source: KEP-555 and structured-merge-diff's `fieldpath` package.

use std::collections::BTreeMap;

use crate::path::{FieldPath, PathElement};

/// A set of field paths, kept as a tree.
///
/// A path's ancestors are not members unless they are inserted too. The root is never a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    nodes: BTreeMap<PathElement, Node>,
}

/// One element: whether it is a member itself, and its members below. Never neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) member: bool,
    pub(crate) children: FieldSet,
}

impl Node {
    fn is_empty(&self) -> bool {
        !self.member && self.children.is_empty()
    }

    fn subtract(&mut self, other: &Self) {
        self.member &= !other.member;
        self.children.subtract(&other.children);
    }
}

impl FieldSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path; the root is ignored, for nobody owns a whole object.
    pub fn insert(&mut self, path: &FieldPath) {
        let Some((last, ancestors)) = path.elements().split_last() else {
            return;
        };
        let mut set = self;
        for element in ancestors {
            set = &mut set.nodes.entry(element.clone()).or_default().children;
        }
        set.nodes.entry(last.clone()).or_default().member = true;
    }

    /// Whether the path itself is a member.
    pub fn contains(&self, path: &FieldPath) -> bool {
        let Some((last, ancestors)) = path.elements().split_last() else {
            return false;
        };
        let mut set = self;
        for element in ancestors {
            match set.nodes.get(element) {
                Some(node) => set = &node.children,
                None => return false,
            }
        }
        set.nodes.get(last).is_some_and(|node| node.member)
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.nodes
            .values()
            .map(|node| usize::from(node.member) + node.children.len())
            .sum()
    }

    /// All members in the server's order: at each level the members themselves first, then what
    /// is below them.
    pub fn iter(&self) -> impl Iterator<Item = FieldPath> + '_ {
        let mut paths = Vec::new();
        self.collect(&mut FieldPath::new(), &mut paths);
        paths.into_iter()
    }

    fn collect(&self, prefix: &mut FieldPath, out: &mut Vec<FieldPath>) {
        for (element, _) in self.nodes.iter().filter(|(_, node)| node.member) {
            prefix.push(element.clone());
            out.push(prefix.clone());
            prefix.pop();
        }
        for (element, node) in &self.nodes {
            if !node.children.is_empty() {
                prefix.push(element.clone());
                node.children.collect(prefix, out);
                prefix.pop();
            }
        }
    }

    /// The first member in the server's order.
    pub fn first(&self) -> Option<FieldPath> {
        if let Some((element, _)) = self.nodes.iter().find(|(_, node)| node.member) {
            return Some([element.clone()].into_iter().collect());
        }
        let (element, node) = self.nodes.iter().next()?;
        Some(node.children.first()?.prefixed(element.clone()))
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut result = self.clone();
        result.extend(other);
        result
    }

    /// Adds all members of another set.
    pub fn extend(&mut self, other: &Self) {
        for (element, theirs) in &other.nodes {
            match self.nodes.get_mut(element) {
                Some(ours) => {
                    ours.member |= theirs.member;
                    ours.children.extend(&theirs.children);
                }
                None => {
                    self.nodes.insert(element.clone(), theirs.clone());
                }
            }
        }
    }

    /// Takes out the members of another set; members below them stay.
    pub fn subtract(&mut self, other: &Self) {
        // Whichever is smaller is walked.
        if self.nodes.len() <= other.nodes.len() {
            self.nodes.retain(|element, ours| {
                if let Some(theirs) = other.nodes.get(element) {
                    ours.subtract(theirs);
                }
                !ours.is_empty()
            });
            return;
        }
        for (element, theirs) in &other.nodes {
            if let Some(ours) = self.nodes.get_mut(element) {
                ours.subtract(theirs);
                if ours.is_empty() {
                    self.nodes.remove(element);
                }
            }
        }
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.combine(|element, node| {
            let theirs = other.nodes.get(element)?;
            Some(Node {
                member: node.member && theirs.member,
                children: node.children.intersection(&theirs.children),
            })
        })
    }

    /// What is in this set and not in the other. Members below a member of the other stay.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(|element, node| match other.nodes.get(element) {
            None => Some(node.clone()),
            Some(theirs) => Some(Node {
                member: node.member && !theirs.member,
                children: node.children.difference(&theirs.children),
            }),
        })
    }

    /// What is in this set and neither in the other nor below one of its members.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.combine(|element, node| match other.nodes.get(element) {
            None => Some(node.clone()),
            Some(theirs) if theirs.member => None,
            Some(theirs) => Some(Node {
                member: node.member,
                children: node.children.recursive_difference(&theirs.children),
            }),
        })
    }

    /// What is in this set and equal to or below a member of the other.
    #[must_use]
    pub fn below(&self, other: &Self) -> Self {
        self.combine(|element, node| {
            let theirs = other.nodes.get(element)?;
            if theirs.member {
                return Some(node.clone());
            }
            Some(Node {
                member: false,
                children: node.children.below(&theirs.children),
            })
        })
    }

    /// The members that have no members below them.
    #[must_use]
    pub fn leaves(&self) -> Self {
        self.combine(|_, node| {
            Some(Node {
                member: node.member && node.children.is_empty(),
                children: node.children.leaves(),
            })
        })
    }

    /// Whether every member is in the other set too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.nodes
            .iter()
            .all(|(element, node)| match other.nodes.get(element) {
                Some(theirs) => {
                    (theirs.member || !node.member) && node.children.is_subset(&theirs.children)
                }
                None => false,
            })
    }

    fn combine(&self, keep: impl Fn(&PathElement, &Node) -> Option<Node>) -> Self {
        self.nodes
            .iter()
            .filter_map(|(element, node)| Some((element, keep(element, node)?)))
            .filter(|(_, node)| !node.is_empty())
            .map(|(element, node)| (element.clone(), node))
            .collect()
    }

    pub(crate) fn nodes(&self) -> &BTreeMap<PathElement, Node> {
        &self.nodes
    }

    /// For changes that leave no node empty.
    pub(crate) fn nodes_mut(&mut self) -> impl Iterator<Item = (&PathElement, &mut Node)> {
        self.nodes.iter_mut()
    }

    pub(crate) fn node(&self, element: &PathElement) -> Option<&Node> {
        self.nodes.get(element)
    }

    /// Adds what is known of one element: whether it is a member, and the members below it.
    pub(crate) fn attach(&mut self, element: &PathElement, member: bool, children: Self) {
        if !member && children.is_empty() {
            return;
        }
        match self.nodes.get_mut(element) {
            Some(node) => {
                node.member |= member;
                node.children.extend(&children);
            }
            None => {
                self.nodes
                    .insert(element.clone(), Node { member, children });
            }
        }
    }
}

impl FromIterator<(PathElement, Node)> for FieldSet {
    fn from_iter<I: IntoIterator<Item = (PathElement, Node)>>(nodes: I) -> Self {
        Self {
            nodes: nodes
                .into_iter()
                .filter(|(_, node)| !node.is_empty())
                .collect(),
        }
    }
}

impl<'p> FromIterator<&'p FieldPath> for FieldSet {
    fn from_iter<I: IntoIterator<Item = &'p FieldPath>>(paths: I) -> Self {
        let mut set = Self::new();
        for path in paths {
            set.insert(path);
        }
        set
    }
}
