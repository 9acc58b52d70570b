//! Finds skopeo, which pushes images to registries and pulls them, independently of what is tested.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build::SUITE;
use crate::tool::Tool;

const NAME: &str = "skopeo";
/// Names a ready program.
const VARIABLE: &str = "UNDERPIN_SKOPEO";
/// Tells the loader where libraries are.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

const TOOL: Tool = Tool {
    name: NAME,
    suite: SUITE,
    // With the libraries that it is linked to and a small machine lacks.
    packages: &[
        NAME,
        "libgpgme11",
        "libdevmapper1.02.1",
        "libassuan0",
        "libgpg-error0",
    ],
    part: "",
    program: "usr/bin/skopeo",
};

/// The skopeo to use; fails with the commands that bring one.
pub fn find() -> Result<PathBuf> {
    TOOL.find(VARIABLE)
}

/// skopeo, fetched from Debian's archive if there is none on this machine (9 MB).
pub fn ensure() -> Result<PathBuf> {
    TOOL.ensure(VARIABLE)
}

/// A command of skopeo, with its libraries, that checks no signatures.
pub fn command() -> Result<Command> {
    let program = find()?;
    let mut command = Command::new(&program);
    let folder = TOOL.folder()?;
    if program.starts_with(&folder) {
        let triple = format!("{}-linux-gnu", env::consts::ARCH);
        let own = [
            folder.join("usr/lib").join(&triple),
            folder.join("lib").join(&triple),
        ];
        let set = env::var_os(LIBRARIES).unwrap_or_default();
        let paths = own.into_iter().chain(env::split_paths(&set));
        let joined: OsString = env::join_paths(paths).context("paths of libraries")?;
        command.env(LIBRARIES, joined);
    }
    command.arg("--insecure-policy");
    Ok(command)
}

/// Runs a command of skopeo, and returns what it prints.
pub fn run<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(arguments: I) -> Result<String> {
    let mut command = command()?;
    let output = command.args(arguments).output().context("run skopeo")?;
    if output.status.success() {
        return String::from_utf8(output.stdout).context("what skopeo prints");
    }
    bail!("skopeo: {}", String::from_utf8_lossy(&output.stderr).trim())
}
