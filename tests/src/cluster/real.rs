//! A real control plane as a test's cluster.

use std::path::Path;

use anyhow::Result;
use underpin_testenv::{Components, ControlPlane, Kubeconfig, Options};

/// Processes of kube-apiserver, its store and its controllers.
pub(super) struct Real {
    control_plane: ControlPlane,
}

impl Real {
    pub(super) fn start() -> Result<Self> {
        let control_plane = ControlPlane::start(&Components::find()?, &Options::default())?;
        Ok(Self { control_plane })
    }

    pub(super) fn admin(&self) -> Kubeconfig {
        self.control_plane.admin().clone()
    }

    pub(super) fn user(&self, user: &str) -> Result<Kubeconfig> {
        self.control_plane.user(user, None)
    }

    pub(super) fn kubectl(&self) -> &Path {
        &self.control_plane.components().kubectl
    }

    pub(super) fn dir(&self) -> &Path {
        self.control_plane.dir()
    }

    pub(super) fn stop_apiserver(&self) {
        self.control_plane.stop_apiserver();
    }

    pub(super) fn restart_apiserver(&self) -> Result<()> {
        self.control_plane.restart_apiserver()
    }
}
