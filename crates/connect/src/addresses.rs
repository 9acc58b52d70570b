//! Blocks and sets of IP addresses, of both families.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// An address with its family, ordered: all of IPv4 comes before all of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Position {
    V4(u32),
    V6(u128),
}

impl From<IpAddr> for Position {
    fn from(address: IpAddr) -> Self {
        // An IPv4 address written as IPv6 is the IPv4 address.
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6(address.to_bits()),
        }
    }
}

impl Position {
    fn next(self) -> Option<Self> {
        match self {
            Self::V4(bits) => bits.checked_add(1).map(Self::V4),
            Self::V6(bits) => bits.checked_add(1).map(Self::V6),
        }
    }

    fn previous(self) -> Option<Self> {
        match self {
            Self::V4(bits) => bits.checked_sub(1).map(Self::V4),
            Self::V6(bits) => bits.checked_sub(1).map(Self::V6),
        }
    }

    fn address(self) -> IpAddr {
        match self {
            Self::V4(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            Self::V6(bits) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
        }
    }
}

/// The first and last address of each family.
const FAMILIES: [AddressRange; 2] = [
    AddressRange {
        first: Position::V4(0),
        last: Position::V4(u32::MAX),
    },
    AddressRange {
        first: Position::V6(0),
        last: Position::V6(u128::MAX),
    },
];

/// Addresses of one family, from a first to a last one, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: Position,
    last: Position,
}

impl AddressRange {
    /// A block such as `10.0.0.0/8` or `fd00::/8`; host bits are ignored. `None` if it is none.
    pub fn block(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        // `/08` and `/+8` are no prefix lengths.
        let plain = length.bytes().all(|byte| byte.is_ascii_digit())
            && (length.len() == 1 || !length.starts_with('0'));
        let length: u32 = length.parse().ok().filter(|_| plain)?;
        match address.parse().ok()? {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(length).unwrap_or(0);
                let first = address.to_bits() & !host;
                (length <= u32::BITS).then_some(Self {
                    first: Position::V4(first),
                    last: Position::V4(first | host),
                })
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(length).unwrap_or(0);
                let first = address.to_bits() & !host;
                (length <= u128::BITS).then_some(Self {
                    first: Position::V6(first),
                    last: Position::V6(first | host),
                })
            }
        }
    }

    /// One address.
    pub fn single(address: IpAddr) -> Self {
        let position = address.into();
        Self {
            first: position,
            last: position,
        }
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        self.first.address()
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        self.last.address()
    }

    /// Whether all addresses of `other` are in this range.
    pub fn holds(&self, other: &Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether `next` begins where this range ends, in the same family.
    pub fn touches(&self, next: &Self) -> bool {
        self.last.next() == Some(next.first)
    }

    /// This range together with one that it touches.
    #[must_use]
    pub fn joined(&self, next: &Self) -> Self {
        Self {
            first: self.first,
            last: next.last,
        }
    }
}

/// `10.0.0.0-10.255.255.255`, or the one address.
impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first())?;
        if self.first != self.last {
            write!(f, "-{}", self.last())?;
        }
        Ok(())
    }
}

/// A block with exceptions, as sorted ranges that do not overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AddressSet(Vec<AddressRange>);

/// How a range of addresses lies to a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All of it is inside.
    Inside,
    /// Some of it is.
    Partly,
    /// None of it is.
    Outside,
}

impl AddressSet {
    /// What is in one of `blocks` and in none of `except`.
    pub(crate) fn new(blocks: &[AddressRange], except: &[AddressRange]) -> Self {
        let cuts = elementary_ranges(blocks.iter().chain(except));
        let mut ranges: Vec<AddressRange> = Vec::new();
        for range in cuts {
            let inside = blocks.iter().any(|block| block.holds(&range))
                && !except.iter().any(|block| block.holds(&range));
            match ranges.last_mut() {
                Some(previous) if inside && previous.touches(&range) => {
                    *previous = previous.joined(&range);
                }
                _ if inside => ranges.push(range),
                _ => {}
            }
        }
        Self(ranges)
    }

