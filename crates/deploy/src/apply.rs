//! Applies one object: create-only or with the live uid, never a blind upsert.

use underpin_cluster::{ApplyOptions, ClusterError, ConflictKind, Precondition};
use underpin_model::{Action, ClaimId, Object, ResourceKind, Stamp, Step};
use underpin_plan::without_co_owned;

use crate::{StepResult, StopReason, remove, tools::Tools, waves::StepEnd};

/// How often one object is read again and decided again after it changed underfoot.
const ATTEMPTS: usize = 4;

/// Carries out one create, update, adopt or replace step.
pub(crate) async fn apply_step(tools: Tools, kind: ResourceKind, step: Step) -> StepEnd<Object> {
    let Some(desired) = step.desired.clone() else {
        return Ok((StepResult::Failed("nothing to apply".to_owned()), None));
    };
    let mut expected = step
        .before
        .as_ref()
        .and_then(Object::uid)
        .map(str::to_owned);
    if step.action == Action::Replace {
        match remove::for_replacement(&tools, &kind, &step).await? {
            Ok(()) => expected = None,
            Err(why) => return Ok((StepResult::Failed(why), None)),
        }
    }
    for _ in 0..ATTEMPTS {
        let options = ApplyOptions {
            dry_run: false,
            force: step.force,
            precondition: expected
                .clone()
                .map_or(Precondition::CreateOnly, Precondition::Uid),
            timeout: tools.time()?,
        };
        match tools.cluster.apply(&kind, &desired, &options).await {
            Ok(applied) => {
                let object = clean_managed_fields(&tools, &kind, applied.object).await?;
                return Ok((StepResult::Done, Some(object)));
            }
            Err(ClusterError::Conflict {
                kind: ConflictKind::FieldManagers(conflicts),
                ..
            }) => {
                return Ok((StepResult::Failed(taken_fields(&conflicts)), None));
            }
            Err(error) if error.is_conflict() => {
                match again(&tools, &kind, &step, &desired).await? {
                    Ok(uid) => expected = uid,
                    Err(why) => return Ok((StepResult::Failed(why), None)),
                }
            }
            Err(error) => return Ok((StepResult::Failed(error.to_string()), None)),
        }
    }
    let why = format!("it kept changing while it was applied ({ATTEMPTS} attempts); run again");
    Ok((StepResult::Failed(why), None))
}

/// Decides again after a precondition failed: the uid to expect, none to create, or why not.
async fn again(
    tools: &Tools,
    kind: &ResourceKind,
    step: &Step,
    desired: &Object,
) -> Result<Result<Option<String>, String>, StopReason> {
    let live = match tools.timed()?.get(kind, &step.key).await {
        Ok(live) => live,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let Some(live) = live else {
        return Ok(Ok(None));
    };
    let uid = live.uid().map(str::to_owned);
    let same = uid.as_deref() == step.before.as_ref().and_then(Object::uid);
    let ours = live.stamp().is_some() && live.stamp() == stamp_of(desired, &tools.claim);
    if ours || same {
        return Ok(Ok(uid));
    }
    let what = if step.before.is_some() {
        "was replaced"
    } else {
        "was created"
    };
    Ok(Err(format!(
        "it {what} by somebody else while this ran (uid {}); run again to see it planned",
        uid.unwrap_or_default()
    )))
}

fn stamp_of(desired: &Object, claim: &ClaimId) -> Option<Stamp> {
    desired.stamp().filter(|stamp| stamp.claim == *claim)
}

fn taken_fields(conflicts: &[underpin_cluster::FieldConflict]) -> String {
    let mut fields: Vec<String> = conflicts
        .iter()
        .map(|conflict| format!("{} ({})", conflict.field, conflict.manager))
        .collect();
    fields.sort();
    fields.dedup();
    format!(
        "other managers own fields that would change: {}; run again to decide",
        fields.join(", ")
    )
}

/// Takes the fields that we now own out of a former deployer's entries, so that a field which we
/// later drop does not stay behind. A failure leaves co-ownership, which the next run mends.
async fn clean_managed_fields(
    tools: &Tools,
    kind: &ResourceKind,
    object: Object,
) -> Result<Object, StopReason> {
    let Some(fields) = without_co_owned(&object) else {
        return Ok(object);
    };
    let (Some(uid), Some(version)) = (object.uid(), object.resource_version()) else {
        return Ok(object);
    };
    let cluster = tools.timed()?;
    match cluster
        .replace_managed_fields(kind, &object.key, uid, version, fields)
        .await
    {
        Ok(cleaned) => Ok(cleaned),
        Err(_) => Ok(object),
    }
}
