//! R6.2: killed after any write, the next run comes to the same end, and nothing is harmed on the
//! way. The same scenarios each time; `cargo xtask soak` plays others.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use underpin_simulation::{Measure, Report, Scenario, play, shrink};

/// Kill points that are recovered from.
const POINTS: u64 = 20_000;
/// Scenarios at once.
const THREADS: usize = 2;
/// What else each operation goes through.
const MEASURE: Measure = Measure {
    interleavings: 6,
    faults: 6,
};

#[test]
fn a_run_can_die_after_any_write() {
    let (next, points) = (AtomicU64::new(0), AtomicU64::new(0));
    let total = Mutex::new((Report::default(), Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while points.load(Ordering::Relaxed) < POINTS {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let report = play(&Scenario::generate(seed, &BTreeSet::new()), MEASURE);
                    points.fetch_add(report.points, Ordering::Relaxed);
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    if !report.violations.is_empty() {
                        total.1.push(seed);
                        return;
                    }
                    total.0.add(report);
                }
            });
        }
    });
    let (report, failed) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(seed) = failed.first() {
        let (without, report) = shrink(*seed, &BTreeSet::new(), MEASURE);
        let without: Vec<String> = without.iter().map(ToString::to_string).collect();
        panic!(
            "{}\nplay again: cargo xtask soak --interleavings {} --faults {} --seed {seed} --without {}",
            report.violations.join("\n"),
            MEASURE.interleavings,
            MEASURE.faults,
            without.join(",")
        );
    }
    assert!(report.points >= POINTS);
    // A scenario in which nothing happens proves nothing.
    assert!(report.done > 500 && report.interleavings > 2_000 && report.faults > 2_000);
}
