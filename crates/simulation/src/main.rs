//! `cargo xtask soak`: plays scenario after scenario, and tells how to play a failing one again.
#![expect(
    clippy::disallowed_methods,
    reason = "how long to go on is asked of the machine; no run sees it"
)]

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use underpin_simulation::{Measure, Report, Scenario, play, play_many, reproduction};

/// Plays random scenarios on the sandbox, killing every run at every write.
#[derive(Parser)]
#[command(name = "cargo xtask soak")]
struct Args {
    /// Play the scenario of this seed only.
    #[arg(long)]
    seed: Option<u64>,
    /// Leave these parts of it out.
    #[arg(long, requires = "seed", value_delimiter = ',')]
    without: Vec<usize>,
    /// The first seed.
    #[arg(long, default_value_t = 1_000_000)]
    from: u64,
    /// Play until so many kill points have been recovered from.
    #[arg(long, default_value_t = 100_000)]
    points: u64,
    /// Go on for at least so many minutes.
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// Scenarios at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Runs with somebody else in between, for each operation.
    #[arg(long, default_value_t = 10)]
    interleavings: usize,
    /// Runs with a fault, for each operation.
    #[arg(long, default_value_t = 10)]
    faults: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let measure = Measure {
        interleavings: args.interleavings,
        faults: args.faults,
    };
    let outcome = match args.seed {
        Some(seed) => one(seed, &args.without.iter().copied().collect(), measure),
        None => many(&args, measure),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        // Nobody is left to tell when standard output is closed.
        Ok(false) | Err(_) => ExitCode::FAILURE,
    }
}

/// Plays one scenario, and shows it.
fn one(seed: u64, without: &BTreeSet<usize>, measure: Measure) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let scenario = Scenario::generate(seed, without);
    writeln!(out, "{scenario:#?}")?;
    let report = play(&scenario, measure);
    tell(&mut out, &report)?;
    for violation in &report.violations {
        writeln!(out, "{violation}")?;
    }
    Ok(report.violations.is_empty())
}

fn many(args: &Args, measure: Measure) -> io::Result<bool> {
    let end = Instant::now() + Duration::from_secs(args.minutes * 60);
    let goes_on = |points| points < args.points || Instant::now() < end;
    let failing = |seed: u64, violations: &[String]| {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(io::stderr(), "seed {seed}: {}", violations.join("\n"));
    };
    let campaign = play_many(args.from, args.threads, measure, goes_on, failing);
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} scenarios from seed {}",
        campaign.scenarios, args.from
    )?;
    tell(&mut out, &campaign.report)?;
    for seed in &campaign.failed {
        writeln!(out, "{}", reproduction(*seed, measure))?;
    }
    Ok(campaign.failed.is_empty())
}

fn tell(out: &mut impl io::Write, report: &Report) -> io::Result<()> {
    writeln!(
        out,
        "{} operations done, {} refused; {} kill points, {} faults, {} interleavings; {} violations",
        report.done,
        report.refused,
        report.points,
        report.faults,
        report.interleavings,
        report.violations.len()
    )
}
