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
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
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
            run_instead(xtask, &[])
        }
        Task::Reach(_) if cfg!(debug_assertions) => {
            let [xtask] = built(["xtask"])?;
            run_instead(xtask, &[])
        }
        Task::Images(args) if cfg!(debug_assertions) && !args.is_alone() => {
            let [xtask, underpin] = built(["xtask", "underpin"])?;
            let program = [OsStr::new("--program"), underpin.as_os_str()];
            let more = if args.has_program() {
                &[]
            } else {
                &program[..]
            };
            run_instead(xtask, more)
        }
        Task::Reach(args) => reach::run(args),
        Task::Images(args) => images::run(args),
        Task::Edge(args) => edge::run(args),
    }
}

/// Goes on in the release build of this program, with the same arguments and more.
fn run_instead(xtask: PathBuf, more: &[&OsStr]) -> Result<ExitCode> {
    let mut command = Command::new(xtask);
    command.args(env::args_os().skip(1)).args(more);
    Err(command.exec()).context("run the release build of xtask")
}

fn plan(args: &PlanArgs) -> Result<ExitCode> {
    // The bare requests are sent by this program: unoptimised, they would be no floor.
    if cfg!(debug_assertions) {
        let [xtask, underpin] = built(["xtask", "underpin"])?;
        let program = [OsStr::new("--program"), underpin.as_os_str()];
        let more = if args.program.is_none() {
            &program[..]
        } else {
            &[]
        };
        return run_instead(xtask, more);
    }
    let components = build::ensure()?;
    let underpin = if let Some(program) = &args.program {
        program
            .canonicalize()
            .with_context(|| format!("find {}", program.display()))?
    } else {
        let [underpin] = built(["underpin"])?;
        underpin
    };
    let mut sizes = Vec::new();
    for objects in sizes_of(args)? {
        sizes.push(measure(&components, &underpin, objects, args.rounds)?);
    }
    let text = match args.output {
        Output::Text => report::text(&sizes),
        Output::Json => format!("{:#}\n", report::json(&sizes)),
    };
    io::stdout()
        .write_all(text.as_bytes())
        .context("write to standard output")?;
    Ok(ExitCode::SUCCESS)
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
        // Minutes of silence would look like a hang.
        writeln!(io::stderr(), "{objects} objects, round {round} of {rounds}")
            .context("write to standard error")?;
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
