//! Finds Caddy, for tests of the edge.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::build::SUITE;
use crate::cache;
use crate::components::is_executable;
use crate::tool::{PROGRAMS, Tool, on_path};

const NAME: &str = "caddy";
/// Names a ready program, for tests with another version than Debian's.
const VARIABLE: &str = "UNDERPIN_CADDY";

const TOOL: Tool = Tool {
    name: NAME,
    suite: SUITE,
    packages: &[NAME],
    part: PROGRAMS,
    program: NAME,
};

/// The Caddy to use: the one that `$UNDERPIN_CADDY` names, fetched by [`ensure`], or on the `PATH`,
/// whichever is there first.
///
/// Fails with the commands that bring one.
pub fn find() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(path);
        if is_executable(&path) {
            return Ok(path);
        }
        bail!("{VARIABLE} names {}, which is no program", path.display());
    }
    let fetched = TOOL.folder()?.join(NAME);
    let found = [fetched].into_iter().chain(on_path(NAME));
    match found.into_iter().find(|path| is_executable(path)) {
        Some(found) => Ok(found),
        None => bail!(
            "no caddy in ${VARIABLE}, in the cache {} or on the PATH; `cargo xtask test` fetches \
             one, or run: apt-get install caddy",
            cache::root()?.display()
        ),
    }
}

/// Caddy, fetched from Debian's archive if there is none on this machine (13 MB).
pub fn ensure() -> Result<PathBuf> {
    if let Ok(found) = find() {
        return Ok(found);
    }
    TOOL.fetch()?;
    find()
}
