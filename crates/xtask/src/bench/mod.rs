//! `cargo xtask bench …`: what a plan and a deployment cost, next to kubectl and to the least that
//! they could cost. Nothing here passes or fails by time: figures of one run are compared with each
//! other, and read by people.

mod contenders;
mod edge;
mod floors;
mod images;
mod images_fleet;
mod meters;
mod reach;
mod reach_world;
mod report;
mod workload;
mod yaml;

use std::env;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use serde_json::Value;
use underpin_testenv::{Components, build};

use self::contenders::Subjects;
use self::report::Size;
use crate::cargo::{cargo, executable, messages};

/// Objects at most: as many Services as the control plane has addresses for, and to spare.
const MOST_OBJECTS: u64 = 100_000;
/// Rounds at most.
const MOST_ROUNDS: u64 = 100;

#[derive(Subcommand)]
pub(crate) enum Task {
    /// API calls, seconds and memory of `plan` and `up`, of kubectl's `diff` and `apply`, and of
    /// bare requests.
    Plan(PlanArgs),
    /// Seconds and memory of asking who may connect to whom, in worlds of growing size.
    Reach(reach::Args),
    /// Seconds from a change of an entry to the answer of a real Caddy, and what of that is ours.
    Edge(edge::Args),
    /// Requests, seconds and memory of telling which images of a registry are needed, next to bare
    /// requests and to skopeo.
    Images(images::Args),
}

#[derive(clap::Args)]
pub(crate) struct PlanArgs {
    /// How many objects; may be repeated [default: 1000 and 5000].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=MOST_OBJECTS))]
    objects: Vec<u64>,
    /// How often everything is run, each time from empty control planes.
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=MOST_ROUNDS))]
    rounds: u64,
    /// Measure this program instead of building it.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

pub(crate) fn run(task: &Task) -> Result<ExitCode> {
    match task {
        Task::Plan(args) => plan(args),
        Task::Edge(args) if cfg!(debug_assertions) && !args.is_alone() => {
            let [xtask] = built(["xtask"])?;
            run_instead(xtask, None)
        }
        Task::Reach(_) if cfg!(debug_assertions) => {
            let [xtask] = built(["xtask"])?;
            run_instead(xtask, None)
        }
        Task::Images(args) if cfg!(debug_assertions) && !args.is_alone() => {
            let [xtask, underpin] = built(["xtask", "underpin"])?;
            run_instead(xtask, (!args.has_program()).then_some(&underpin))
        }
        Task::Reach(args) => reach::run(args),
        Task::Images(args) => images::run(args),
        Task::Edge(args) => edge::run(args),
    }
}

/// Goes on in the release build of this program, with the same arguments and, where one is to be measured
/// that they do not name, the program.
fn run_instead(xtask: PathBuf, program: Option<&PathBuf>) -> Result<ExitCode> {
    let mut command = Command::new(xtask);
    command.args(env::args_os().skip(1));
    if let Some(program) = program {
        command.arg("--program").arg(program);
    }
    Err(command.exec()).context("run the release build of xtask")
}

fn plan(args: &PlanArgs) -> Result<ExitCode> {
    // The bare requests are sent by this program: unoptimised, they would be no floor.
    if cfg!(debug_assertions) {
        let [xtask, underpin] = built(["xtask", "underpin"])?;
        return run_instead(xtask, args.program.is_none().then_some(&underpin));
    }
    let components = build::ensure()?;
    let underpin = program(args.program.as_deref())?;
    let mut sizes = Vec::new();
    for objects in sizes_of(args)? {
        sizes.push(measure(&components, &underpin, objects, args.rounds)?);
    }
    args.output
        .print(|| report::text(&sizes), || report::json(&sizes))
}

/// The program that is measured: the one that is given, or a release build.
fn program(given: Option<&Path>) -> Result<PathBuf> {
    match given {
        Some(program) => found(program),
        None => built(["underpin"]).map(|[underpin]| underpin),
    }
}

/// A program, wherever it is run.
fn found(program: &Path) -> Result<PathBuf> {
    program
        .canonicalize()
        .with_context(|| format!("find {}", program.display()))
}

impl Output {
    /// Prints what was measured.
    fn print(
        self,
        text: impl FnOnce() -> String,
        json: impl FnOnce() -> Value,
    ) -> Result<ExitCode> {
        print(&match self {
            Self::Text => text(),
            Self::Json => format!("{:#}\n", json()),
        })
    }
}

fn print(text: &str) -> Result<ExitCode> {
    io::stdout()
        .write_all(text.as_bytes())
        .context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// Minutes of silence would look like a hang.
fn say(text: &str) -> Result<()> {
    writeln!(io::stderr(), "{text}").context("write to standard error")
}

fn sizes_of(args: &PlanArgs) -> Result<Vec<usize>> {
    let wanted = match args.objects.as_slice() {
        [] => &[1_000, 5_000],
        some => some,
    };
    let sizes = wanted.iter().map(|size| usize::try_from(*size));
    sizes.collect::<Result<_, _>>().context("--objects")
}

fn measure(components: &Components, underpin: &Path, objects: usize, rounds: u64) -> Result<Size> {
    let subjects = Subjects::create(components, underpin, objects)?;
    let mut found = Vec::new();
    for round in 1..=rounds {
        say(&format!("{objects} objects, round {round} of {rounds}"))?;
        found.push(subjects.round()?);
    }
    Size::of(objects, &found)
}

/// Release builds of programs of this workspace.
fn built<const COUNT: usize>(names: [&'static str; COUNT]) -> Result<[PathBuf; COUNT]> {
    let mut command = cargo();
    command.args([
        "build",
        "--release",
        "--message-format=json-render-diagnostics",
    ]);
    for name in names {
        command.args(["--package", name]);
    }
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo build")?;
    if !output.status.success() {
        bail!("cargo build ended with {}", output.status);
    }
    let messages = messages(&String::from_utf8_lossy(&output.stdout))?;
    let paths: Vec<PathBuf> = names
        .iter()
        .map(|name| executable(&messages, name))
        .collect::<Result<_>>()?;
    paths
        .try_into()
        .ok()
        .context("as many programs as were asked for")
}
