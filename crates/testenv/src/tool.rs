//! A program of a package of Debian's that is fetched into the cache where the machine has none.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::build::fetch_packages;
use crate::cache;
use crate::components::is_executable;

/// The program and where it is from.
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: &'static str,
    /// The release.
    pub(crate) suite: &'static str,
    /// The package, and those of libraries that a machine may lack.
    pub(crate) packages: &'static [&'static str],
    /// The part of the unpacked packages that is kept; empty for all of them.
    pub(crate) part: &'static str,
    /// Where the program is in that part.
    pub(crate) program: &'static str,
}

/// The part that is kept of a program that needs nothing beside it.
pub(crate) const PROGRAMS: &str = "usr/bin";

impl Tool {
    /// The program to use: the one that an environment variable names, for tests with another version than
    /// Debian's, fetched by [`Self::ensure`], or on the `PATH`, whichever is there first.
    ///
    /// Fails with the commands that bring one.
    pub(crate) fn find(&self, variable: &str) -> Result<PathBuf> {
        let name = self.name;
        if let Some(path) = env::var_os(variable).filter(|value| !value.is_empty()) {
            let path = PathBuf::from(path);
            if is_executable(&path) {
                return Ok(path);
            }
            bail!("{variable} names {}, which is no program", path.display());
        }
        let mut places = [self.path()?].into_iter().chain(on_path(name));
        match places.find(|path| is_executable(path)) {
            Some(found) => Ok(found),
            None => bail!(
                "no {name} in ${variable}, in the cache {} or on the PATH; `cargo xtask \
                 control-plane tools` fetches one, or run: apt-get install {name}",
                cache::root()?.display()
            ),
        }
    }

    /// The same, fetched from Debian's archive if there is none on this machine.
    pub(crate) fn ensure(&self, variable: &str) -> Result<PathBuf> {
        if let Ok(found) = self.find(variable) {
            return Ok(found);
        }
        self.fetch()?;
        self.find(variable)
    }

    /// Where it is once it was fetched.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let (name, suite) = (self.name, self.suite);
        Ok(cache::root()?.join(format!("{name}-{suite}-{}", env::consts::ARCH)))
    }

    /// The program once it was fetched.
    fn path(&self) -> Result<PathBuf> {
        Ok(self.folder()?.join(self.program))
    }

    /// Fetches it, unless somebody else does meanwhile.
    pub(crate) fn fetch(&self) -> Result<()> {
        let target = self.folder()?;
        let root = cache::root()?;
        fs::create_dir_all(&root).with_context(|| format!("create {}", root.display()))?;
        let lock_path = root.join(format!("{}.lock", self.name));
        let lock =
            File::create(&lock_path).with_context(|| format!("open {}", lock_path.display()))?;
        // The lock ends with `lock`; its last holder may have fetched it.
        lock.lock()
            .with_context(|| format!("lock {}", lock_path.display()))?;
        if !target.is_dir() {
            let work = root.join(format!("{}.work", self.name));
            self.fetch_into(&target, &work)?;
            fs::remove_dir_all(&work).with_context(|| format!("remove {}", work.display()))?;
        }
        Ok(())
    }

    fn fetch_into(&self, target: &Path, work: &Path) -> Result<()> {
        let (name, packages) = (self.name, self.packages);
        if work.exists() {
            fs::remove_dir_all(work).with_context(|| format!("clear {}", work.display()))?;
        }
        let files = fetch_packages(self.suite, packages, work)
            .with_context(|| format!("fetch {name}; any {name} on the PATH will do as well"))?;
        fs::remove_dir_all(&files).with_context(|| format!("remove {}", files.display()))?;
        let unpacked = work.join("packages").join(self.part);
        if !is_executable(&unpacked.join(self.program)) {
            let (packages, part) = (packages.join(", "), self.part);
            bail!("{packages}: no program {part}/{}", self.program);
        }
        // Renamed as a whole: what exists is complete.
        fs::rename(&unpacked, target).with_context(|| format!("move into {}", target.display()))
    }
}

/// Where a program of this name may be on the `PATH`.
pub(crate) fn on_path(name: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .collect()
}
