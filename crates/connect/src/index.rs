//! Which pods a selector may select, without asking every pod.

use std::{collections::HashMap, sync::Arc};

use crate::{labels::Selector, party::Pod};

/// Pods by their labels.
#[derive(Debug, Default)]
pub(crate) struct LabelIndex<'a> {
    by_label: HashMap<(&'a str, &'a str), Vec<u32>>,
    /// Those whose labels are not all known: any selector may select them.
    partial: Vec<u32>,
    all: Vec<u32>,
}

impl<'a> LabelIndex<'a> {
    pub(crate) fn insert(&mut self, id: u32, pod: &'a Arc<Pod>) {
        self.all.push(id);
        if pod.labels.is_partial() {
            self.partial.push(id);
            return;
        }
        for (key, value) in &pod.labels.known {
            let label = (key.as_str(), value.as_str());
            self.by_label.entry(label).or_default().push(id);
        }
    }

    /// One of the pods.
    pub(crate) fn any(&self) -> Option<u32> {
        self.all.first().copied()
    }

    /// Pods among which are all that `selector` may select.
    pub(crate) fn candidates(&self, selector: &Selector) -> Vec<u32> {
        let fewest = selector
            .values_asked()
            .map(|(key, values)| self.with(key, values))
            .min_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>());
        match fewest {
            None => self.all.clone(),
            Some(lists) => {
                let mut found: Vec<u32> = lists.into_iter().flatten().copied().collect();
                found.extend(&self.partial);
                found.sort_unstable();
                found.dedup();
                found
            }
        }
    }

    /// The pods that have one of these values, a list per value.
    fn with<'s>(&'s self, key: &'s str, values: &'s [String]) -> Vec<&'s Vec<u32>> {
        let labels = values.iter().map(|value| (key, value.as_str()));
        labels
            .filter_map(|label| self.by_label.get(&label))
            .collect()
    }
}
