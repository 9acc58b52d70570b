//! When there is to be a round. Pure: times are handed in.

use std::time::Duration;

use tokio::time::Instant;

/// Pause behind the first of several rounds that fail; doubled with each further one.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Changes come in bursts: a round waits until it is quiet, and not for ever. Behind one that failed
/// there is a pause, whatever changes.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    quiet: Duration,
    longest: Duration,
    first: Option<Instant>,
    last: Option<Instant>,
    again: Option<Instant>,
    /// No round before this time, and how long that pause is.
    pause: Option<(Instant, Duration)>,
}

impl Pace {
    pub(crate) fn new(quiet: Duration, longest: Duration) -> Self {
        Self {
            quiet,
            longest,
            first: None,
            last: None,
            again: None,
            pause: None,
        }
    }

    /// Something changed.
    pub(crate) fn changed(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// There is to be a round at this time at the latest.
    pub(crate) fn again(&mut self, at: Instant) {
        self.again = Some(self.again.map_or(at, |again| again.min(at)));
    }

    /// When the next round is; `None` when nothing is to be done.
    pub(crate) fn due(&self) -> Option<Instant> {
        let quiet = self.last.map(|last| last + self.quiet);
        let longest = self.first.map(|first| first + self.longest);
        let burst = match (quiet, longest) {
            (Some(quiet), Some(longest)) => Some(quiet.min(longest)),
            _ => None,
        };
        let due = match (burst, self.again) {
            (Some(burst), Some(again)) => Some(burst.min(again)),
            (burst, again) => burst.or(again),
        };
        let due = due?;
        Some(self.pause.map_or(due, |(earliest, _)| due.max(earliest)))
    }

    /// The round that began last failed: it is tried again after a pause.
    pub(crate) fn failed(&mut self, now: Instant) {
        let pause = self.pause.map_or(PAUSE, |(_, pause)| pause * 2);
        let pause = pause.min(LONGEST_PAUSE);
        self.pause = Some((now + pause, pause));
        self.again(now + pause);
    }

    /// It did not.
    pub(crate) fn succeeded(&mut self) {
        self.pause = None;
    }

    /// A round begins: what changed until now is in it.
    pub(crate) fn begun(&mut self) {
        (self.first, self.last, self.again) = (None, None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_one_round_and_an_endless_one_is_not_waited_for() {
        let (quiet, longest) = (Duration::from_millis(200), Duration::from_secs(1));
        let begin = Instant::now();
        let after = |millis| begin + Duration::from_millis(millis);
        let mut pace = Pace::new(quiet, longest);
        assert_eq!(pace.due(), None);
        pace.changed(begin);
        assert_eq!(pace.due(), Some(after(200)));
        pace.changed(after(150));
        assert_eq!(pace.due(), Some(after(350)));
        for at in (150..=950).step_by(100) {
            pace.changed(after(at));
        }
        assert_eq!(pace.due(), Some(after(1_000)));
        pace.again(after(900));
        pace.again(after(5_000));
        assert_eq!(pace.due(), Some(after(900)));
        pace.begun();
        assert_eq!(pace.due(), None);
        pace.again(after(5_000));
        assert_eq!(pace.due(), Some(after(5_000)));
    }

    /// Rounds that fail do not follow each other without a pause, even while things change.
    #[tokio::test(start_paused = true)]
    async fn behind_a_round_that_failed_there_is_a_pause_that_grows() {
        let begin = Instant::now();
        let after = |millis| begin + Duration::from_millis(millis);
        let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(1));
        pace.failed(begin);
        pace.changed(begin);
        assert_eq!(pace.due(), Some(after(1_000)));
        pace.begun();
        assert_eq!(pace.due(), None);
        pace.failed(after(1_000));
        assert_eq!(pace.due(), Some(after(3_000)));
        for _ in 0..9 {
            pace.failed(begin);
        }
        pace.begun();
        pace.changed(begin);
        assert_eq!(pace.due(), Some(begin + LONGEST_PAUSE));
        pace.succeeded();
        assert_eq!(pace.due(), Some(after(200)));
    }
}
