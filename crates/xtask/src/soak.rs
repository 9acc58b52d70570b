//! `cargo xtask soak`: the simulation, for longer than the tests run it.

use std::env;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to the simulation; `--help` lists what there is.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--release", "--package", "underpin-simulation", "--"])
        .args(&args.rest)
        .status()
        .context("run cargo")?;
    Ok(crate::exit_code(status))
}
