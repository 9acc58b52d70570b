//! Finds the programs that a control plane consists of.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::cache;

/// What to run when components are missing; every error about them says it.
pub const BUILD_COMMAND: &str = "cargo xtask control-plane build";

/// The variable with which other Kubernetes test tools name a folder of ready programs.
pub(crate) const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// Paths of the five programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    /// The store.
    pub etcd: PathBuf,
    /// The API server.
    pub kube_apiserver: PathBuf,
    /// Controllers: garbage collection, namespaces, workloads, service accounts.
    pub kube_controller_manager: PathBuf,
    /// Binds pods to (fake) nodes.
    pub kube_scheduler: PathBuf,
    /// The command line client.
    pub kubectl: PathBuf,
}

impl Components {
    /// Names of the programs, as they must be called in a folder.
    pub const NAMES: [&str; 5] = [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubectl",
    ];

    /// The components to use: those of `$KUBEBUILDER_ASSETS` if it is set, else those in the
    /// cache. Never builds.
    ///
    /// Fails with what is missing and the command that brings it.
    pub fn find() -> Result<Self> {
        if let Some(found) = Self::from_environment()? {
            Ok(found)
        } else {
            let dir = cache::current()?;
            if !dir.is_dir() {
                bail!(
                    "the test control plane is not built ({} does not exist); run: {BUILD_COMMAND}",
                    dir.display()
                );
            }
            Self::in_dir(&dir).map_err(|error| {
                error.context(format!("remove {} and run: {BUILD_COMMAND}", dir.display()))
            })
        }
    }

    /// The components of `$KUBEBUILDER_ASSETS`; `None` when the variable is unset or empty.
    ///
    /// Fails when the folder lacks one: a control plane without controllers and scheduler would
    /// make tests wait for what never happens.
    pub fn from_environment() -> Result<Option<Self>> {
        match env::var_os(ASSETS).filter(|value| !value.is_empty()) {
            Some(dir) => Self::in_dir(Path::new(&dir)).map(Some).map_err(|error| {
                error.context(format!(
                    "{ASSETS} is set: add what is missing, or unset it and run: {BUILD_COMMAND}"
                ))
            }),
            None => Ok(None),
        }
    }

    /// The components in `dir`. Fails with the names of all that are missing or not executable.
    pub fn in_dir(dir: &Path) -> Result<Self> {
        let missing: Vec<&str> = Self::NAMES
            .into_iter()
            .filter(|name| !is_executable(&dir.join(name)))
            .collect();
        if !missing.is_empty() {
            bail!("{} has no executable {}", dir.display(), missing.join(", "));
        }
        Ok(Self {
            etcd: dir.join("etcd"),
            kube_apiserver: dir.join("kube-apiserver"),
            kube_controller_manager: dir.join("kube-controller-manager"),
            kube_scheduler: dir.join("kube-scheduler"),
            kubectl: dir.join("kubectl"),
        })
    }
}

pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn put(dir: &Path, name: &str, mode: u32) {
        let path = dir.join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_with_all_five_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        for name in Components::NAMES {
            put(dir.path(), name, 0o755);
        }
        let found = Components::in_dir(dir.path()).unwrap();
        assert_eq!(found.kubectl, dir.path().join("kubectl"));
    }

    #[test]
    fn what_is_missing_or_not_executable_is_named() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "etcd", 0o755);
        put(dir.path(), "kubectl", 0o755);
        put(dir.path(), "kube-apiserver", 0o644);
        let error = Components::in_dir(dir.path()).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "has no executable kube-apiserver, kube-controller-manager, kube-scheduler"
            ),
            "{error}"
        );
    }
}
