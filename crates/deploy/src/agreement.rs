//! From a plan to the lock: plan, refuse or ask, lock, and plan again if the claim moved meanwhile.

use underpin_cluster::lock::LockGuard;

use crate::{
    DeployError, Deployment, Event, Observer, Outcome, Planned, Stop,
    session::{self, Locked, ensure_namespace, lock},
};

/// How often a plan is made again because the claim changed before it could be locked.
pub(crate) const ATTEMPTS: usize = 5;

/// What came of it.
pub(crate) enum Agreement {
    /// Nothing is to be carried out; nothing was changed.
    Ended(Outcome),
    /// The plan is agreed to, and the lock is held on the very claim that it was made from.
    Held(Box<Planned>, LockGuard),
}

/// Makes a plan with `plan`, asks `confirm` about it, and takes the lock. What the verdict refuses,
/// and what `settled` says has nothing left to do, ends here.
pub(crate) async fn agree<F>(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    confirm: impl Fn(&Planned) -> bool,
    plan: impl Fn() -> F,
    settled: impl Fn(&Planned) -> bool,
) -> Result<Agreement, DeployError>
where
    F: Future<Output = Result<Planned, DeployError>>,
{
    for _ in 0..ATTEMPTS {
        let planned = Box::new(plan().await?);
        session::refuse_unused(&planned.verdict)?;
        if !planned.plan.problems.is_empty() || planned.verdict.is_blocked() {
            return Ok(Agreement::Ended(Outcome::Refused(planned)));
        }
        let settled = settled(&planned);
        // Of another run, dead or alive, only its lock is left: it is waited for, or put out, but
        // not without consent.
        if settled && !(planned.is_locked() && confirm(&planned)) {
            return Ok(Agreement::Ended(Outcome::Settled(planned)));
        }
        if !settled && !confirm(&planned) {
            return Err(DeployError::NotConfirmed);
        }
        if planned.claim.is_none() {
            ensure_namespace(deployment, &planned.world).await?;
        }
        let locked = lock(
            deployment,
            planned.claim.as_ref(),
            &planned.identity.claim,
            &planned.world.cluster.uid,
            observer,
            stop,
        );
        match locked.await? {
            Locked::Held(guard) => return Ok(Agreement::Held(planned, guard)),
            Locked::Changed => observer.event(Event::Note(
                "the environment changed while it was planned; planning again".to_owned(),
            )),
        }
    }
    Err(DeployError::Unsettled(ATTEMPTS))
}
