//! The sandbox answers as a real API server does: request sequences, run against both, compared
//! field by field.
//!
//! ```text
//! sequences/*.json ─▶ expand ─▶ run ─┬─ sandbox ─▶ normal ─┐
//!   (topics)                         └─ server  ─▶ normal ─┴─▶ compare ─▶ table ─▶ counts
//! ```
//!
//! * A sequence runs in a namespace of its own, of the same name on both sides. Every answer is
//!   compared (status, and the whole body with `managedFields`), and in the end what it wrote is
//!   read once more, after dry runs and refusals too.
//! * Where both differ for a good reason, `differences/<version>.json` says so. A difference that
//!   is not in that table fails, and so does an entry that describes nothing any more.
//! * The server is always a real one, whatever other tests run on: the one built for tests, or
//!   another with `KUBEBUILDER_ASSETS`, for which the table of its version counts (none: nothing
//!   may differ).
//! * All differences of the last run are in `conformance-differences.txt` in the tests' temporary
//!   folder. `INSTA_UPDATE=always` writes `counts.snap` anew.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test: its time is the machine's, and a pattern that is none fails it"
)]

mod compare;
mod counts;
mod expand;
mod glob;
mod kinds;
mod normal;
mod run;
mod server;
mod table;
mod topic;

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result, bail};

use compare::Difference;

/// Differences that a failure shows; the file has them all.
const SHOWN: usize = 60;
/// The version whose counts are committed.
const COUNTED_VERSION: &str = "1.20";

/// Issue 3, point 4.
#[test]
fn the_sandbox_answers_as_the_server_does() -> Result<()> {
    let topics = topic::all()?;
    let outcome = run::all(&topics)?;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance-differences.txt");
    let lines: String = outcome
        .differences
        .iter()
        .map(|d| format!("{d}\n"))
        .collect();
    fs::write(&file, lines).with_context(|| format!("write {}", file.display()))?;

    let mut table = table::read(&outcome.version)?;
    let unexplained = table.take(&outcome.differences);
    let stale = table.stale();
    if !unexplained.is_empty() || !stale.is_empty() {
        bail!("{}", report(&unexplained, &stale, &file));
    }
    if outcome.version == COUNTED_VERSION {
        counts::check(&topics, &outcome, &table);
    }
    Ok(())
}

fn report(unexplained: &[&Difference], stale: &[String], file: &Path) -> String {
    let mut text = format!(
        "{} differences that the table does not explain, {} entries of the table that are wrong\n",
        unexplained.len(),
        stale.len()
    );
    for difference in unexplained.iter().take(SHOWN) {
        let _ = writeln!(text, "{difference}");
    }
    for entry in stale {
        let _ = writeln!(text, "table: {entry}");
    }
    let _ = write!(text, "all differences: {}", file.display());
    text
}
