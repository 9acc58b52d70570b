//! `down`: deletes exactly what the claim owns, and the namespace only when proven empty and ours.

use std::sync::Arc;

use underpin_cluster::{claims::TakenDown, lock::LockGuard};
use underpin_model::{
    Action, Claim, KeepReason, NamespaceProvenance, ObjectKey, Retirement, World,
};
use underpin_plan::{Case, Fingerprints, Identity, Ownership, Recorded, judge, plan_down};
use underpin_route::may_ask;

use crate::{
    DeployError, Deployment, Event, Observer, Outcome, Planned, StepResult, Stop, Summary,
    agreement::{Agreement, agree},
    closing::{Ended, finish},
    host::time_of_day,
    kinds::Kinds,
    planning, recheck,
    removal::{Removal, remove_wave},
    session,
    tools::Tools,
    waves,
};

/// Plans the teardown of an environment. Changes nothing.
pub async fn plan_teardown(
    deployment: &Deployment,
    observer: &dyn Observer,
    reclaim_imported: bool,
) -> Result<Planned, DeployError> {
    observer.event(Event::Reading);
    let recorded = deployment.store.load(&deployment.claim_name()?).await?;
    let mut namespaces: Vec<String> = recorded.iter().flat_map(planning::recorded_in).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let world = planning::read(deployment, &namespaces).await?;
    let claim = session::claim_of(deployment, &world)?;
    let nothing = || DeployError::NothingRecorded(deployment.environment.display_name());
    let claim = claim.ok_or_else(nothing)?;
    planned_teardown(deployment, world, claim, reclaim_imported).ok_or_else(nothing)
}

fn planned_teardown(
    deployment: &Deployment,
    world: World,
    claim: Claim,
    reclaim_imported: bool,
) -> Option<Planned> {
    let ownership = Ownership::of(&world);
    let acceptances = &deployment.acceptances;
    let plan = plan_down(&claim, &world, &ownership, acceptances, reclaim_imported)?;
    let verdict = judge(Case {
        environment: None,
        claim: Some(&claim),
        before: &world,
        plan: &plan,
        ownership: &ownership,
        acceptances,
        recorded: &Recorded::default(),
    });
    let kinds = Kinds::new(&world, std::iter::empty());
    let identity = Identity {
        claim: claim.id.clone(),
        seed: [0; 16],
    };
    Some(Planned {
        world,
        ownership,
        claim: Some(claim),
        identity,
        plan,
        verdict,
        terminating: Vec::new(),
        fingerprints: Fingerprints::default(),
        kinds,
    })
}

/// Tears an environment down, after `confirm`. Running it again continues.
pub async fn down(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    confirm: impl Fn(&Planned) -> bool,
) -> Result<Outcome, DeployError> {
    teardown(deployment, observer, stop, confirm, false).await
}

/// Deletes what a former `down` of this environment kept, as far as nobody is in it any more.
pub async fn reclaim_kept(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    confirm: impl Fn(&Planned) -> bool,
) -> Result<Outcome, DeployError> {
    teardown(deployment, observer, stop, confirm, true).await
}

async fn teardown(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    confirm: impl Fn(&Planned) -> bool,
    reclaim_imported: bool,
) -> Result<Outcome, DeployError> {
    let plan = || plan_in_time(deployment, observer, stop, reclaim_imported);
    match agree(
        deployment,
        observer,
        stop,
        confirm,
        plan,
        is_retired_already,
    )
    .await?
    {
        Agreement::Ended(outcome) => Ok(outcome),
        Agreement::Held(planned, guard) => {
            let summary = carry_out(deployment, observer, stop, &planned, guard).await?;
            Ok(Outcome::Ran(planned, summary))
        }
    }
}

/// Planning only reads, so it may be cut off at the deadline or by an interrupt.
async fn plan_in_time(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    reclaim_imported: bool,
) -> Result<Planned, DeployError> {
    let planned = tokio::select! {
        planned = plan_teardown(deployment, observer, reclaim_imported) => planned?,
        reason = stop.stopped() => return Err(DeployError::Stopped(reason)),
    };
    let kept = planned
        .claim
        .as_ref()
        .is_some_and(|claim| claim.retired.is_some());
    if reclaim_imported && !kept {
        // Asked for leftovers, never for a living environment.
        return Err(DeployError::NotRetired(
            deployment.environment.display_name(),
        ));
    }
    Ok(planned)
}

/// Whether a former `down` did all that can be done: what is left is kept for the same reasons.
fn is_retired_already(planned: &Planned) -> bool {
    let retired = planned
        .claim
        .as_ref()
        .is_some_and(|claim| claim.retired.is_some());
    let gone = |action: &Action| *action == Action::Keep(KeepReason::Gone);
    retired
        && planned.plan.changing().next().is_none()
        && planned.plan.dropped.is_empty()
        && !planned.plan.steps.iter().any(|step| gone(&step.action))
}

