//! Who may connect to whom, in one form for what is expected and what is said.
//!
//! Addresses outside are compared as maps from addresses to what is allowed: how they are cut into
//! ranges says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use underpin_connect::{AddressRange, Connections};

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// A workload as the other tool writes it, or `{ingress-controller}`.
    Named(String),
    /// Addresses outside of the cluster.
    Outside(AddressRange),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Outside(range) => write!(f, "{range}"),
        }
    }
}

/// Values of pairs of ends, in any order.
pub(super) type Lines<T> = Vec<((End, End), T)>;

/// Values per pair of ends; ranges of addresses that touch and have one value are joined.
type Pairs<T> = BTreeMap<(End, End), T>;

fn pairs<T: Clone + PartialEq>(lines: Lines<T>) -> Pairs<T> {
    let mut sorted = lines;
    // By the end that has a name, so that ranges that touch follow each other.
    sorted.sort_by(|(a, _), (b, _)| key(a).cmp(&key(b)));
    let mut joined: Lines<T> = Vec::new();
    for (ends, value) in sorted {
        // A workload to itself: different pods to one, the same pod to the other.
        if ends.0 == ends.1 {
            continue;
        }
        if let Some((previous, of)) = joined.last_mut()
            && *of == value
            && let Some(both) = joined_ends(previous, &ends)
        {
            *previous = both;
            continue;
        }
        joined.push((ends, value));
    }
    joined.into_iter().collect()
}

fn key(ends: &(End, End)) -> (bool, &End, &End) {
    match ends {
        (from @ End::Outside(_), to) => (true, to, from),
        (from, to) => (false, from, to),
    }
}

fn joined_ends(a: &(End, End), b: &(End, End)) -> Option<(End, End)> {
    let join = |a: &End, b: &End| match (a, b) {
        (End::Outside(first), End::Outside(next)) if first.touches(next) => {
            Some(End::Outside(first.joined(next)))
        }
        _ => None,
    };
    if a.1 == b.1 {
        Some((join(&a.0, &b.0)?, a.1.clone()))
    } else if a.0 == b.0 {
        Some((a.0.clone(), join(&a.1, &b.1)?))
    } else {
        None
    }
}

/// The keys at which two maps differ.
fn differing<'m, T: PartialEq>(a: &'m Pairs<T>, b: &'m Pairs<T>) -> Vec<&'m (End, End)> {
    let keys: BTreeSet<&(End, End)> = a.keys().chain(b.keys()).collect();
    let differs = |ends: &&(End, End)| a.get(*ends) != b.get(*ends);
    keys.into_iter().filter(differs).collect()
}

/// What is allowed, pair by pair; nothing where a pair is missing.
pub(super) struct Connectivity(Pairs<Connections>);

impl Connectivity {
    pub(super) fn of(lines: Lines<Connections>) -> Self {
        Self(pairs(lines))
    }

    /// The lines that differ, this being what is expected.
    pub(super) fn differing(&self, ours: &Self) -> Vec<String> {
        let none = Connections::default();
        let differing = differing(&self.0, &ours.0).into_iter();
        differing
            .map(|ends| {
                let of = |map: &Pairs<Connections>| map.get(ends).unwrap_or(&none).to_string();
                let (from, to) = ends;
                format!(
                    "{from} => {to}: expected {}, not {}",
                    of(&self.0),
                    of(&ours.0)
                )
            })
            .collect()
    }
}

/// What was and is allowed, pair by pair, where that differs.
pub(super) struct Changes(Pairs<(Connections, Connections)>);

impl Changes {
    pub(super) fn of(lines: Lines<(Connections, Connections)>) -> Self {
        Self(pairs(lines))
    }

    /// The lines that differ, this being what is expected.
    pub(super) fn differing(&self, ours: &Self) -> Vec<String> {
        let differing = differing(&self.0, &ours.0).into_iter();
        differing
            .map(|ends| {
                let of = |map: &Pairs<(Connections, Connections)>| match map.get(ends) {
                    Some((before, after)) => format!("{before} to {after}"),
                    None => "no change".to_owned(),
                };
                let (from, to) = ends;
                format!(
                    "{from} => {to}: expected {}, not {}",
                    of(&self.0),
                    of(&ours.0)
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use underpin_model::Protocol;

    use super::*;

    fn outside(text: &str) -> End {
        End::Outside(AddressRange::block(text).unwrap())
    }

    fn named(name: &str) -> End {
        End::Named(name.to_owned())
    }

    #[test]
    fn how_addresses_are_cut_says_nothing() {
        let http = Connections::port(Protocol::Tcp, 80);
        let whole = vec![((outside("10.0.0.0/8"), named("a")), http.clone())];
        let cut = vec![
            ((outside("10.128.0.0/9"), named("a")), http.clone()),
            ((outside("10.0.0.0/9"), named("a")), http.clone()),
            ((named("a"), named("a")), http.clone()),
        ];
        let (whole, cut) = (Connectivity::of(whole), Connectivity::of(cut));
        assert_eq!(whole.differing(&cut), Vec::<String>::new());
        let other = Connectivity::of(vec![((outside("10.0.0.0/9"), named("a")), http)]);
        assert_eq!(
            whole.differing(&other),
            [
                "10.0.0.0-10.127.255.255 => a: expected none, not TCP 80",
                "10.0.0.0-10.255.255.255 => a: expected TCP 80, not none",
            ]
        );
    }
}
