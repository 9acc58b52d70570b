//! Sets of ports, per protocol.

use std::fmt;

use underpin_model::Protocol;

/// The lowest port that a connection can have.
const FIRST_PORT: u16 = 1;

/// A set of ports: sorted ranges with both ends included, neither touching nor overlapping.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    fn full() -> Self {
        Self(vec![(FIRST_PORT, u16::MAX)])
    }

    fn insert(&mut self, first: u16, last: u16) {
        let mut ranges = std::mem::take(&mut self.0);
        ranges.push((first, last));
        ranges.sort_unstable();
        for (first, last) in ranges {
            match self.0.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => {
                    previous.1 = previous.1.max(last);
                }
                _ => self.0.push((first, last)),
            }
        }
    }

    fn union(&mut self, other: &Self) {
        for &(first, last) in &other.0 {
            self.insert(first, last);
        }
    }

    fn intersection(&self, other: &Self) -> Self {
        let (mut left, mut right) = (0, 0);
        let mut ranges = Vec::new();
        while let (Some(a), Some(b)) = (self.0.get(left), other.0.get(right)) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                ranges.push((first, last));
            }
            if a.1 < b.1 {
                left += 1;
            } else {
                right += 1;
            }
        }
        Self(ranges)
    }

    fn complement(&self) -> Self {
        let mut ranges = Vec::new();
        let mut next = Some(FIRST_PORT);
        for &(first, last) in &self.0 {
            if let Some(start) = next.filter(|start| *start < first) {
                ranges.push((start, first - 1));
            }
            next = last.checked_add(1);
        }
        ranges.extend(next.map(|start| (start, u16::MAX)));
        Self(ranges)
    }

    fn contains(&self, port: u16) -> bool {
        let at = self.0.partition_point(|&(_, last)| last < port);
        self.0.get(at).is_some_and(|&(first, _)| first <= port)
    }
}

/// Connections by protocol and destination port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Connections([PortSet; 3]);

impl Connections {
    /// Every port of every protocol.
    pub fn all() -> Self {
        Self([PortSet::full(), PortSet::full(), PortSet::full()])
    }

    /// Every port of one protocol.
    pub fn of(protocol: Protocol) -> Self {
        Self::range(protocol, FIRST_PORT, u16::MAX)
    }

    /// One port.
    pub fn port(protocol: Protocol, port: u16) -> Self {
        Self::range(protocol, port, port)
    }

    /// The ports from `first` to `last`, both included; none when `last` is the smaller.
    pub fn range(protocol: Protocol, first: u16, last: u16) -> Self {
        let mut connections = Self::default();
        if first <= last {
            connections.0[protocol as usize].insert(first, last);
        }
        connections
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|ports| ports.0.is_empty())
    }

    /// Whether these are all that there can be.
    pub fn is_all(&self) -> bool {
        self.0.iter().all(|ports| *ports == PortSet::full())
    }

    /// Whether a port is among them.
    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        self.0[protocol as usize].contains(port)
    }

    /// The ranges of one protocol, sorted, both ends included.
    pub fn ranges(&self, protocol: Protocol) -> &[(u16, u16)] {
        &self.0[protocol as usize].0
    }

    /// Adds what is in `other`.
    pub fn add(&mut self, other: &Self) {
        for (ports, others) in self.0.iter_mut().zip(&other.0) {
            ports.union(others);
        }
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(std::array::from_fn(|at| {
            self.0[at].intersection(&other.0[at])
        }))
    }

    /// What is in this and not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        Self(std::array::from_fn(|at| {
            self.0[at].intersection(&other.0[at].complement())
        }))
    }
}

/// `all`, `none`, or `TCP 80,443-445,UDP 53`.
impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all() {
            return f.write_str("all");
        }
        if self.is_empty() {
            return f.write_str("none");
        }
        let mut separator = "";
        for protocol in Protocol::ALL {
            for (index, &(first, last)) in self.ranges(protocol).iter().enumerate() {
                f.write_str(separator)?;
                if index == 0 {
                    write!(f, "{protocol} ")?;
                }
                if first == last {
                    write!(f, "{first}")?;
                } else {
                    write!(f, "{first}-{last}")?;
                }
                separator = ",";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sets() -> impl Strategy<Value = Connections> {
        let range = (0..3_usize, 1..24_u16, 1..24_u16);
        proptest::collection::vec(range, 0..6).prop_map(|ranges| {
            let mut connections = Connections::default();
            for (protocol, first, last) in ranges {
                // Around both ends, where a range has no neighbour.
                for shift in [0, u16::MAX - 24] {
                    let range = Connections::range(
                        Protocol::ALL[protocol],
                        (first + shift).max(1),
                        last + shift,
                    );
                    connections.add(&range);
                }
            }
            connections
        })
    }

    proptest! {
        #[test]
        fn sets_of_ports_are_sets(a in sets(), b in sets()) {
            let mut union = a.clone();
            union.add(&b);
            for protocol in Protocol::ALL {
                for port in (1..30).chain(u16::MAX - 30..=u16::MAX) {
                    let (in_a, in_b) = (a.contains(protocol, port), b.contains(protocol, port));
                    prop_assert_eq!(union.contains(protocol, port), in_a || in_b);
                    prop_assert_eq!(a.and(&b).contains(protocol, port), in_a && in_b);
                    prop_assert_eq!(a.without(&b).contains(protocol, port), in_a && !in_b);
                }
            }
            // One form per set, so that equal sets compare equal.
            let mut rebuilt = a.without(&b);
            rebuilt.add(&a.and(&b));
            prop_assert_eq!(rebuilt, a);
        }
    }

    #[test]
    fn ports_print_as_ranges_per_protocol() {
        let mut connections = Connections::range(Protocol::Tcp, 80, 81);
        connections.add(&Connections::port(Protocol::Tcp, 443));
        connections.add(&Connections::port(Protocol::Udp, 53));
        assert_eq!(connections.to_string(), "TCP 80-81,443,UDP 53");
        assert_eq!(Connections::all().to_string(), "all");
        assert_eq!(
            Connections::all().without(&Connections::all()).to_string(),
            "none"
        );
        assert!(Connections::range(Protocol::Tcp, 2, 1).is_empty());
        assert_eq!(Connections::of(Protocol::Sctp).to_string(), "SCTP 1-65535");
    }
}
