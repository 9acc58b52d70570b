//! `cargo xtask test`: the project's one test command.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use underpin_testenv::build;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to `cargo test` (a test's name, or `-- --nocapture`).
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    build::ensure()?;
    // Tests and the program in one go: the same features for both, so that nothing is compiled
    // twice, and the program is there before the first test looks for it.
    let everything = ["--workspace", "--all-features"];
    let built = cargo()
        .arg("build")
        .args(everything)
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
    let program = executable(&String::from_utf8_lossy(&built.stdout))?;
    let status = cargo()
        .arg("test")
        .args(everything)
        .args(&args.rest)
        .env("UNDERPIN_BIN", program)
        .status()
        .context("run cargo test")?;
    Ok(crate::exit_code(status))
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Where cargo says that it put the program.
fn executable(messages: &str) -> Result<PathBuf> {
    for line in messages.lines() {
        let message: serde_json::Value =
            serde_json::from_str(line).context("read cargo's messages")?;
        let target = &message["target"];
        if target["name"] == "underpin"
            && target["kind"][0] == "bin"
            && message["profile"]["test"] == false
            && let Some(path) = message["executable"].as_str()
        {
            return Ok(path.into());
        }
    }
    bail!("cargo built no program underpin")
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn the_program_is_found_and_its_unit_tests_are_not_taken_for_it() {
        let unit = r#"{"target":{"name":"underpin","kind":["bin"]},"profile":{"test":true},"executable":"/t/deps/underpin-1"}"#;
        let program = r#"{"target":{"name":"underpin","kind":["bin"]},"profile":{"test":false},"executable":"/t/underpin"}"#;
        let end = r#"{"reason":"build-finished","success":true}"#;
        let all = [unit, program, end].join("\n");
        assert_eq!(
            executable(&all).unwrap(),
            std::path::Path::new("/t/underpin")
        );
        assert!(executable(unit).is_err());
        assert!(executable("no JSON").is_err());
    }
}
