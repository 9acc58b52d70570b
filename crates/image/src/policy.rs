//! Flux's image policies: which tag of a list one selects.
//!
//! Where Flux takes any of several tags, for they are equal to it, all of them are selected here:
//! each may be the one that it takes next.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use regex::{Captures, Regex};

use crate::{
    reference::Tag,
    version::{Version, VersionRange},
};

/// Tags that an `ImageRepository` leaves out where it says nothing: signatures.
const DEFAULT_EXCLUSION: &str = r"^.*\.sig$";

/// What sorts the tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// The highest version in a range.
    Semver {
        /// The range, as written.
        range: String,
    },
    /// The last by the alphabet, or the first.
    Alphabetical {
        /// `asc` or `desc` as written; `asc` where it is empty.
        order: String,
    },
    /// The greatest number, or the smallest.
    Numerical {
        /// `asc` or `desc` as written; `asc` where it is empty.
        order: String,
    },
    /// None of these is written.
    Missing,
}

/// An `ImagePolicy` with what its `ImageRepository` leaves out. Everything is as it was written:
/// whether it makes sense shows when it is evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImagePolicy {
    /// What sorts the tags.
    pub order: Order,
    /// `filterTags.pattern`.
    pub pattern: Option<String>,
    /// `filterTags.extract`: what is sorted instead of the tag.
    pub extract: Option<String>,
    /// `exclusionList` of the repository; `None` where it says nothing.
    pub exclusions: Option<Vec<String>>,
}

/// What a policy selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These tags: one, or several that are equal to Flux.
    Selected(BTreeSet<Tag>),
    /// No tag of the list matches.
    Nothing,
    /// It cannot be told, and these are the tags that it may be about.
    Unknown {
        /// The tags; all of them where not even the filter is understood.
        tags: BTreeSet<Tag>,
        /// Why it cannot be told, in a sentence without a full stop.
        reason: String,
    },
}

/// Whether the greatest is taken or the smallest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ascending,
    Descending,
}

impl ImagePolicy {
    /// What it selects of all tags of its repository.
    pub fn select<'t>(&self, tags: impl Iterator<Item = &'t Tag> + Clone) -> Selection {
        let unknown = |tags: BTreeSet<Tag>, reason| Selection::Unknown { tags, reason };
        let filtered = match self.filtered(tags.clone()) {
            Ok(filtered) => filtered,
            Err(reason) => return unknown(tags.cloned().collect(), reason),
        };
        if filtered.is_empty() {
            return Selection::Nothing;
        }
        match self.latest(filtered.keys().map(String::as_str)) {
            Ok(latest) if latest.is_empty() => Selection::Nothing,
            Ok(latest) => {
                let selected = latest.iter().filter_map(|key| filtered.get(key));
                Selection::Selected(selected.flatten().cloned().collect())
            }
            Err(reason) => unknown(filtered.into_values().flatten().collect(), reason),
        }
    }

    /// What is sorted, with the tags that it stands for.
    fn filtered<'t>(
        &self,
        tags: impl Iterator<Item = &'t Tag>,
    ) -> Result<BTreeMap<String, BTreeSet<Tag>>, String> {
        let exclusions = match &self.exclusions {
            Some(written) => written.iter().map(String::as_str).collect(),
            None => vec![DEFAULT_EXCLUSION],
        };
        let exclusions = exclusions
            .into_iter()
            .map(expression)
            .collect::<Result<Vec<_>, _>>()?;
        let pattern = self
            .pattern
            .as_deref()
            .filter(|pattern| !pattern.is_empty());
        let pattern = pattern.map(expression).transpose()?;
        let mut filtered: BTreeMap<String, BTreeSet<Tag>> = BTreeMap::new();
        for tag in tags {
            if exclusions.iter().any(|one| one.is_match(tag.as_str())) {
                continue;
            }
            let key = match &pattern {
                None => Some(tag.as_str().to_owned()),
                Some(pattern) => self.extracted(pattern, tag.as_str()),
            };
            if let Some(key) = key {
                filtered.entry(key).or_default().insert(tag.clone());
            }
        }
        Ok(filtered)
    }

    fn extracted(&self, pattern: &Regex, tag: &str) -> Option<String> {
        let captures = pattern.captures(tag)?;
        let extract = self.extract.as_deref().unwrap_or_default();
        if extract.is_empty() {
            return Some(tag.to_owned());
        }
        Some(expand(extract, &captures))
    }

    fn latest<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Result<BTreeSet<String>, String> {
        match &self.order {
            Order::Semver { range } => {
                let range = VersionRange::parse(range).map_err(|error| error.to_string())?;
                let versions = keys.filter_map(|key| Some((Version::strict(key)?, key)));
                let inside = versions.filter(|(version, _)| range.contains(version));
                Ok(greatest(inside, Version::precedence))
            }
            Order::Alphabetical { order } => Ok(match direction(order)? {
                Direction::Ascending => keys.max(),
                Direction::Descending => keys.min(),
            }
            .map(str::to_owned)
            .into_iter()
            .collect()),
            Order::Numerical { order } => {
                let direction = direction(order)?;
                let numbers = keys.map(|key| number(key).map(|number| (number, key)));
                let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
                let compare = |left: &f64, right: &f64| match direction {
                    Direction::Ascending => left.total_cmp(right),
                    Direction::Descending => right.total_cmp(left),
                };
                Ok(greatest(numbers.into_iter(), compare))
            }
            Order::Missing => {
                Err("the policy says neither semver, alphabetical nor numerical".into())
            }
        }
    }
}

