//! `cargo xtask conformance FOLDER`: what `connect` says of worlds for which somebody else has said
//! what is allowed.
//!
//! The folder holds `connlist/NAME/input/` with `expected_connlist.txt` or `expected_exposure.txt`,
//! of which the first section counts, and `diff/NAME/{before,after}/` with `expected.txt`, as the
//! tool netpol-analyzer of np-guard prints them. Its choices are made where the documentation leaves
//! some (`Profile::NpGuard`). A case that must differ stands in `differences.rs` with the reason.

mod connectivity;
mod differences;
mod expected;
mod ours;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use camino::{Utf8Path, Utf8PathBuf};

use self::connectivity::{Changes, Connectivity};
use self::differences::{KNOWN, Known};

/// Lines of one case that are shown where it differs.
const SHOWN: usize = 6;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder with `connlist` and `diff`.
    folder: Utf8PathBuf,
    /// Show every line in which a case differs.
    #[arg(long)]
    all: bool,
}

/// How a case came out.
enum Score {
    Equal,
    /// As it must, for the reason that is recorded.
    Named(&'static Known),
    /// With the lines.
    Differs(Vec<String>),
    /// It is equal, and was recorded as different.
    NoLonger,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut groups = Vec::new();
    for (name, ask) in [
        (
            "connlist",
            connections as fn(&Utf8Path) -> Result<Vec<String>>,
        ),
        ("diff", changes),
    ] {
        let folder = args.folder.join(name);
        let mut scores = Vec::new();
        for case in cases(&folder)? {
            let differing = ask(&folder.join(&case)).with_context(|| format!("{name}/{case}"))?;
            scores.push((score(name, &case, differing), case));
        }
        groups.push((name, scores));
    }
    let failed = groups
        .iter()
        .flat_map(|(_, scores)| scores)
        .any(|(score, _)| matches!(score, Score::Differs(_) | Score::NoLonger));
    let text = table(&groups, args.all);
    io::stdout()
        .write_all(text.as_bytes())
        .context("write to standard output")?;
    Ok(ExitCode::from(u8::from(failed)))
}

fn cases(folder: &Utf8Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read {folder}"))? {
        let name = entry.with_context(|| format!("read {folder}"))?.file_name();
        found.extend(name.into_string());
    }
    ensure!(!found.is_empty(), "{folder} holds no case");
    Ok(found)
}

fn score(group: &str, case: &str, differing: Vec<String>) -> Score {
    let known = KNOWN.iter().find(|known| known.is(group, case));
    match (differing.is_empty(), known) {
        (true, None) => Score::Equal,
        (true, Some(_)) => Score::NoLonger,
        (false, Some(known)) => Score::Named(known),
        (false, None) => Score::Differs(differing),
    }
}

fn read(file: &Utf8Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("read {file}"))
}

/// The lines in which a list of connections differs.
fn connections(case: &Utf8Path) -> Result<Vec<String>> {
    let ours = ours::connectivity(&ours::engine(&case.join("input")));
    let mut differing = Vec::new();
    let mut asked = false;
    for file in ["expected_connlist.txt", "expected_exposure.txt"] {
        let file = case.join(file);
        if file.exists() {
            asked = true;
            let expected = Connectivity::of(expected::connections(&read(&file)?)?);
            differing.extend(expected.differing(&ours));
        }
    }
    ensure!(asked, "nothing is expected");
    Ok(differing)
}

/// The lines in which what two worlds allow differently differs.
fn changes(case: &Utf8Path) -> Result<Vec<String>> {
    let engines = ["before", "after"].map(|side| ours::engine(&case.join(side)));
    let expected = Changes::of(expected::changes(&read(&case.join("expected.txt"))?)?);
    Ok(expected.differing(&ours::changes(&engines[0], &engines[1])))
}

fn table(groups: &[(&str, Vec<(Score, String)>)], all: bool) -> String {
    let mut lines = vec![format!(
        "{:<10}{:>7}{:>10}{:>10}",
        "", "equal", "reason", "differs"
    )];
    for (name, scores) in groups {
        let count = |is: fn(&Score) -> bool| scores.iter().filter(|(score, _)| is(score)).count();
        lines.push(format!(
            "{name:<10}{:>7}{:>10}{:>10}",
            count(|score| matches!(score, Score::Equal)),
            count(|score| matches!(score, Score::Named(_))),
            count(|score| matches!(score, Score::Differs(_) | Score::NoLonger)),
        ));
    }
    for (group, scores) in groups {
        for (score, case) in scores {
            match score {
                Score::Equal => {}
                Score::Named(known) => {
                    lines.push(format!(
                        "\n{group}/{case} differs as it must:\n  {}",
                        known.why
                    ));
                }
                Score::NoLonger => lines.push(format!(
                    "\n{group}/{case} is equal: take it out of differences.rs"
                )),
                Score::Differs(differing) => {
                    lines.push(format!("\n{group}/{case} differs:"));
                    let shown = if all { differing.len() } else { SHOWN };
                    lines.extend(differing.iter().take(shown).map(|line| format!("  {line}")));
                    if let Some(more) = differing.len().checked_sub(shown).filter(|more| *more > 0)
                    {
                        lines.push(format!("  and {more} more"));
                    }
                }
            }
        }
    }
    lines.join("\n") + "\n"
}
