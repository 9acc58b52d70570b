//! How long a client has had something under way: what of a run's time is the registry's.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The time in which at least one request was under way.
#[derive(Default)]
pub(crate) struct UnderWay {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    number: usize,
    /// When the first of those that are under way began.
    since: Option<Instant>,
    /// Until then.
    total: Duration,
}

impl UnderWay {
    /// One more is under way, until what is returned is dropped.
    pub(crate) fn begin(&self) -> One<'_> {
        let mut state = self.state();
        state.number += 1;
        state.since.get_or_insert_with(Instant::now);
        One(self)
    }

    /// How long at least one was.
    pub(crate) fn total(&self) -> Duration {
        let state = self.state();
        state.total + state.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way.
pub(crate) struct One<'u>(&'u UnderWay);

impl Drop for One<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.number = state.number.saturating_sub(1);
        if state.number == 0
            && let Some(since) = state.since.take()
        {
            state.total += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_overlaps_counts_once_and_pauses_do_not_count() {
        let under_way = UnderWay::default();
        let second = Duration::from_secs(1);
        let first = under_way.begin();
        tokio::time::advance(second).await;
        let other = under_way.begin();
        tokio::time::advance(second).await;
        drop(first);
        tokio::time::advance(second).await;
        assert_eq!(under_way.total(), 3 * second);
        drop(other);
        tokio::time::advance(10 * second).await;
        assert_eq!(under_way.total(), 3 * second);
        let last = under_way.begin();
        tokio::time::advance(second).await;
        drop(last);
        assert_eq!(under_way.total(), 4 * second);
    }
}