    pub(crate) fn coverage(&self, range: &AddressRange) -> Coverage {
        let at = self.0.partition_point(|own| own.last < range.first);
        match self.0.get(at) {
            Some(own) if own.holds(range) => Coverage::Inside,
            Some(own) if own.first <= range.last => Coverage::Partly,
            _ => Coverage::Outside,
        }
    }

    pub(crate) fn ranges(&self) -> &[AddressRange] {
        &self.0
    }
}

/// Both families, cut wherever one of `ranges` begins or ends: each piece is wholly inside or
/// wholly outside of each of them.
pub(crate) fn elementary_ranges<'a>(
    ranges: impl IntoIterator<Item = &'a AddressRange>,
) -> Vec<AddressRange> {
    let mut starts: Vec<Position> = FAMILIES.iter().map(|family| family.first).collect();
    for range in ranges {
        starts.push(range.first);
        starts.extend(range.last.next());
    }
    starts.sort_unstable();
    starts.dedup();
    let mut pieces = Vec::with_capacity(starts.len());
    for (index, &first) in starts.iter().enumerate() {
        // The last piece of a family ends with it: nothing comes before the first of IPv6.
        let last = match starts.get(index + 1).and_then(|next| next.previous()) {
            Some(last) => last,
            None if first < FAMILIES[1].first => FAMILIES[0].last,
            None => FAMILIES[1].last,
        };
        pieces.push(AddressRange { first, last });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> AddressRange {
        AddressRange::block(text).expect("a block")
    }

    fn address(text: &str) -> AddressRange {
        AddressRange::single(text.parse().expect("an address"))
    }

    #[test]
    fn blocks_are_read_in_both_families() {
        for (text, expect) in [
            ("10.0.0.0/8", "10.0.0.0-10.255.255.255"),
            ("10.1.2.3/8", "10.0.0.0-10.255.255.255"),
            ("0.0.0.0/0", "0.0.0.0-255.255.255.255"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("fd00::/8", "fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("::1/128", "::1"),
            ("::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            assert_eq!(block(text).to_string(), expect);
        }
        for text in [
            "10.0.0.0",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/08",
            "10.0.0.0/",
            "a/8",
            "",
        ] {
            assert_eq!(AddressRange::block(text), None, "{text}");
        }
    }

    #[track_caller]
    fn check(blocks: &[&str], except: &[&str], asked: &str, expect: Coverage) {
        let read = |texts: &[&str]| texts.iter().map(|text| block(text)).collect::<Vec<_>>();
        let set = AddressSet::new(&read(blocks), &read(except));
        let asked = AddressRange::block(asked).unwrap_or_else(|| address(asked));
        assert_eq!(set.coverage(&asked), expect);
    }

    #[test]
    fn exceptions_and_families_are_kept_apart() {
        let all = &["0.0.0.0/0"];
        check(all, &["10.0.0.0/8"], "10.1.1.1", Coverage::Outside);
        check(all, &["10.0.0.0/8"], "9.255.255.255", Coverage::Inside);
        check(all, &["10.0.0.0/8"], "11.0.0.0", Coverage::Inside);
        check(all, &["10.0.0.0/8"], "10.0.0.0/7", Coverage::Partly);
        check(all, &[], "fd00::1", Coverage::Outside);
        check(&["fd00::/8"], &[], "253.0.0.1", Coverage::Outside);
        check(&["fd00::/8"], &["fd01::/16"], "fd01::5", Coverage::Outside);
        check(&["::/0"], &[], "::ffff:10.0.0.1", Coverage::Outside);
        check(all, &[], "::ffff:10.0.0.1", Coverage::Inside);
        check(
            &["10.0.0.0/9", "10.128.0.0/9"],
            &[],
            "10.0.0.0/8",
            Coverage::Inside,
        );
        check(
            &["10.0.0.0/8"],
            &["10.0.0.0/8"],
            "10.0.0.1",
            Coverage::Outside,
        );
    }

    #[test]
    fn the_pieces_cover_both_families_without_gaps() {
        let pieces = elementary_ranges(&[block("10.0.0.0/8"), block("::/128"), block("ff00::/8")]);
        let texts: Vec<String> = pieces.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "0.0.0.0-9.255.255.255",
                "10.0.0.0-10.255.255.255",
                "11.0.0.0-255.255.255.255",
                "::",
                "::1-feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "ff00::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            ]
        );
    }
}
