//! Judges removals again right before the first of them.
//!
//! Between the plan and the act lie a human's answer, the lock, and the wait for readiness. What
//! began to need an object meanwhile, or lost its proof of being safe to delete, is seen by reading
//! the world once more and asking the same rules.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{Action, Finding, Step};
use underpin_plan::{Case, Ownership, Plan, Recorded, judge};

use crate::{DeployError, Deployment, Planned, planning, session};

/// Why the removals of a plan may not happen any more; `None` if they may. What cannot be judged
/// again may not. Namespaces are left out: each is counted afresh on its own.
pub(crate) async fn objection(deployment: &Deployment, planned: &Planned) -> Option<String> {
    match judged_again(deployment, planned).await {
        Ok(objection) => objection,
        Err(error) => Some(format!("it could not be judged again: {error}")),
    }
}

async fn judged_again(
    deployment: &Deployment,
    planned: &Planned,
) -> Result<Option<String>, DeployError> {
    let steps: Vec<Step> = planned
        .plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Delete && !step.key.is_namespace())
        .cloned()
        .collect();
    if steps.is_empty() {
        return Ok(None);
    }
    let home = &planned.plan.placement.placement.namespace;
    let touched = planned
        .plan
        .steps
        .iter()
        .filter_map(|step| step.key.namespace.as_ref());
    let namespaces: BTreeSet<String> = touched.chain([home]).cloned().collect();
    let namespaces: Vec<String> = namespaces.into_iter().collect();
    let world = planning::read(deployment, &namespaces).await?;
    let claim = session::claim_of(deployment, &world)?;
    let plan = Plan {
        purpose: planned.plan.purpose,
        stack: planned.plan.stack.clone(),
        environment: planned.plan.environment.clone(),
        placement: planned.plan.placement.clone(),
        steps,
        conflicts: BTreeMap::new(),
        taken: BTreeMap::new(),
        autoscaled: BTreeMap::new(),
        drifted: BTreeSet::new(),
        nonces: BTreeMap::new(),
        dropped: BTreeMap::new(),
        problems: Vec::new(),
    };
    let verdict = judge(Case {
        environment: None,
        claim: claim.as_ref(),
        before: &world,
        plan: &plan,
        ownership: &Ownership::of(&world),
        acceptances: &deployment.acceptances,
        recorded: &Recorded::default(),
    });
    let blocking = verdict.findings.iter().find(|finding| finding.blocks());
    Ok(blocking.map(sentence))
}

fn sentence(finding: &Finding) -> String {
    format!(
        "{} meanwhile: {}; run again to see it planned",
        finding.code, finding.message
    )
}
