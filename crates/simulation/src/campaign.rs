//! Many scenarios, side by side, and what is told of a failing one.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{Measure, Report, Scenario, play, shrink::shrink};

/// After so many failing scenarios no further one is begun: the first ones tell enough.
const FAILURES: usize = 3;

/// What came of many scenarios.
#[derive(Debug, Default)]
pub struct Campaign {
    /// Number of scenarios.
    pub scenarios: u64,
    /// All of them together.
    pub report: Report,
    /// The seeds of those with violations.
    pub failed: Vec<u64>,
}

/// Plays the scenarios of `first` and the following seeds on `threads` threads, while `goes_on`
/// says so of the number of kill points so far, and until several have failed. `failing` is told of
/// each failing seed at once, with what is wrong: a long run that is broken off has told it all.
pub fn play_many(
    first: u64,
    threads: usize,
    measure: Measure,
    goes_on: impl Fn(u64) -> bool + Sync,
    failing: impl Fn(u64, &[String]) + Sync,
) -> Campaign {
    let (next, points) = (AtomicU64::new(first), AtomicU64::new(0));
    let campaign = Mutex::new(Campaign::default());
    let lock = || campaign.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while goes_on(points.load(Ordering::Relaxed)) && lock().failed.len() < FAILURES {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let report = play(&Scenario::generate(seed, &BTreeSet::new()), measure);
                    points.fetch_add(report.points, Ordering::Relaxed);
                    let mut campaign = lock();
                    campaign.scenarios += 1;
                    if !report.violations.is_empty() {
                        failing(seed, &report.violations);
                        campaign.failed.push(seed);
                    }
                    campaign.report.add(report);
                }
            });
        }
    });
    campaign
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

/// What is wrong with the scenario of a seed, in as few parts as show it, and the line that plays
/// it again.
pub fn reproduction(seed: u64, measure: Measure) -> String {
    let (without, report) = shrink(seed, measure);
    let mut text = report.violations.join("\n");
    let without: Vec<String> = without.iter().map(ToString::to_string).collect();
    let Measure {
        interleavings,
        faults,
    } = measure;
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\nplay again: cargo xtask soak --interleavings {interleavings} --faults {faults} --seed \
         {seed} --without {}",
        without.join(",")
    );
    text
}
