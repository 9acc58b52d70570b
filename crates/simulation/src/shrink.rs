//! Makes a failing scenario smaller.

use std::collections::BTreeSet;

use crate::{Measure, Report, Scenario, play};

/// Leaves out part after part as long as something is still wrong. Returns the parts left out and
/// what is wrong without them.
pub(crate) fn shrink(seed: u64, measure: Measure) -> (BTreeSet<usize>, Report) {
    let mut out = BTreeSet::new();
    let scenario = Scenario::generate(seed, &out);
    let parts = scenario.parts;
    let mut report = play(&scenario, measure);
    // The last operations first: what follows the failure is of no interest.
    for part in (0..parts).rev() {
        out.insert(part);
        let smaller = play(&Scenario::generate(seed, &out), measure);
        if smaller.violations.is_empty() {
            out.remove(&part);
        } else {
            report = smaller;
        }
    }
    (out, report)
}
