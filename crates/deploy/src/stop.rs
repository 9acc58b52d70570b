//! Stopping: a deadline or an interrupt ends a run between two requests, never within one.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

/// Least time a request is given: with less left before the deadline, none is sent.
const LEAST_REQUEST_TIME: Duration = Duration::from_secs(1);
/// Any long time: a sleep that is only meant to be interrupted.
const LONG: Duration = Duration::from_hours(1);
/// Kept free before the deadline for writing the last record and leaving.
const MARGIN: Duration = Duration::from_millis(1500);

/// Why a run stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The deadline is too near for another request.
    Deadline,
    /// The user interrupted.
    Interrupted,
    /// Another run has taken the lock over, or may at any moment: it could not be renewed.
    LockLost,
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deadline => "the deadline is reached",
            Self::Interrupted => "interrupted",
            Self::LockLost => "the lock was lost, or could not be renewed in time",
        })
    }
}

/// When and whether to stop.
#[derive(Clone, Debug)]
pub struct Stop {
    deadline: Option<Instant>,
    interrupted: watch::Receiver<bool>,
}

impl Stop {
    /// Stops at the deadline, or once `interrupted` turns true.
    pub fn new(deadline: Option<Instant>, interrupted: watch::Receiver<bool>) -> Self {
        Self {
            deadline,
            interrupted,
        }
    }

    /// Why to stop now, if so.
    pub fn reason(&self) -> Option<StopReason> {
        if *self.interrupted.borrow() {
            return Some(StopReason::Interrupted);
        }
        let left = self.time_left()?;
        (left < LEAST_REQUEST_TIME).then_some(StopReason::Deadline)
    }

    /// The time limit of the next request: `wanted`, shortened so that it ends before the deadline
    /// and, with `lease`, before the lock could be taken over.
    pub fn time_for(&self, wanted: Duration, lease: Duration) -> Result<Duration, StopReason> {
        if let Some(reason) = self.reason() {
            return Err(reason);
        }
        if lease < LEAST_REQUEST_TIME {
            return Err(StopReason::LockLost);
        }
        Ok(self.time_left().unwrap_or(wanted).min(wanted).min(lease))
    }

    /// Time until requests must have ended; `None` without a deadline.
    pub fn time_left(&self) -> Option<Duration> {
        let end = self.deadline?.checked_sub(MARGIN)?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Resolves when there is a reason to stop.
    pub async fn stopped(&self) -> StopReason {
        loop {
            if let Some(reason) = self.sleep(LONG).await {
                return reason;
            }
        }
    }

    /// Sleeps, but wakes at once when there is a reason to stop.
    pub async fn sleep(&self, duration: Duration) -> Option<StopReason> {
        let mut interrupted = self.interrupted.clone();
        let duration = self.time_left().unwrap_or(duration).min(duration);
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            // A sender that is gone interrupts nobody: wait the sleep out.
            () = async { if interrupted.wait_for(|stop| *stop).await.is_err() { std::future::pending::<()>().await } } => {}
        }
        self.reason()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R6.3
    #[tokio::test(start_paused = true)]
    async fn no_request_outlives_deadline_or_lease() {
        let (_sender, receiver) = watch::channel(false);
        let long = Duration::from_secs(30);
        let free = Stop::new(None, receiver.clone());
        assert_eq!(free.time_for(long, Duration::from_mins(1)), Ok(long));
        assert_eq!(
            free.time_for(long, Duration::from_secs(5)),
            Ok(Duration::from_secs(5))
        );
        assert_eq!(
            free.time_for(long, Duration::ZERO),
            Err(StopReason::LockLost)
        );
        let near = Stop::new(
            Some(Instant::now() + Duration::from_secs(8)),
            receiver.clone(),
        );
        assert!(
            near.time_for(long, long)
                .is_ok_and(|time| time <= Duration::from_millis(6500))
        );
        let over = Stop::new(Some(Instant::now() + Duration::from_secs(2)), receiver);
        assert_eq!(over.time_for(long, long), Err(StopReason::Deadline));
    }

    #[tokio::test]
    async fn an_interrupt_wakes_a_sleeper() {
        let (sender, receiver) = watch::channel(false);
        let stop = Stop::new(None, receiver);
        let sleeper = tokio::spawn(async move { stop.sleep(Duration::from_mins(10)).await });
        sender.send(true).unwrap();
        assert_eq!(sleeper.await.unwrap(), Some(StopReason::Interrupted));
    }
}
