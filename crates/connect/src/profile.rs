//! Whose reading of the documentation counts where it leaves a choice.

use crate::addresses::AddressRange;

/// Whose choices are made where the documentation leaves them open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// What Kubernetes documents. What it leaves to the network plugin is unknown.
    #[default]
    Documented,
    /// The choices of np-guard's netpol-analyzer, for comparison with it: pods of the host network
    /// are ordinary pods, an address block never matches a pod, an undeclared namespace has no
    /// labels but its name, an owner needs no kind, an ingress controller is a pod without labels, and peers that are nodes
    /// or domain names match nothing.
    NpGuard,
}

/// What an engine is told beside the world.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whose choices are made.
    pub profile: Profile,
    /// The networks that pods get their addresses from, for pods whose addresses the world does
    /// not know. Added to what the world's nodes say. Without any, such an address is unknown.
    pub pod_networks: Vec<AddressRange>,
}
