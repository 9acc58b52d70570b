//! Pods and other objects by their labels.

use std::collections::{BTreeMap, HashMap};

use underpin_model::{LabelSelector, Object, ObjectKey, Requirement, World};

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
    /// Every object that bears pods, with what it belongs to.
    pub(super) bearing: Vec<(&'w Object, ObjectKey)>,
}

impl<'w> Pods<'w> {
    pub(super) fn new(world: &'w World) -> Self {
        let mut pods = Self::default();
        let mut templates: HashMap<ObjectKey, ()> = HashMap::new();
        let objects = || {
            world
                .objects()
                .filter(|object| bears_pods(&object.key.kind))
        };
        let is_pod = |object: &&Object| object.key.kind.is("", "Pod");
        let others = objects().filter(|object| !is_pod(object));
        // Templates before pods: where there is one, it says what the next pods are.
        for object in others.chain(objects().filter(is_pod)) {
            let workload = workload_of(object, world);
            let is_own = workload.kind == object.key.kind && workload.name == object.key.name;
            if !is_own
                && world
                    .get(&workload)
                    .is_some_and(|owner| bears_pods(&owner.key.kind))
            {
                continue;
            }
            let Some(labels) = pod_labels(object) else {
                continue;
            };
            if is_own || !is_pod(&object) || !templates.contains_key(&workload) {
                let own = pods.by_namespace.entry(namespace_of(&object.key));
                own.or_default().insert(workload.clone(), labels);
                templates.insert(workload.clone(), ());
            }
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
