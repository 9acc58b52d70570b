//! R6.2: killed after any write, the next run comes to the same end, and nothing is harmed on the
//! way. The same scenarios each time; `cargo xtask soak` plays others.

use underpin_simulation::{Measure, play_many, reproduction};

/// Kill points that are recovered from.
const POINTS: u64 = 20_000;
/// Scenarios at once.
const THREADS: usize = 2;
/// What else each operation goes through.
const MEASURE: Measure = Measure {
    interleavings: 3,
    faults: 3,
};

#[test]
fn a_run_can_die_after_any_write() {
    let campaign = play_many(0, THREADS, MEASURE, |points| points < POINTS, |_, _| {});
    if let Some(seed) = campaign.failed.first() {
        panic!("{}", reproduction(*seed, MEASURE));
    }
    let report = campaign.report;
    assert!(report.points >= POINTS);
    // A scenario in which nothing happens proves nothing.
    assert!(report.done > 500 && report.interleavings > 2_000 && report.faults > 2_000);
}
