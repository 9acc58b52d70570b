//! `cargo xtask test`: the project's one test command.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;
use underpin_testenv::{build, kubectl};

use crate::cargo::{cargo, executable, messages};

/// Everything, with the same features in every step, so that nothing is compiled twice.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-features"];
/// The package of the end-to-end scenarios.
const SCENARIOS: &str = "underpin-tests";
/// Tests in it that are no scenarios: they bring a sandbox of their own.
const WITH_OWN_SANDBOX: [&str; 2] = [COMPARISON, "sandbox"];
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
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("run cargo build")?;
    if !built.status.success() {
        return Ok(crate::exit_code(built.status));
    }
    let messages = messages(&String::from_utf8_lossy(&built.stdout))?;
    let program = executable(&messages, "underpin")?;
    let test = |what: &[&str], cluster: &str| {
        cargo()
            .arg("test")
            .args(EVERYTHING)
            .args(what)
            .args(&args.rest)
            .env("UNDERPIN_BIN", &program)
            .env(CLUSTER, cluster)
            .status()
            .context("run cargo test")
    };
    if args.without_control_plane {
        let mut what = vec!["--lib", "--bins"];
        for (_, name) in targets(&messages) {
            if name != COMPARISON {
                what.extend(["--test", name]);
            }
        }
        return Ok(crate::exit_code(test(&what, "sandbox")?));
    }
    let first = test(&[], "control-plane")?;
    if !first.success() {
        return Ok(crate::exit_code(first));
    }
    let mut what = Vec::new();
    for (package, name) in targets(&messages) {
        if package.contains(SCENARIOS) && !WITH_OWN_SANDBOX.contains(&name) {
            what.extend(["--test", name]);
        }
    }
    Ok(crate::exit_code(test(&what, "sandbox")?))
}

/// Package and name of every integration test.
fn targets(messages: &[Value]) -> BTreeSet<(&str, &str)> {
    let tests = messages
        .iter()
        .filter(|message| message["target"]["kind"][0] == "test");
    tests
        .filter_map(|message| {
            let package = message["package_id"].as_str()?;
            Some((package, message["target"]["name"].as_str()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integration_tests_are_told_by_their_package() {
        let test = r#"{"package_id":"path+file:///a#underpin-tests@1","target":{"name":"i1","kind":["test"]}}"#;
        let library = r#"{"package_id":"b","target":{"name":"b","kind":["lib"]}}"#;
        let all = messages(&[test, library, test].join("\n")).unwrap();
        let found = targets(&all).into_iter().collect::<Vec<_>>();
        assert_eq!(found, [("path+file:///a#underpin-tests@1", "i1")]);
    }
}
