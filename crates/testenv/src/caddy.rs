//! Finds Caddy, for tests of the edge.

use std::path::PathBuf;

use anyhow::Result;

use crate::build::SUITE;
use crate::tool::{PROGRAMS, Tool};

const NAME: &str = "caddy";
/// Names a ready program.
const VARIABLE: &str = "UNDERPIN_CADDY";

const TOOL: Tool = Tool {
    name: NAME,
    suite: SUITE,
    packages: &[NAME],
    part: PROGRAMS,
    program: NAME,
};

/// The Caddy to use; fails with the commands that bring one.
pub fn find() -> Result<PathBuf> {
    TOOL.find(VARIABLE)
}

/// Caddy, fetched from Debian's archive if there is none on this machine (13 MB).
pub fn ensure() -> Result<PathBuf> {
    TOOL.ensure(VARIABLE)
}
