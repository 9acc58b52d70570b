//! Pods and other objects by their labels.

use std::collections::{BTreeMap, HashMap};

use underpin_model::{Depth, LabelSelector, Object, ObjectKey, Requirement, World};

use crate::pods::{bears_pods, namespace_of, pod_labels, workload_of};

/// Things that have labels, found by one label that a selector asks for.
#[derive(Debug)]
pub(super) struct Labelled<'w, T> {
    all: Vec<(T, BTreeMap<&'w str, &'w str>)>,
    by_label: HashMap<(&'w str, &'w str), Vec<usize>>,
}

impl<T> Default for Labelled<'_, T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            by_label: HashMap::new(),
        }
    }
}

impl<'w, T> Labelled<'w, T> {
    pub(super) fn insert(&mut self, thing: T, labels: BTreeMap<&'w str, &'w str>) {
        for (key, value) in &labels {
            let list = self.by_label.entry((*key, *value)).or_default();
            list.push(self.all.len());
        }
        self.all.push((thing, labels));
    }

    /// What a selector selects, in the order of insertion.
    pub(super) fn selected(&self, selector: &LabelSelector) -> Vec<&T> {
        let fewest = selector
            .0
            .iter()
            .filter_map(|requirement| match requirement {
                Requirement::In(key, values) => Some(self.with(key, values)),
                _ => None,
            })
            .min_by_key(Vec::len);
        let candidates = fewest.unwrap_or_else(|| (0..self.all.len()).collect());
        candidates
            .into_iter()
            .map(|at| &self.all[at])
            .filter(|(_, labels)| selector.matches(labels))
            .map(|(thing, _)| thing)
            .collect()
    }

    fn with(&self, key: &str, values: &[String]) -> Vec<usize> {
        let lists = values
            .iter()
            .filter_map(|value| self.by_label.get(&(key, value.as_str())));
        let mut found: Vec<usize> = lists.flatten().copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// The workloads of a world, and pods without one, by namespace and by the labels of their pods.
#[derive(Debug, Default)]
pub(super) struct Pods<'w> {
    by_namespace: HashMap<&'w str, Labelled<'w, ObjectKey>>,
    /// Every object that speaks for pods, with what it belongs to.
    pub(super) bearing: Vec<(&'w Object, ObjectKey)>,
    /// Pods of workloads that speak for them, with the object that does.
    pub(super) spoken_for: Vec<(&'w Object, &'w Object)>,
}

impl<'w> Pods<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        let mut pods = Self::default();
        for object in world.objects().filter(|object| runs(object)) {
            let workload = workload_of(object, world);
            let is_own = workload.kind == object.key.kind && workload.name == object.key.name;
            let owner = world.get(&workload).filter(|owner| !is_own && runs(owner));
            if let Some(owner) = owner {
                if object.key.kind.is("", "Pod") {
                    pods.spoken_for.push((object, owner));
                }
                continue;
            }
            let Some(labels) = pod_labels(object) else {
                continue;
            };
            let own = pods.by_namespace.entry(namespace_of(&object.key));
            own.or_default().insert(workload.clone(), labels);
            pods.bearing.push((object, workload));
        }
        pods
    }

    /// The workloads whose pods a selector selects, each once, sorted.
    pub(super) fn selected(&self, namespace: &str, selector: &LabelSelector) -> Vec<ObjectKey> {
        let own = self.by_namespace.get(namespace);
        let mut found: Vec<ObjectKey> = own
            .into_iter()
            .flat_map(|own| own.selected(selector))
            .cloned()
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// The namespaces that pods are in, sorted.
    pub(super) fn namespaces(&self) -> Vec<&'w str> {
        let mut names: Vec<&str> = self.by_namespace.keys().copied().collect();
        names.sort_unstable();
        names
    }
}

/// Whether an object runs containers, or will.
fn runs(object: &Object) -> bool {
    let kind = &object.key.kind;
    if object.depth != Depth::Full || !bears_pods(kind) || kind.is("", "PodTemplate") {
        return false;
    }
    let ended = matches!(object.text("/status/phase"), Some("Succeeded" | "Failed"));
    !(ended && kind.is("", "Pod"))
}
