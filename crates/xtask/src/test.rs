//! `cargo xtask test`: the project's one test command.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result};
use serde_json::Value;
use underpin_testenv::{build, caddy, kubectl, registry, skopeo};

use crate::cargo::{cargo, executable, messages};

/// Everything, with the same features in every step, so that nothing is compiled twice.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];
/// The package of the end-to-end scenarios.
const SCENARIOS: &str = "underpin-tests";
/// The test in it that brings a sandbox of its own.
const WITH_OWN_SANDBOX: &str = "sandbox";
/// The test that needs a real server, whatever the others run on.
const COMPARISON: &str = "conformance";
/// Says which cluster scenarios run on.
const CLUSTER: &str = "UNDERPIN_TEST_CLUSTER";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run the end-to-end scenarios on the sandbox alone: no control plane is built or started.
    #[arg(long)]
    without_control_plane: bool,
    /// Passed on to `cargo test` (a test's name, or `-- --nocapture`).
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.without_control_plane {
        kubectl::ensure()?;
    } else {
        build::ensure()?;
    }
    caddy::ensure()?;
    registry::ensure()?;
    skopeo::ensure()?;
    // Tests and the program in one go: the same features for both, so that nothing is compiled
    // twice, and the program is there before the first test looks for it.
    let built = cargo()
        .arg("build")
        .args(EVERYTHING)
        .args([
            "--bins",
            "--tests",
            "--message-format=json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo build")?;
    if !built.status.success() {
        return Ok(crate::exit_code(built.status));
    }
    let messages = messages(&String::from_utf8_lossy(&built.stdout))?;
    let program = executable(&messages, "underpin")?;
    let test = |targets: &[&str], cluster: &str| {
        let mut command = cargo();
        command
            .arg("test")
            .args(EVERYTHING)
            .args(targets)
            .args(&args.rest)
            .env("UNDERPIN_BIN", &program)
            .env(CLUSTER, cluster);
        command
    };
    let targets = targets(&messages);
    let mut here = vec!["--lib", "--bins"];
    here.extend(arguments(&targets, |target| target.name != COMPARISON));
    if args.without_control_plane {
        return Ok(crate::exit_code(test(&here, "sandbox").status()?));
    }
    let there = arguments(&targets, Target::needs_a_cluster);
    let (tested, scenarios) = side_by_side(
        test(&here, "sandbox"),
        test(&there, "control-plane"),
        "the end-to-end scenarios on the control plane",
    )?;
    let failed = [tested, scenarios].into_iter().find(|it| !it.success());
    Ok(failed.map_or(ExitCode::SUCCESS, crate::exit_code))
}

/// Runs two commands at once: scenarios spend their time waiting. What the second one prints follows
/// when the first has ended.
fn side_by_side(
    mut first: Command,
    mut second: Command,
    what: &str,
) -> Result<(ExitStatus, ExitStatus)> {
    let (mut output, into) = io::pipe().context("make a pipe")?;
    second.stdin(Stdio::null());
    second.stdout(into.try_clone()?).stderr(into);
    let mut running = second.spawn().context("run cargo test")?;
    // It holds the writing end of the pipe, which would otherwise never end.
    drop(second);
    let reading = thread::spawn(move || {
        let mut printed = Vec::new();
        output.read_to_end(&mut printed).map(|_| printed)
    });
    let mut told = io::stderr();
    writeln!(told, "== {what} run meanwhile, and are printed below")?;
    let first = first.status().context("run cargo test")?;
    let printed = reading.join().ok().context("read what cargo prints")??;
    writeln!(told, "== {what}")?;
    told.write_all(&printed)?;
    Ok((first, running.wait()?))
}

/// An integration test.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target<'a> {
    package: &'a str,
    name: &'a str,
}

impl Target<'_> {
    /// Whether it is told which cluster it runs on, or compares with a real server.
    fn needs_a_cluster(&self) -> bool {
        self.package.contains(SCENARIOS) && self.name != WITH_OWN_SANDBOX
    }
}

/// The arguments that choose some of them.
fn arguments<'a>(targets: &BTreeSet<Target<'a>>, chosen: fn(&Target<'a>) -> bool) -> Vec<&'a str> {
    let chosen = targets.iter().filter(|target| chosen(target));
    chosen.flat_map(|target| ["--test", target.name]).collect()
}

/// Every integration test.
fn targets(messages: &[Value]) -> BTreeSet<Target<'_>> {
    let tests = messages
        .iter()
        .filter(|message| message["target"]["kind"][0] == "test");
    tests
        .filter_map(|message| {
            Some(Target {
                package: message["package_id"].as_str()?,
                name: message["target"]["name"].as_str()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn scenarios_are_told_by_their_package() {
        let test = r#"{"package_id":"path+file:///a#underpin-tests@1","target":{"name":"i1","kind":["test"]}}"#;
        let library = r#"{"package_id":"b","target":{"name":"b","kind":["lib"]}}"#;
        let all = messages(&[test, library, test].join("\n")).unwrap();
        let found: Vec<_> = targets(&all).into_iter().collect();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name, found[0].needs_a_cluster()), ("i1", true));
    }
}
