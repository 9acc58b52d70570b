//! Which cluster a test runs on.

mod real;
mod sandbox;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, anyhow, bail};
use underpin_testenv::Kubeconfig;

use crate::Kubectl;
use real::Real;
use sandbox::Sandbox;

/// Says which cluster tests run on: `control-plane` (the default) or `sandbox`.
const VARIABLE: &str = "UNDERPIN_TEST_CLUSTER";

static SHARED: OnceLock<Result<ControlPlane, String>> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A cluster of which a test knows no more than this: a real control plane or a sandbox. It ends
/// with this value.
pub struct ControlPlane {
    cluster: Cluster,
    admin: Kubeconfig,
    dir: PathBuf,
}

enum Cluster {
    Real(Box<Real>),
    Sandbox(Box<Sandbox>),
}

impl ControlPlane {
    fn start() -> Result<Self> {
        let value = env::var(VARIABLE).unwrap_or_default();
        let cluster = match value.as_str() {
            "" | "control-plane" => Cluster::Real(Box::new(Real::start()?)),
            "sandbox" => Cluster::Sandbox(Box::new(Sandbox::start()?)),
            other => bail!("{VARIABLE}={other}: must be `control-plane` or `sandbox`"),
        };
        let (admin, dir) = match &cluster {
            Cluster::Real(real) => (real.admin(), real.dir()),
            Cluster::Sandbox(sandbox) => (sandbox.admin(), sandbox.dir()),
        };
        Ok(Self {
            admin,
            dir: dir.to_owned(),
            cluster,
        })
    }

    /// Path of the administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// The administrator's kubeconfig.
    pub fn admin(&self) -> &Kubeconfig {
        &self.admin
    }

    /// A kubeconfig for `user`, without any right until a binding gives one.
    pub fn user(&self, user: &str) -> Result<Kubeconfig> {
        match &self.cluster {
            Cluster::Real(real) => real.user(user),
            Cluster::Sandbox(sandbox) => sandbox.user(user),
        }
    }

    /// The program kubectl.
    pub fn kubectl(&self) -> &Path {
        match &self.cluster {
            Cluster::Real(real) => real.kubectl(),
            Cluster::Sandbox(sandbox) => sandbox.kubectl(),
        }
    }

    /// A folder that lives as long as the cluster.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Of the points of an exhaustive test every how-maniest is tried: all in a sandbox, one in
    /// `sparse` on a real control plane, where they would take minutes.
    pub fn every(&self, sparse: u64) -> u64 {
        match &self.cluster {
            Cluster::Real(_) => sparse,
            Cluster::Sandbox(_) => 1,
        }
    }

    /// Whether ResourceQuotas are counted; a sandbox only stores them.
    pub fn enforces_quotas(&self) -> bool {
        matches!(&self.cluster, Cluster::Real(_))
    }

    /// Stops the API server: nobody listens at its address any more. What it holds stays.
    pub fn stop_apiserver(&self) {
        match &self.cluster {
            Cluster::Real(real) => real.stop_apiserver(),
            Cluster::Sandbox(sandbox) => sandbox.stop_apiserver(),
        }
    }

    /// Starts the API server at its old address with all that it held; stops it before if it runs.
    pub fn restart_apiserver(&self) -> Result<()> {
        match &self.cluster {
            Cluster::Real(real) => real.restart_apiserver(),
            Cluster::Sandbox(sandbox) => sandbox.restart_apiserver(),
        }
    }
}

/// The cluster that all tests of this process share, started by the first (a real one: 5 s,
/// 500 MB). Do not stop it, and leave alone what other tests made.
pub fn shared() -> Result<&'static ControlPlane> {
    SHARED
        .get_or_init(|| fresh().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}

/// A cluster of this test's own, with one node.
pub fn fresh() -> Result<ControlPlane> {
    ControlPlane::start()
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
        // The cluster may be gone, and the namespace too: both are fine.
        drop(
            self.kubectl
                .try_run(["delete", "namespace", &self.name, "--wait=false"]),
        );
    }
}
