//! All references of a world, looked up from both ends.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use underpin_model::{
    GroupKind, LabelSelector, Object, ObjectKey, Reference, Requirement, Target, World,
};

use crate::{
    pods::{bears_pods, pod_labels},
    references,
};

/// The label that names a namespace. Servers before 1.21 do not set it.
pub(crate) const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// All references of a world. Building is linear in objects and references, up to logarithms; a
/// lookup costs what it returns, plus the selectors of the same namespace that ask for no
/// particular label value.
#[derive(Clone, Debug, Default)]
pub struct ReferenceIndex {
    /// Grouped by the object that refers, in the order of the world.
    references: Vec<Reference>,
    from: BTreeMap<ObjectKey, Range<usize>>,
    by_name: BTreeMap<ObjectKey, Vec<usize>>,
    by_selector: BTreeMap<(GroupKind, Option<String>), Selectors>,
    namespaces: Selectors,
    /// Objects that a selector may match; their labels are read when asked.
    selectable: BTreeMap<ObjectKey, Object>,
}

/// Selectors, found by one label value that they ask for.
#[derive(Clone, Debug, Default)]
struct Selectors {
    by_label: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
    /// Those that ask for no particular value.
    others: Vec<usize>,
}

impl Selectors {
    fn insert(&mut self, index: usize, selector: &LabelSelector) {
        let asked = selector.0.iter().find_map(|requirement| match requirement {
            Requirement::In(key, values) => Some((key, values)),
            _ => None,
        });
        let Some((key, values)) = asked else {
            self.others.push(index);
            return;
        };
        let by_value = self.by_label.entry(key.clone()).or_default();
        for value in values {
            by_value.entry(value.clone()).or_default().push(index);
        }
    }

    fn candidates(&self, labels: &BTreeMap<&str, &str>, found: &mut Vec<usize>) {
        found.extend(&self.others);
        for (key, value) in labels {
            let by_value = self.by_label.get(*key);
            found.extend(
                by_value
                    .and_then(|map| map.get(*value))
                    .into_iter()
                    .flatten(),
            );
        }
    }
}

impl ReferenceIndex {
    /// Extracts and indexes every reference of `world`.
    pub fn build(world: &World) -> Self {
        Self::build_with(world, |object| references(object, world))
    }

    /// The index of a world that was made from `former`, whose index this is: what the same object
    /// says in both is not extracted again.
    #[must_use]
    pub fn rebuild(self: &Arc<Self>, former: &World, world: &World) -> Arc<Self> {
        if former.kinds != world.kinds {
            return Arc::new(Self::build(world));
        }
        let is_same =
            |object: &Object| former.get(&object.key).is_some_and(|one| same(one, object));
        if former.objects().count() == world.objects().count() && world.objects().all(is_same) {
            return Arc::clone(self);
        }
        Arc::new(Self::build_with(world, |object| {
            if is_same(object) {
                self.from(&object.key).cloned().collect()
            } else {
                references(object, world)
            }
        }))
    }

    fn build_with(world: &World, extract: impl Fn(&Object) -> Vec<Reference>) -> Self {
        let mut index = Self::default();
        for object in world.objects() {
            let start = index.references.len();
            index.references.extend(extract(object));
            let range = start..index.references.len();
            if !range.is_empty() {
                index.from.insert(object.key.clone(), range);
            }
        }
        for (position, reference) in index.references.iter().enumerate() {
            match &reference.target {
                Target::Object(key) => {
                    let entry = index.by_name.entry(key.clone()).or_default();
                    entry.push(position);
                }
                Target::Selected {
                    kind,
                    namespace,
                    selector,
                } => {
                    let scope = (kind.clone(), namespace.clone());
                    let entry = index.by_selector.entry(scope).or_default();
                    entry.insert(position, selector);
                }
                Target::Namespaces(selector) => index.namespaces.insert(position, selector),
            }
        }
        index.selectable = selectable(world, &index.by_selector);
        index
    }

