//! How a run ends: the history is written and the lock given back, whatever happened.

use std::sync::Arc;

use underpin_cluster::lock::{LockError, LockGuard};
use underpin_model::Claim;

use crate::{DeployError, Deployment, StopReason, Summary, session};

/// Writes the history and gives the lock back, however the run ended.
pub(crate) async fn finish(
    deployment: &Deployment,
    command: &str,
    guard: Arc<LockGuard>,
    summary: Summary,
    ended: Result<(), Ended>,
) -> Result<Summary, DeployError> {
    finish_with(deployment, command, guard, summary, ended, |_| ()).await
}

/// The same with a last change of the claim, in the same write.
pub(crate) async fn finish_with(
    deployment: &Deployment,
    command: &str,
    guard: Arc<LockGuard>,
    mut summary: Summary,
    ended: Result<(), Ended>,
    last: impl FnOnce(&mut Claim),
) -> Result<Summary, DeployError> {
    summary.waited_in_vain = deployment.settings.wait && summary.any_going();
    match ended {
        Ok(()) => {}
        Err(Ended::Stopped(reason)) => summary.stopped = Some(reason),
        Err(Ended::Lock(error)) => {
            release(deployment, command, guard, &summary, last)
                .await
                .ok();
            return Err(error.into());
        }
    }
    if summary.stopped != Some(StopReason::LockLost) {
        release(deployment, command, guard, &summary, last).await?;
    }
    Ok(summary)
}

async fn release(
    deployment: &Deployment,
    command: &str,
    guard: Arc<LockGuard>,
    summary: &Summary,
    last: impl FnOnce(&mut Claim),
) -> Result<(), DeployError> {
    let changed = summary.changed();
    let mut record = session::history(deployment, command, summary.line(), changed);
    record.content.clone_from(&summary.content);
    // Every step has ended, so nobody else holds the guard any more.
    if let Ok(guard) = Arc::try_unwrap(guard) {
        let change = |claim: &mut Claim| {
            last(claim);
            claim.record(record);
        };
        guard.release(change).await?;
    }
    Ok(())
}

/// Why a run ended before its last step.
pub(crate) enum Ended {
    Stopped(StopReason),
    Lock(LockError),
}

impl From<StopReason> for Ended {
    fn from(reason: StopReason) -> Self {
        Self::Stopped(reason)
    }
}

impl From<LockError> for Ended {
    fn from(error: LockError) -> Self {
        Self::Lock(error)
    }
}
