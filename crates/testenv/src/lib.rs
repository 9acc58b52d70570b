//! A real Kubernetes control plane for tests: etcd, kube-apiserver, kube-controller-manager and
//! kube-scheduler on 127.0.0.1, with fake nodes whose pods become ready without running anything.
//!
//! Two users share it: `cargo xtask control-plane` and the end-to-end tests. Nothing of it is
//! part of the shipped program.
//!
//! * [`Components`] finds the programs; [`build`] makes them from Debian's packages.
//! * [`ControlPlane`] starts, breaks and stops an instance; it cannot outlive its owner.
//! * [`kubelet`] plays the nodes.
//! * [`kubectl`] finds the client, also where no control plane is built; [`caddy`] finds Caddy.
//! * [`registry`] starts a real registry of images, [`skopeo`] pushes to it and pulls from it.

#![allow(
    clippy::disallowed_methods,
    reason = "drives real processes in real time"
)]

pub mod api;
pub mod build;
pub mod cache;
pub mod caddy;
mod components;
mod control_plane;
mod flags;
mod kubeconfig;
pub mod kubectl;
pub mod kubelet;
mod pki;
mod ports;
mod process;
pub mod push;
pub mod registry;
pub mod skopeo;
mod tool;

pub use components::{BUILD_COMMAND, Components};
pub use control_plane::{ControlPlane, Options};
pub use kubeconfig::Kubeconfig;
pub use ports::free as free_ports;
pub use process::{Supervised, interrupt, kill, run_limited, terminate};
