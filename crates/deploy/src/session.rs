//! The environment's claim: found, checked, and locked for a run.

use std::time::Duration;

use underpin_cluster::lock::{Acquired, LockGuard, LockRequest, acquire};
use underpin_model::{
    Claim, ClaimId, GroupKind, HistoryRecord, ObjectKey, Unread, World, hexadecimal,
};

use crate::{
    DeployError, Deployment, Event, Observer, Stop,
    host::{random, time_of_day},
};

/// The environment's claim in a world that was read. An error when claims could not be read, or
/// another environment's claim has the same name: neither may pass for "no claim".
pub(crate) fn claim_of(
    deployment: &Deployment,
    world: &World,
) -> Result<Option<Claim>, DeployError> {
    let environment = &deployment.environment;
    check_claims_read(&deployment.claims_namespace, &world.unread)?;
    if let Some(claim) = world.claim(&environment.stack, &environment.name) {
        if claim.cluster_uid != world.cluster.uid {
            return Err(DeployError::WrongCluster {
                environment: environment.display_name(),
                recorded: claim.cluster_uid.clone(),
                context: world.cluster.context.clone(),
                found: world.cluster.uid.clone(),
            });
        }
        return Ok(Some(claim.clone()));
    }
    let name = deployment.claim_name()?;
    for claim in &world.claims {
        if underpin_plan::naming::claim_name(&claim.stack, &claim.environment)? == name {
            return Err(DeployError::ClaimNameTaken {
                name,
                other: claim.display_name(),
                environment: environment.display_name(),
            });
        }
    }
    Ok(None)
}

/// Refuses to go on where claims were not all read. They are listed in their own namespace by a call
/// of their own: that the ConfigMaps of other namespaces could not be listed says nothing of them.
pub fn check_claims_read(claims_namespace: &str, unread: &[Unread]) -> Result<(), DeployError> {
    let config_maps = GroupKind::core("ConfigMap");
    let missed = unread.iter().find(|unread| {
        unread.kind.as_ref() == Some(&config_maps)
            && unread.namespace.as_deref() == Some(claims_namespace)
    });
    match missed {
        None => Ok(()),
        Some(unread) => Err(DeployError::ClaimsUnread {
            namespace: claims_namespace.to_owned(),
            reason: unread.reason.clone(),
        }),
    }
}

/// Refuses a cluster other than the one that the stack file pins.
pub(crate) fn check_cluster(deployment: &Deployment, world: &World) -> Result<(), DeployError> {
    match &deployment.pinned_cluster {
        Some(pinned) if *pinned != world.cluster.uid => Err(DeployError::WrongCluster {
            environment: deployment.environment.display_name(),
            recorded: pinned.clone(),
            context: world.cluster.context.clone(),
            found: world.cluster.uid.clone(),
        }),
        _ => Ok(()),
    }
}

/// Creates the namespace of the claims where it was seen to be missing. Whoever writes the first claim would
/// find that out as well, but a server keeps a write into a namespace that it does not know waiting for a
/// while, lest it only be late to know.
pub(crate) async fn ensure_namespace(
    deployment: &Deployment,
    world: &World,
) -> Result<(), DeployError> {
    let key = ObjectKey::of_namespace(&deployment.claims_namespace);
    let is_missing = world.get(&key).is_none() && world.unread(&key.kind, None).is_none();
    if is_missing {
        deployment.store.ensure_namespace().await?;
    }
    Ok(())
}

/// What came of asking for the lock.
pub(crate) enum Locked {
    /// The lock is held, on the very claim that the plan was made from.
    Held(LockGuard),
    /// The claim has changed since it was read: plan again.
    Changed,
}

/// Takes the lock on the claim that a plan was made from; compare-and-swap, so that a plan never
/// runs on a claim that it has not seen.
pub(crate) async fn lock(
    deployment: &Deployment,
    claim: Option<&Claim>,
    id: &ClaimId,
    cluster_uid: &str,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Locked, DeployError> {
    let environment = &deployment.environment;
    let other = claim.and_then(|claim| claim.lock.clone());
    if let Some(lock) = &other {
        observer.event(Event::LockHeld(lock.clone()));
    }
    let request = LockRequest {
        holder: hexadecimal(&random::<8>(deployment.cluster.host())?),
        who: deployment.settings.who.clone(),
        lease: deployment.settings.lease,
        // A lock that is taken between plan and lock is seen, and waited for, by the next plan.
        wait: other
            .as_ref()
            .map_or(Duration::ZERO, |_| deployment.settings.lock_wait),
    };
    let wanted = claim.cloned().unwrap_or_else(|| {
        let mut blank = Claim::new(
            id.clone(),
            &environment.stack,
            &environment.name,
            cluster_uid,
        );
        blank.parent.clone_from(&environment.parent);
        blank
    });
    let name = deployment.claim_name()?;
    let acquired = acquire(&deployment.store, &name, wanted, claim.is_some(), &request);
    let acquired = if other.is_some() {
        // Waiting takes no lock, so it may be cut off; taking one is awaited.
        tokio::select! {
            acquired = acquired => acquired?,
            reason = stop.stopped() => return Err(DeployError::Stopped(reason)),
        }
    } else {
        acquired.await?
    };
    match acquired {
        Acquired::Held(guard) => Ok(Locked::Held(guard)),
        Acquired::Changed => Ok(Locked::Changed),
        Acquired::Busy(_) if other.is_none() => Ok(Locked::Changed),
        Acquired::Busy(lock) => Err(DeployError::Busy {
            environment: environment.display_name(),
            lock: Box::new(lock),
        }),
    }
}

/// Acceptances that matched nothing are an error: a typo must not pass for consent.
pub(crate) fn refuse_unused(verdict: &underpin_plan::Verdict) -> Result<(), DeployError> {
    if verdict.unused.is_empty() {
        Ok(())
    } else {
        Err(DeployError::UnusedAcceptance(verdict.unused.clone()))
    }
}

/// One line of history about a run that changed so many objects.
pub(crate) fn history(
    deployment: &Deployment,
    command: &str,
    outcome: String,
    changed: usize,
) -> HistoryRecord {
    HistoryRecord {
        at: time_of_day(deployment.cluster.host()),
        who: deployment.settings.who.clone(),
        command: command.to_owned(),
        outcome,
        changed: Some(changed),
        accepted: deployment.acceptances.record(),
        ..HistoryRecord::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: &str, namespace: Option<&str>, refused: bool) {
        let unread = Unread {
            kind: Some(GroupKind::core(kind)),
            group: String::new(),
            namespace: namespace.map(str::to_owned),
            reason: "forbidden".to_owned(),
        };
        let outcome = check_claims_read("underpin-system", &[unread]);
        assert_eq!(outcome.is_err(), refused, "{kind} {namespace:?}");
    }

    /// Who may read the claims needs no right to the ConfigMaps of the whole cluster.
    #[test]
    fn only_unread_claims_are_unread_claims() {
        check("ConfigMap", Some("underpin-system"), true);
        check("ConfigMap", None, false);
        check("ConfigMap", Some("wallet"), false);
        check("Secret", Some("underpin-system"), false);
    }
}