async fn carry_out(
    deployment: &Deployment,
    observer: &dyn Observer,
    stop: &Stop,
    planned: &Planned,
    guard: LockGuard,
) -> Result<Summary, DeployError> {
    let guard = Arc::new(guard);
    let tools = Tools::new(deployment, planned, stop, guard.clone());
    let mut summary = Summary::default();
    let ended = removals(deployment, observer, planned, &tools, &mut summary).await;
    drop(tools);
    let complete = ended.is_ok() && summary.is_carried_out();
    if !complete {
        return finish(deployment, "down", guard, summary, ended).await;
    }
    let claim = guard.claim().await;
    summary.kept = kept_namespaces(planned, &summary);
    if nothing_is_left(&claim, planned, &summary) {
        if let Ok(guard) = Arc::try_unwrap(guard) {
            guard.release_and_remove().await?;
        }
        return Ok(summary);
    }
    let why: Vec<String> = summary
        .kept
        .iter()
        .map(|(name, why)| format!("{name}: {why}"))
        .collect();
    let retirement = Retirement {
        at: time_of_day(deployment.cluster.host()),
        kept_because: why.join("; "),
    };
    guard
        .update(|claim| claim.retired = Some(retirement))
        .await?;
    finish(deployment, "down", guard, summary, Ok(())).await
}

async fn removals(
    deployment: &Deployment,
    observer: &dyn Observer,
    planned: &Planned,
    tools: &Tools,
    summary: &mut Summary,
) -> Result<(), Ended> {
    let plan = &planned.plan;
    let gone: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Keep(KeepReason::Gone))
        .map(|step| step.logical.clone())
        .chain(plan.dropped.keys().cloned())
        .collect();
    if !gone.is_empty() {
        tools
            .guard
            .update(|claim| crate::record::removed(claim, &gone))
            .await?;
    }
    if let Some(why) = recheck::objection(deployment, planned).await {
        for step in plan
            .steps
            .iter()
            .filter(|step| step.action == Action::Delete)
        {
            let skipped = StepResult::Skipped(why.clone());
            summary.results.insert(step.key.clone(), skipped);
        }
        return Ok(());
    }
    tell_the_edge(deployment, planned, tools).await?;
    let removal = Removal::new(deployment, planned);
    let deletes = plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Delete);
    for wave in waves::grouped(deletes) {
        remove_wave(tools, &removal, &wave, summary, observer).await?;
    }
    Ok(())
}

/// Records what of it an edge may serve, before it goes: the claim may go too (R3.2). Without this
/// record an edge that did not see the objects go asks an operator, so that it fails nothing.
async fn tell_the_edge(
    deployment: &Deployment,
    planned: &Planned,
    tools: &Tools,
) -> Result<(), Ended> {
    let deletes = planned.plan.steps.iter();
    let uids: Vec<String> = deletes
        .filter(|step| step.action == Action::Delete && may_ask(&step.key.kind))
        .filter_map(|step| step.before.as_ref()?.uid().map(str::to_owned))
        .collect();
    if uids.is_empty() {
        return Ok(());
    }
    let now = deployment.cluster.host().now().as_second();
    let taken = TakenDown {
        at: u64::try_from(now).unwrap_or_default(),
        environment: deployment.environment.display_name(),
        uids,
    };
    let time = tools.time()?;
    let store = deployment.store.with_timeout(time);
    let _ = tokio::time::timeout(time, store.record_taken_down(&taken)).await;
    Ok(())
}

/// Namespaces that stay, and why: by plan, or because the fresh count found somebody.
fn kept_namespaces(
    planned: &Planned,
    summary: &Summary,
) -> std::collections::BTreeMap<String, String> {
    let namespaces = planned
        .plan
        .steps
        .iter()
        .filter(|step| step.key.is_namespace());
    namespaces
        .filter_map(|step| {
            let why = match (&step.action, summary.results.get(&step.key)) {
                (Action::Keep(KeepReason::Gone), _) => return None,
                (Action::Keep(why), _) => why.to_string(),
                (_, Some(StepResult::Kept(why))) => why.clone(),
                (_, Some(StepResult::Terminating(held))) => {
                    format!("it is still being deleted, held by {held}")
                }
                _ => return None,
            };
            Some((step.key.name.clone(), why))
        })
        .collect()
}

/// Whether the claim has nothing left to say: no object of its own, and no namespace that it may
/// one day delete. A namespace that never was this environment's is nobody's leak.
fn nothing_is_left(claim: &Claim, planned: &Planned, summary: &Summary) -> bool {
    let entries = claim
        .entries
        .values()
        .filter(|entry| !entry.key.is_namespace())
        .count();
    let responsible = planned.plan.placement.placement.provenance != NamespaceProvenance::Existing;
    let placement = &planned.plan.placement.placement.namespace;
    let other_kept = summary.kept.keys().any(|name| {
        name != placement
            && claim
                .entries
                .values()
                .any(|entry| entry.created && entry.key == ObjectKey::of_namespace(name.clone()))
    });
    let placement_kept = summary.kept.contains_key(placement) && responsible;
    entries == 0 && !placement_kept && !other_kept
}