/// All keys whose value is greatest.
fn greatest<'k, V>(
    keyed: impl Iterator<Item = (V, &'k str)>,
    compare: impl Fn(&V, &V) -> Ordering,
) -> BTreeSet<String> {
    let mut best: Option<V> = None;
    let mut keys = BTreeSet::new();
    for (value, key) in keyed {
        let order = match &best {
            Some(best) => compare(&value, best),
            None => Ordering::Greater,
        };
        if order == Ordering::Greater {
            keys.clear();
            best = Some(value);
        }
        if order != Ordering::Less {
            keys.insert(key.to_owned());
        }
    }
    keys
}

fn direction(order: &str) -> Result<Direction, String> {
    match order.to_ascii_lowercase().as_str() {
        "" | "asc" => Ok(Direction::Ascending),
        "desc" => Ok(Direction::Descending),
        _ => Err(format!("the order `{order}` is neither asc nor desc")),
    }
}

/// A decimal number. Flux gives up on the whole policy at a tag that is none.
fn number(key: &str) -> Result<f64, String> {
    let parsed = key.parse::<f64>().ok().filter(|number| number.is_finite());
    // Zeros of both signs are one number.
    let parsed = parsed.map(|number| number + 0.0);
    parsed.ok_or_else(|| format!("`{key}` matches the filter and is no number"))
}

/// A regular expression of Go, if it means the same here.
fn expression(pattern: &str) -> Result<Regex, String> {
    if differs_in_classes(pattern) {
        return Err(format!(
            "the expression `{pattern}` has a class in brackets that Go and Underpin read differently"
        ));
    }
    Regex::new(pattern).map_err(|_| format!("the expression `{pattern}` is not understood"))
}

/// Whether a class in brackets holds what is an operation here and letters in Go: another class, or
/// doubled signs.
fn differs_in_classes(pattern: &str) -> bool {
    let mut in_class = false;
    let mut previous = ' ';
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                chars.next();
                previous = ' ';
                continue;
            }
            '[' if !in_class => in_class = true,
            '[' if chars.peek() == Some(&':') => {
                // A named class such as `[:alpha:]` ends with its own bracket.
                for c in chars.by_ref() {
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' => return true,
            // The first character of a class may be its closing bracket.
            ']' if in_class && !matches!(previous, '[' | '^') => in_class = false,
            '&' | '-' | '~' if in_class && previous == c => return true,
            _ => {}
        }
        previous = c;
    }
    false
}

/// Go's templates: `$1`, `$name`, `${name}`, `$$`. What is no group is empty.
fn expand(template: &str, captures: &Captures<'_>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('$') {
        text.push_str(before);
        if let Some(behind) = behind.strip_prefix('$') {
            text.push('$');
            rest = behind;
            continue;
        }
        let Some((name, behind)) = group_name(behind) else {
            text.push('$');
            rest = behind;
            continue;
        };
        let is_number = name.bytes().all(|b| b.is_ascii_digit());
        let is_index = is_number && (name.len() == 1 || !name.starts_with('0'));
        let group = if is_index {
            name.parse()
                .ok()
                .and_then(|index: usize| captures.get(index))
        } else {
            captures.name(name)
        };
        text.push_str(group.map_or("", |group| group.as_str()));
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// The name of a group, in braces or not, and what stands behind it.
fn group_name(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('{');
    let from = inside.unwrap_or(text);
    let end = from.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (name, behind) = from.split_at(end.unwrap_or(from.len()));
    if name.is_empty() {
        return None;
    }
    match inside {
        Some(_) => Some((name, behind.strip_prefix('}')?)),
        None => Some((name, behind)),
    }
}
