//! Sets of small numbers as bits.

/// Numbers in a block.
const BLOCK: usize = u64::BITS as usize;

/// A set of numbers below a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// None of the numbers below `bound`.
    pub(crate) fn empty(bound: usize) -> Self {
        Self(vec![0; bound.div_ceil(BLOCK)])
    }

    /// All numbers below `bound`.
    pub(crate) fn full(bound: usize) -> Self {
        let mut bits = Self(vec![u64::MAX; bound.div_ceil(BLOCK)]);
        if let Some(last) = bits.0.last_mut().filter(|_| !bound.is_multiple_of(BLOCK)) {
            *last = (1 << (bound % BLOCK)) - 1;
        }
        bits
    }

    pub(crate) fn insert(&mut self, number: usize) {
        self.0[number / BLOCK] |= 1 << (number % BLOCK);
    }

    pub(crate) fn contains(&self, number: usize) -> bool {
        self.0[number / BLOCK] & (1 << (number % BLOCK)) != 0
    }

    pub(crate) fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    /// Splits into what is in `other` and what is not.
    pub(crate) fn split(&self, other: &Self) -> (Self, Self) {
        let blocks = || self.0.iter().zip(&other.0);
        (
            Self(blocks().map(|(own, other)| own & other).collect()),
            Self(blocks().map(|(own, other)| own & !other).collect()),
        )
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(index, block)| {
            let mut rest = *block;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(index * BLOCK + bit)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_sets_of_numbers() {
        for bound in [0, 1, 63, 64, 65, 130] {
            let full = Bits::full(bound);
            assert_eq!(
                full.iter().collect::<Vec<_>>(),
                (0..bound).collect::<Vec<_>>()
            );
            let mut odd = Bits::empty(bound);
            (1..bound).step_by(2).for_each(|number| odd.insert(number));
            let (inside, outside) = full.split(&odd);
            assert_eq!(inside, odd);
            assert!(
                outside
                    .iter()
                    .all(|number| number % 2 == 0 && !odd.contains(number))
            );
            assert_eq!(outside.first(), (bound > 0).then_some(0));
        }
    }
}
