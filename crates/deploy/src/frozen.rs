//! A plan frozen into a document, and an `up` that does what it says or nothing.

use std::collections::BTreeSet;

use underpin_cluster::Host;
use underpin_plan::{FrozenPlan, Sealer, Surroundings};

use crate::{
    DeployError, Deployment, Event, Observer, Outcome, Planned, Stop,
    host::{random, time_of_day},
    up::up_planned,
};

/// Freezes a plan, and tells whether the document covers secrets too.
pub fn freeze(
    deployment: &Deployment,
    planned: &Planned,
) -> Result<(FrozenPlan, bool), DeployError> {
    let host = deployment.cluster.host();
    let sealer = match Sealer::keyed(&planned.fingerprints) {
        Some(sealer) => sealer,
        None => Sealer::salted(random::<32>(host)?, &planned.fingerprints),
    };
    let frozen = frozen(deployment, planned, &sealer, host);
    Ok((frozen, sealer.covers_secrets()))
}

fn frozen(
    deployment: &Deployment,
    planned: &Planned,
    sealer: &Sealer,
    host: &dyn Host,
) -> FrozenPlan {
    let around = Surroundings {
        at: &time_of_day(host),
        cluster: &planned.world.cluster.uid,
        claim: planned.claim.as_ref(),
        accepted: &deployment.acceptances.record(),
        findings: &planned.verdict.findings,
        adopt: &deployment.environment.adopt,
    };
    FrozenPlan::of(&planned.plan, around, sealer)
}

/// Plans anew, and carries the plan out if it is the frozen one still, as far as that is not done
/// yet. The frozen plan is the consent: nobody is asked. `deployment` must accept and adopt what the
/// frozen plan does.
pub async fn up_frozen(
    deployment: &Deployment,
    document: &FrozenPlan,
    observer: &dyn Observer,
    stop: &Stop,
    show: impl Fn(&Planned),
) -> Result<Outcome, DeployError> {
    let check = |mut planned: Planned| {
        // An accepted finding that is gone is not missed.
        planned.verdict.unused.clear();
        unmoved(deployment, document, &planned, observer)?;
        Ok(planned)
    };
    let confirm = |planned: &Planned| {
        show(planned);
        true
    };
    up_planned(deployment, observer, stop, confirm, check).await
}

/// Refuses a plan that is not the frozen one. One that is blocked or impossible is let through, to
/// be refused with its findings.
fn unmoved(
    deployment: &Deployment,
    document: &FrozenPlan,
    planned: &Planned,
    observer: &dyn Observer,
) -> Result<(), DeployError> {
    let sealer = Sealer::like(document, &planned.fingerprints).ok_or_else(|| {
        DeployError::Frozen(
            "its digests are made with a fingerprint key that is not this cluster's, or cannot be \
             read"
                .to_owned(),
        )
    })?;
    let fresh = frozen(deployment, planned, &sealer, deployment.cluster.host());
    let movements = document.moved(&fresh);
    if movements.is_empty() {
        return Ok(());
    }
    if planned.verdict.is_blocked() || !planned.plan.problems.is_empty() {
        let subjects: BTreeSet<&str> = movements.iter().map(|one| one.subject.as_str()).collect();
        let subjects: Vec<&str> = subjects.into_iter().collect();
        let message = format!("moved since the plan was frozen: {}", subjects.join(", "));
        observer.event(Event::Note(message));
        return Ok(());
    }
    Err(DeployError::Moved {
        at: document.at.clone(),
        movements,
    })
}
