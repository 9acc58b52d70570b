//! Labels of which not all may be known, and what selectors make of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use underpin_model::{LabelSelector, Requirement};

use crate::{gap::Gap, reason::Reason};

/// An answer that may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tri {
    No,
    Maybe,
    Yes,
}

impl Tri {
    pub(crate) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// What is left when it is not certain that the fact counts.
    pub(crate) fn at_most_maybe(self) -> Self {
        self.min(Self::Maybe)
    }
}

impl From<bool> for Tri {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// What is known of an object's labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Labels {
    /// Labels with their values.
    pub(crate) known: BTreeMap<String, String>,
    /// Labels that may be there with any value, such as a pod's ordinal.
    pub(crate) possible: BTreeSet<String>,
    /// Whether there may be any further label.
    pub(crate) open: bool,
    /// Why not all are known, where there is more to say than that.
    pub(crate) why: Option<Arc<Reason>>,
}

/// A value at a key.
enum Value<'a> {
    Absent,
    Is(&'a str),
    Unknown,
}

impl Labels {
    /// Whether there is a label of this key, whatever its value.
    pub(crate) fn has(&self, key: &str) -> Tri {
        match self.get(key) {
            Value::Absent => Tri::No,
            Value::Is(_) => Tri::Yes,
            Value::Unknown if self.possible.contains(key) => Tri::Yes,
            Value::Unknown => Tri::Maybe,
        }
    }

    fn get(&self, key: &str) -> Value<'_> {
        match self.known.get(key) {
            Some(value) => Value::Is(value),
            None if self.open || self.possible.contains(key) => Value::Unknown,
            None => Value::Absent,
        }
    }
}

/// A selector as it was read: one that is not known is unknown, not empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Selector {
    /// What is known that it asks for.
    known: LabelSelector,
    /// Why it may ask for more.
    gap: Option<Gap>,
}

impl From<LabelSelector> for Selector {
    fn from(mut known: LabelSelector) -> Self {
        // Policies and Services keep theirs by the hundred thousand.
        known.0.shrink_to_fit();
        Self { known, gap: None }
    }
}

impl Selector {
    /// The selector that selects everything.
    pub(crate) fn everything() -> Self {
        LabelSelector::default().into()
    }

    /// A selector of which nothing is known.
    pub(crate) fn unknown(gap: Gap) -> Self {
        Self::partial(LabelSelector::default(), gap)
    }

    /// A selector that may ask for more than is known.
    pub(crate) fn partial(known: LabelSelector, gap: Gap) -> Self {
        let gap = Some(gap);
        Self { known, gap }
    }

    /// What it asks for, if all of that is known.
    pub(crate) fn readable(&self) -> Option<&LabelSelector> {
        self.gap.is_none().then_some(&self.known)
    }

    /// The requirements that it has for certain.
    pub(crate) fn requirements(&self) -> &[Requirement] {
        &self.known.0
    }

    /// Why it may ask for more than is known.
    pub(crate) fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref()
    }

    pub(crate) fn matches(&self, labels: &Labels) -> Tri {
        let requirements = self.known.0.iter();
        let known = requirements
            .map(|requirement| satisfied(requirement, labels))
            .min()
            .unwrap_or(Tri::Yes);
        if self.gap.is_some() {
            known.at_most_maybe()
        } else {
            known
        }
    }

    /// The labels that everything selected has, as far as the selector names their values.
    pub(crate) fn labels(&self) -> BTreeMap<String, String> {
        let single = self
            .values_asked()
            .filter_map(|(key, values)| match values {
                [only] => Some((key.to_owned(), only.clone())),
                _ => None,
            });
        single.collect()
    }

    /// The requirements that ask for values: keys, with the values of which one must be there.
    pub(crate) fn values_asked(&self) -> impl Iterator<Item = (&str, &[String])> {
        let requirements = self.known.0.iter();
        requirements.filter_map(|requirement| match requirement {
            Requirement::In(key, values) => Some((key.as_str(), values.as_slice())),
            _ => None,
        })
    }
}

pub(crate) fn satisfied(requirement: &Requirement, labels: &Labels) -> Tri {
    match requirement {
        Requirement::In(key, values) => match labels.get(key) {
            Value::Is(value) => values.iter().any(|asked| asked == value).into(),
            Value::Absent => Tri::No,
            Value::Unknown => Tri::Maybe,
        },
        Requirement::NotIn(key, values) => match labels.get(key) {
            Value::Is(value) => values.iter().all(|asked| asked != value).into(),
            Value::Absent => Tri::Yes,
            Value::Unknown => Tri::Maybe,
        },
        Requirement::Exists(key) => match labels.get(key) {
            Value::Is(_) => Tri::Yes,
            Value::Absent => Tri::No,
            Value::Unknown => Tri::Maybe,
        },
        Requirement::DoesNotExist(key) => match labels.get(key) {
            Value::Is(_) => Tri::No,
            Value::Absent => Tri::Yes,
            Value::Unknown => Tri::Maybe,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selector: &str, expect: [Tri; 3]) {
        let selector = Selector::from(LabelSelector::parse(selector).expect("a selector"));
        let mut labels = Labels {
            known: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
            ..Labels::default()
        };
        let closed = selector.matches(&labels);
        labels.possible.insert("ordinal".to_owned());
        let possible = selector.matches(&labels);
        labels.open = true;
        assert_eq!([closed, possible, selector.matches(&labels)], expect);
    }

    /// The labels `app=web`; the same and perhaps an `ordinal`; and perhaps anything else.
    #[test]
    fn every_operator_knows_what_it_does_not_know() {
        use Tri::{Maybe, No, Yes};
        check("app=web", [Yes; 3]);
        check("app=api", [No; 3]);
        check("app!=api", [Yes; 3]);
        check("app notin (web)", [No; 3]);
        check("!app", [No; 3]);
        check("tier=x", [No, No, Maybe]);
        check("tier!=x", [Yes, Yes, Maybe]);
        check("tier", [No, No, Maybe]);
        check("!tier", [Yes, Yes, Maybe]);
        check("ordinal=0", [No, Maybe, Maybe]);
        check("ordinal!=0", [Yes, Maybe, Maybe]);
        check("ordinal", [No, Maybe, Maybe]);
        check("!ordinal", [Yes, Maybe, Maybe]);
        check("app=api,tier=x", [No; 3]);
    }
}
