//! What was compared, as a committed snapshot: a suite that shrinks shows.

use std::fmt::Write as _;

use crate::{run::Outcome, table::Table, topic::Topic};

/// Sequences that the project has promised.
const PROMISED: usize = 200;

/// Compares the counts with the committed ones.
pub(crate) fn check(topics: &[Topic], outcome: &Outcome, table: &Table) {
    let sequences: usize = topics.iter().map(|topic| topic.sequences.len()).sum();
    assert!(sequences >= PROMISED, "{sequences} sequences");
    let mut text = format!("server {}\n\n", outcome.version);
    let _ = writeln!(text, "{:<28} sequences  requests    fields", "topic");
    let mut sum = (0, 0, 0);
    for topic in topics {
        let counts = outcome.counts.get(&topic.name).copied().unwrap_or_default();
        let line = (topic.sequences.len(), counts.requests, counts.fields);
        let _ = writeln!(
            text,
            "{:<28} {:>9} {:>9} {:>9}",
            topic.name, line.0, line.1, line.2
        );
        sum = (sum.0 + line.0, sum.1 + line.1, sum.2 + line.2);
    }
    let _ = writeln!(text, "{:<28} {:>9} {:>9} {:>9}", "all", sum.0, sum.1, sum.2);
    let identical = sum.2.saturating_sub(outcome.differences.len());
    let _ = writeln!(text, "{:<28} {:>29}", "identical", identical);
    let _ = writeln!(text, "\naccepted differences, by reason");
    for (reason, count) in table.counts() {
        let _ = writeln!(text, "{reason:<38} {count:>9}");
    }
    let _ = writeln!(text, "{:<38} {:>9}", "all", outcome.differences.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("counts", text));
}