    /// Every reference that the object `key` states.
    pub fn from(&self, key: &ObjectKey) -> impl Iterator<Item = &Reference> {
        let range = self.from.get(key).cloned().unwrap_or_default();
        self.references[range].iter()
    }

    /// Every reference whose target is `key`, by name or by selector, in the order of
    /// [`Self::all`]. A selector of pods matches pods and the template labels of workloads. A
    /// selector of namespaces sees the label `kubernetes.io/metadata.name` on every namespace,
    /// even where an old server does not set it. Selectors match only objects of the world.
    pub fn needing(&self, key: &ObjectKey) -> Vec<&Reference> {
        let mut found = self.by_name.get(key).cloned().unwrap_or_default();
        let object = self.selectable.get(key);
        if let Some(object) = object {
            self.selecting(object, &mut found);
        }
        if key.is_namespace() {
            self.selecting_namespace(&key.name, object, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
            .into_iter()
            .filter_map(|index| self.references.get(index))
            .collect()
    }

    /// Every reference, sorted by the object that refers.
    pub fn all(&self) -> impl Iterator<Item = &Reference> {
        self.references.iter()
    }

    fn selecting(&self, object: &Object, found: &mut Vec<usize>) {
        let key = &object.key;
        self.matching(&key.kind, key.namespace.as_deref(), &object.labels(), found);
        if let Some(labels) = pod_labels(object) {
            let pod = GroupKind::core("Pod");
            self.matching(&pod, key.namespace.as_deref(), &labels, found);
        }
    }

    fn matching(
        &self,
        kind: &GroupKind,
        namespace: Option<&str>,
        labels: &BTreeMap<&str, &str>,
        found: &mut Vec<usize>,
    ) {
        let mut candidates = Vec::new();
        let mut scopes = vec![None];
        scopes.extend(namespace.map(|namespace| Some(namespace.to_owned())));
        for scope in scopes {
            if let Some(selectors) = self.by_selector.get(&(kind.clone(), scope)) {
                selectors.candidates(labels, &mut candidates);
            }
        }
        self.keep_matching(candidates, labels, found);
    }

    fn selecting_namespace(&self, name: &str, object: Option<&Object>, found: &mut Vec<usize>) {
        let mut labels = object.map(Object::labels).unwrap_or_default();
        labels.insert(NAMESPACE_NAME_LABEL, name);
        let mut candidates = Vec::new();
        self.namespaces.candidates(&labels, &mut candidates);
        self.keep_matching(candidates, &labels, found);
    }

    fn keep_matching(
        &self,
        candidates: Vec<usize>,
        labels: &BTreeMap<&str, &str>,
        found: &mut Vec<usize>,
    ) {
        found.extend(candidates.into_iter().filter(|&index| {
            match self.references.get(index).map(|found| &found.target) {
                Some(Target::Selected { selector, .. } | Target::Namespaces(selector)) => {
                    selector.matches(labels)
                }
                _ => false,
            }
        }));
    }
}

/// Whether two objects of one key are one, read or declared once: then they say the same.
fn same(one: &Object, other: &Object) -> bool {
    Arc::ptr_eq(&one.value, &other.value)
        && one.version == other.version
        && one.depth == other.depth
        && one.origin == other.origin
        && one.unknown == other.unknown
}

/// The objects whose labels matter: those that bear pods, namespaces, and every kind selected.
fn selectable(
    world: &World,
    selected: &BTreeMap<(GroupKind, Option<String>), Selectors>,
) -> BTreeMap<ObjectKey, Object> {
    let mut kinds: Vec<&GroupKind> = selected.keys().map(|(kind, _)| kind).collect();
    kinds.dedup();
    world
        .objects()
        .filter(|object| {
            let kind = &object.key.kind;
            bears_pods(kind) || object.key.is_namespace() || kinds.binary_search(&kind).is_ok()
        })
        .map(|object| (object.key.clone(), object.clone()))
        .collect()
}
