//! The one door to the wall clock and to randomness.

use std::fmt::Debug;

use jiff::Timestamp;

/// What a run takes from the machine that it runs on besides time that passes, which is
/// [`tokio::time`]'s. A test that brings its own host and pauses the time has runs that are the
/// same each time.
pub trait Host: Send + Sync + Debug {
    /// The wall clock: for records that people read, and for noticing that a machine slept.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` with random ones that nobody can foretell, or says why it cannot.
    fn random(&self, bytes: &mut [u8]) -> Result<(), String>;
}

/// The machine that the program runs on: its wall clock, and the randomness of its operating
/// system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemHost;

impl Host for SystemHost {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn random(&self, bytes: &mut [u8]) -> Result<(), String> {
        getrandom::fill(bytes).map_err(|error| error.to_string())
    }
}
