//! Which control plane a test uses.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, anyhow};
use underpin_testenv::{Components, ControlPlane, Options};

use crate::Kubectl;

static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The control plane that all tests of this process share, started by the first (5 s, 500 MB).
/// Do not stop it, and leave alone what other tests made.
pub fn shared() -> Result<&'static ControlPlane> {
    SHARED
        .get_or_init(|| fresh().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

/// A control plane of this test's own, with one node.
pub fn fresh() -> Result<ControlPlane> {
    fresh_with(&Options::default())
}

/// A control plane of this test's own, with further flags or other nodes.
pub fn fresh_with(options: &Options) -> Result<ControlPlane> {
    ControlPlane::start(&Components::find()?, options)
}

/// A namespace for one test, deleted (without waiting) when dropped.
pub struct Namespace {
    kubectl: Kubectl,
    name: String,
}

impl Namespace {
    /// Creates a namespace whose name begins with `prefix` and is used once in this process.
    pub fn create(control_plane: &ControlPlane, prefix: &str) -> Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{number}");
        let kubectl = Kubectl::new(control_plane);
        kubectl.run(["create", "namespace", &name])?;
        Ok(Self { kubectl, name })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The control plane may be gone, and the namespace too: both are fine.
        drop(
            self.kubectl
                .try_run(["delete", "namespace", &self.name, "--wait=false"]),
        );
    }
}
