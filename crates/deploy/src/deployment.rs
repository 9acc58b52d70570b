//! One environment, one cluster: what a run works on.

use std::time::Duration;

use underpin_cluster::{Cluster, claims::ClaimStore};
use underpin_plan::{
    Acceptances, Environment, Fingerprints,
    naming::{NamingError, claim_name},
};
use underpin_source::manifests::{Documents, Variables};

/// One environment of a stack, and the cluster it is about.
pub struct Deployment {
    /// The cluster.
    pub cluster: Cluster,
    /// Where claims are kept.
    pub store: ClaimStore,
    /// The namespace of the claims.
    pub claims_namespace: String,
    /// The environment as declared.
    pub environment: Environment,
    /// The uid of the cluster that the stack file pins the environment to, if it does.
    pub pinned_cluster: Option<String>,
    /// The declared documents, parsed.
    pub documents: Documents,
    /// Values for `${…}`, all but `namespace`, which the placement decides.
    pub variables: Variables,
    /// What was accepted by name.
    pub acceptances: Acceptances,
    /// How to run.
    pub settings: Settings,
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether to wait until objects are ready.
    pub wait: bool,
    /// How long to wait for readiness, or for deleted objects to go.
    pub wait_timeout: Duration,
    /// Time limit of each request.
    pub request_timeout: Duration,
    /// How long others must see the lock unrenewed before they take it over.
    pub lease: Duration,
    /// How long to wait for a lock that another run holds.
    pub lock_wait: Duration,
    /// Who runs this, for the lock and the history.
    pub who: String,
}

impl Deployment {
    /// The name under which the environment's claim is stored.
    pub fn claim_name(&self) -> Result<String, NamingError> {
        claim_name(&self.environment.stack, &self.environment.name)
    }

    /// Fingerprints under a key, which also hide the values of the environment's secret variables.
    pub(crate) fn fingerprints(&self, key: Option<[u8; 32]>) -> Fingerprints {
        Fingerprints::new(key).hiding(self.variables.secret_values())
    }
}
