//! How many requests are under way at once: more while the server answers, half as soon as it
//! says that it is too much (additive increase, multiplicative decrease).

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Requests at once in the beginning.
const START: usize = 8;
/// Requests at once at most: what a server without priority and fairness bears from one client.
const MOST: usize = 24;

/// The limiter.
pub(crate) struct Limiter {
    state: Mutex<State>,
    freed: Notify,
}

struct State {
    limit: usize,
    under_way: usize,
    /// Successes since the limit last changed.
    successes: usize,
}

/// Leave to have one request under way; given back when dropped.
pub(crate) struct Permit<'a>(&'a Limiter);

impl Default for Limiter {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                limit: START,
                under_way: 0,
                successes: 0,
            }),
            freed: Notify::new(),
        }
    }
}

impl Limiter {
    /// Waits for one's turn.
    pub(crate) async fn permit(&self) -> Permit<'_> {
        loop {
            let freed = self.freed.notified();
            {
                let mut state = self.lock();
                if state.under_way < state.limit {
                    state.under_way += 1;
                    return Permit(self);
                }
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is three numbers, consistent after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The server answered: after a round of successes one more is let through.
    pub(crate) fn succeeded(self) {
        let mut state = self.0.lock();
        state.successes += 1;
        if state.successes >= state.limit && state.limit < MOST {
            state.limit += 1;
            state.successes = 0;
        }
        drop(state);
        self.0.freed.notify_one();
    }

    /// The server said that it is too much.
    pub(crate) fn throttled(self) {
        let mut state = self.0.lock();
        state.limit = (state.limit / 2).max(1);
        state.successes = 0;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.lock().under_way -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limiter: &Limiter) -> usize {
        limiter.lock().limit
    }

    #[tokio::test]
    async fn grows_by_one_a_round_and_halves_when_throttled() {
        let limiter = Limiter::default();
        for _ in 0..START {
            limiter.permit().await.succeeded();
        }
        assert_eq!(limit(&limiter), START + 1);
        limiter.permit().await.throttled();
        assert_eq!(limit(&limiter), START.div_ceil(2));
        for _ in 0..10 {
            limiter.permit().await.throttled();
        }
        assert_eq!(limit(&limiter), 1);
        for _ in 0..10_000 {
            limiter.permit().await.succeeded();
        }
        assert_eq!(limit(&limiter), MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn lets_no_more_through_than_the_limit() {
        let limiter = Limiter::default();
        let mut held = Vec::new();
        for _ in 0..START {
            held.push(limiter.permit().await);
        }
        let second = std::time::Duration::from_secs(1);
        assert!(
            tokio::time::timeout(second, limiter.permit())
                .await
                .is_err()
        );
        held.pop();
        assert!(tokio::time::timeout(second, limiter.permit()).await.is_ok());
    }
}
