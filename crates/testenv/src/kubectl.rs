//! Finds kubectl, for tests that need no control plane.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build::{KUBECTL_PACKAGE, KUBECTL_SUITE, fetch_packages};
use crate::cache;
use crate::components::{ASSETS, is_executable};

const NAME: &str = "kubectl";

/// The kubectl to use: of `$KUBEBUILDER_ASSETS`, of the built control plane, fetched by
/// [`ensure`], or on the `PATH`, whichever is there first.
///
/// Fails with the commands that bring one.
pub fn find() -> Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let mut folders: Vec<PathBuf> = set(ASSETS).map(PathBuf::from).into_iter().collect();
    folders.push(cache::current()?);
    folders.push(fetched()?);
    if let Some(path) = set("PATH") {
        folders.extend(env::split_paths(&path));
    }
    let paths = folders.iter().map(|folder| folder.join(NAME));
    match paths.into_iter().find(|path| is_executable(path)) {
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
    let target = fetched()?;
    let root = cache::root()?;
    fs::create_dir_all(&root).with_context(|| format!("create {}", root.display()))?;
    let lock_path = root.join("kubectl.lock");
    let lock = File::create(&lock_path).with_context(|| format!("open {}", lock_path.display()))?;
    // The lock ends with `lock`; its last holder may have fetched it.
    lock.lock()
        .with_context(|| format!("lock {}", lock_path.display()))?;
    if !target.is_dir() {
        let work = root.join("kubectl.work");
        fetch_into(&target, &work)?;
        fs::remove_dir_all(&work).with_context(|| format!("remove {}", work.display()))?;
    }
    find()
}

fn fetched() -> Result<PathBuf> {
    Ok(cache::root()?.join(format!("kubectl-{KUBECTL_SUITE}-{}", env::consts::ARCH)))
}

fn fetch_into(target: &Path, work: &Path) -> Result<()> {
    if work.exists() {
        fs::remove_dir_all(work).with_context(|| format!("clear {}", work.display()))?;
    }
    fetch_packages(KUBECTL_SUITE, &[KUBECTL_PACKAGE], work)
        .context("fetch kubectl; any kubectl on the PATH will do as well")?;
    let unpacked = work.join("packages/usr/bin");
    let program = unpacked.join(NAME);
    if !is_executable(&program) {
        bail!("the package {KUBECTL_PACKAGE} has no usr/bin/{NAME}");
    }
    // Renamed as a whole: what exists is complete.
    fs::rename(&unpacked, target).with_context(|| format!("move into {}", target.display()))
}
