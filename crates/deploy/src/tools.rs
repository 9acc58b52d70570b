//! What every step of a run shares: the cluster, the lock and the time that is left.

use std::{sync::Arc, time::Duration};

use underpin_cluster::{Cluster, lock::LockGuard};
use underpin_model::ClaimId;

use crate::{Deployment, Planned, Stop, StopReason};

/// What every step of a run shares.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) cluster: Cluster,
    pub(crate) guard: Arc<LockGuard>,
    pub(crate) stop: Stop,
    pub(crate) claim: ClaimId,
    pub(crate) request_timeout: Duration,
}

impl Tools {
    /// Tools for carrying out `planned` under the lock.
    pub(crate) fn new(
        deployment: &Deployment,
        planned: &Planned,
        stop: &Stop,
        guard: Arc<LockGuard>,
    ) -> Self {
        Self {
            cluster: deployment.cluster.clone(),
            guard,
            stop: stop.clone(),
            claim: planned.identity.claim.clone(),
            request_timeout: deployment.settings.request_timeout,
        }
    }

    /// Time limit of the next request, or why to stop.
    pub(crate) fn time(&self) -> Result<Duration, StopReason> {
        if self.guard.is_lost() {
            return Err(StopReason::LockLost);
        }
        self.stop
            .time_for(self.request_timeout, self.guard.remaining())
    }

    /// The cluster with the time limit of the next request.
    pub(crate) fn timed(&self) -> Result<Cluster, StopReason> {
        Ok(self.cluster.with_timeout(self.time()?))
    }
}
