//! Random choices that depend on a seed alone (SplitMix64).

use jiff::Timestamp;
use underpin_cluster::Host;

/// A stream of random choices.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds give unlike streams.
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(1))
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = self.0;
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 for a limit of 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % limit).unwrap_or_default()
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

/// The machine on which a simulated run takes place: its clock is a fixed moment, its randomness
/// a function of the run.
#[derive(Debug)]
pub(crate) struct SimulatedHost {
    pub(crate) now: Timestamp,
    pub(crate) random: std::sync::Mutex<Random>,
}

impl Host for SimulatedHost {
    fn now(&self) -> Timestamp {
        // Renewals of the lock are told apart by their time alone.
        let draw = self.draw();
        let nanoseconds = i64::try_from(draw % 1_000_000_000).unwrap_or_default();
        let moment = jiff::SignedDuration::from_nanos(nanoseconds);
        self.now.saturating_add(moment).unwrap_or(self.now)
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        for byte in bytes {
            *byte = self.draw().to_le_bytes()[0];
        }
        Ok(())
    }
}

impl SimulatedHost {
    fn draw(&self) -> u64 {
        let mut random = self
            .random
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        random.bits()
    }
}
