//! Finds kubectl, for tests that need no control plane.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::build::{KUBECTL_PACKAGE, KUBECTL_SUITE};
use crate::cache;
use crate::components::{ASSETS, is_executable};
use crate::tool::{PROGRAMS, Tool, on_path};

const NAME: &str = "kubectl";

const TOOL: Tool = Tool {
    name: NAME,
    suite: KUBECTL_SUITE,
    packages: &[KUBECTL_PACKAGE],
    part: PROGRAMS,
    program: NAME,
};

/// The kubectl to use: of `$KUBEBUILDER_ASSETS`, of the built control plane, fetched by
/// [`ensure`], or on the `PATH`, whichever is there first.
///
/// Fails with the commands that bring one.
pub fn find() -> Result<PathBuf> {
    let assets = env::var_os(ASSETS).filter(|value| !value.is_empty());
    let mut folders: Vec<PathBuf> = assets.map(PathBuf::from).into_iter().collect();
    folders.push(cache::current()?);
    folders.push(TOOL.folder()?);
    let paths = folders.iter().map(|folder| folder.join(NAME));
    let mut paths = paths.chain(on_path(NAME));
    match paths.find(|path| is_executable(path)) {
        Some(found) => Ok(found),
        None => bail!(
            "no kubectl in $KUBEBUILDER_ASSETS, in the cache or on the PATH; \
             `cargo xtask test` fetches one"
        ),
    }
}

/// kubectl, fetched from Debian's archive if there is none on this machine (12 MB).
pub fn ensure() -> Result<PathBuf> {
    if let Ok(found) = find() {
        return Ok(found);
    }
    TOOL.fetch()?;
    find()
}
