//! Which pods a selector may select, without asking every pod.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::labels::{Labels, Selector};

/// Pods, each by a number of its own, and their labels.
#[derive(Debug, Default)]
pub(crate) struct LabelIndex {
    /// A label, and a number of a pod that has it; sorted. Of labels the hash is enough: two that
    /// share one bring but more candidates.
    by_label: Vec<(u64, u32)>,
    /// Those that may have any further label: any selector may select them.
    open: Vec<u32>,
    all: Vec<u32>,
}

impl LabelIndex {
    pub(crate) fn new<'a>(pods: impl Iterator<Item = (u32, &'a Labels)>) -> Self {
        let mut index = Self::default();
        for (number, labels) in pods {
            index.all.push(number);
            if labels.open {
                index.open.push(number);
                continue;
            }
            let known = labels.known.iter();
            let known = known.map(|(key, value)| label(key, Some(value)));
            let possible = labels.possible.iter().map(|key| label(key, None));
            let own = known.chain(possible).map(|label| (label, number));
            index.by_label.extend(own);
        }
        index.by_label.sort_unstable();
        index.by_label.shrink_to_fit();
        index
    }

    /// One of the pods.
    pub(crate) fn any(&self) -> Option<u32> {
        self.all.first().copied()
    }

    /// Pods among which are all that `selector` may select, sorted.
    pub(crate) fn candidates(&self, selector: &Selector) -> Vec<u32> {
        let asked = selector
            .values_asked()
            .map(|(key, values)| self.with(key, values));
        let fewest = asked.min_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>());
        let Some(lists) = fewest else {
            return self.all.clone();
        };
        let listed = lists.into_iter().flatten().map(|(_, number)| *number);
        let mut found: Vec<u32> = listed.chain(self.open.iter().copied()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The pods that have one of these values, or may have, in lists.
    fn with(&self, key: &str, values: &[String]) -> Vec<&[(u64, u32)]> {
        let known = values.iter().map(|value| label(key, Some(value)));
        let labels = known.chain([label(key, None)]);
        labels.map(|label| self.at(label)).collect()
    }

    fn at(&self, label: u64) -> &[(u64, u32)] {
        let begin = self.by_label.partition_point(|(one, _)| *one < label);
        let rest = &self.by_label[begin..];
        &rest[..rest.partition_point(|(one, _)| *one == label)]
    }
}

/// A label; without a value, one that may be there with any.
fn label(key: &str, value: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, value).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use underpin_model::LabelSelector;

    use super::*;

    /// Pod 0 has `app=web`; pod 1 `app=api` and perhaps an `ordinal`; of pod 2, more may be so than
    /// is known; pod 3 has nothing.
    fn index() -> LabelIndex {
        let mut pods: [Labels; 4] = Default::default();
        pods[0].known.insert("app".to_owned(), "web".to_owned());
        pods[1].known.insert("app".to_owned(), "api".to_owned());
        pods[1].possible.insert("ordinal".to_owned());
        pods[2].open = true;
        LabelIndex::new((0_u32..).zip(&pods))
    }

    #[track_caller]
    fn check(selector: &str, expect: &[u32]) {
        let selector = Selector::from(LabelSelector::parse(selector).expect("a selector"));
        assert_eq!(index().candidates(&selector), expect);
    }

    #[test]
    fn what_may_be_selected_is_a_candidate() {
        check("app=web", &[0, 2]);
        check("app in (web,api)", &[0, 1, 2]);
        check("ordinal=3", &[1, 2]);
        check("app=api,ordinal=3", &[1, 2]);
        check("app=other", &[2]);
        check("app!=web", &[0, 1, 2, 3]);
    }
}
