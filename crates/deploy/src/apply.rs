//! Applies one object: create-only or with the live uid, never a blind upsert.

use std::sync::Arc;

use serde_json::{Value, json};
use underpin_cluster::{Applied, ApplyOptions, ClusterError, ConflictKind, Precondition};
use underpin_model::{Action, ClaimId, Object, ResourceKind, Stamp, Step};
use underpin_plan::{FieldConflict, without_co_owned};

use crate::{
    StepResult, StopReason, dry_run::field_conflicts, remove, tools::Tools, waves::StepEnd,
};

/// How often one object is read again and decided again after it changed underfoot.
const ATTEMPTS: usize = 4;

/// Carries out one create, update, adopt or replace step.
/// `accepted` are the conflicts that the plan takes over.
pub(crate) async fn apply_step(
    tools: Tools,
    kind: ResourceKind,
    step: Step,
    accepted: Vec<FieldConflict>,
) -> StepEnd<Object> {
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
        let precondition = expected
            .clone()
            .map_or(Precondition::CreateOnly, Precondition::Uid);
        let sent = match &expected {
            Some(uid) if step.action == Action::Adopt || !accepted.is_empty() => {
                match at_its_version(&tools, &kind, &step, uid).await? {
                    Ok(sent) => sent,
                    Err(why) => return Ok((StepResult::Failed(why), None)),
                }
            }
            _ => desired.clone(),
        };
        match send(&tools, &kind, &sent, precondition, &accepted).await? {
            Ok(applied) => {
                let object = clean_managed_fields(&tools, &kind, applied.object).await?;
                return Ok((StepResult::Done, Some(object)));
            }
            Err(ClusterError::Conflict {
                kind: ConflictKind::FieldManagers(conflicts),
                ..
            }) => {
                let conflicts = field_conflicts(conflicts);
                return Ok((StepResult::Failed(would_take(&conflicts, &accepted)), None));
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

/// Applies without force, and if nothing stands in the way but what the plan takes over, with
/// force. Who owns what may have changed since the plan, and force would take it all: `sent`
/// carries the version that it was read with, so that both requests are about the same state.
async fn send(
    tools: &Tools,
    kind: &ResourceKind,
    sent: &Object,
    precondition: Precondition,
    accepted: &[FieldConflict],
) -> Result<Result<Applied, ClusterError>, StopReason> {
    let mut options = ApplyOptions {
        dry_run: false,
        force: false,
        precondition,
        timeout: tools.time()?,
    };
    match tools.cluster.apply(kind, sent, &options).await {
        Err(ClusterError::Conflict {
            kind: ConflictKind::FieldManagers(conflicts),
            ..
        }) if are_accepted(&conflicts, accepted) => {}
        other => return Ok(other),
    }
    options.force = true;
    options.timeout = tools.time()?;
    Ok(tools.cluster.apply(kind, sent, &options).await)
}

fn are_accepted(conflicts: &[underpin_cluster::FieldConflict], accepted: &[FieldConflict]) -> bool {
    conflicts.iter().all(|conflict| {
        accepted
            .iter()
            .any(|one| one.manager == conflict.manager && one.field == conflict.field)
    })
}

/// The object as it is sent to take over what another has written: with the version of a fresh
/// read, or why not. All environments apply under one field manager, so of two that adopt at once
/// the later would take the earlier one's fields away without any conflict.
async fn at_its_version(
    tools: &Tools,
    kind: &ResourceKind,
    step: &Step,
    uid: &str,
) -> Result<Result<Object, String>, StopReason> {
    let Some(desired) = &step.desired else {
        return Ok(Err("nothing to apply".to_owned()));
    };
    let live = match tools.timed()?.get(kind, &step.key).await {
        Ok(Some(live)) if live.uid() == Some(uid) => live,
        // The apply's own precondition fails then, and it is decided again.
        Ok(_) => return Ok(Ok(desired.clone())),
        Err(error) => return Ok(Err(error.to_string())),
    };
    if let Some(other) = stamped_meanwhile(&live, step.before.as_ref(), &tools.claim) {
        return Ok(Err(format!(
            "another environment (claim {other}) took it over while this ran; run again to see it \
             planned"
        )));
    }
    let mut sent = desired.clone();
    if let (Some(version), Some(metadata)) = (
        live.resource_version(),
        Arc::make_mut(&mut sent.value)
            .get_mut("metadata")
            .and_then(Value::as_object_mut),
    ) {
        metadata.insert("resourceVersion".to_owned(), json!(version));
    }
    Ok(Ok(sent))
}

/// The claim of another environment whose stamp an object bears now and did not when it was read.
fn stamped_meanwhile(live: &Object, before: Option<&Object>, own: &ClaimId) -> Option<ClaimId> {
    let stamp = live.stamp()?;
    let was = before.and_then(Object::stamp);
    (stamp.claim != *own && Some(&stamp) != was.as_ref()).then_some(stamp.claim)
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
    if ours && step.unseen.is_some() && !step.left_alone.is_empty() {
        return Ok(Err(
            "it is there and could not be listed, and has fields that are to be left as they are \
             live: grant the right to list it, and run again"
                .to_owned(),
        ));
    }
    if ours || same {
        return Ok(Ok(uid));
    }
    let what = match (&step.before, &step.unseen) {
        (Some(_), _) => "was replaced by somebody else while this ran",
        (None, None) => "was created by somebody else while this ran",
        (None, Some(_)) => "is there, not recorded as ours, and could not be listed",
    };
    Ok(Err(format!(
        "it {what} (uid {}); run again to see it planned",
        uid.unwrap_or_default()
    )))
}

fn stamp_of(desired: &Object, claim: &ClaimId) -> Option<Stamp> {
    desired.stamp().filter(|stamp| stamp.claim == *claim)
}

/// Says which fields an apply would have taken from whom, without what was agreed to.
fn would_take(conflicts: &[FieldConflict], accepted: &[FieldConflict]) -> String {
    let mut fields: Vec<String> = conflicts
        .iter()
        .filter(|conflict| !accepted.contains(conflict))
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
    let mut object = object;
    for _ in 0..ATTEMPTS {
        let Some(fields) = without_co_owned(&object) else {
            return Ok(object);
        };
        let (Some(uid), Some(version)) = (object.uid(), object.resource_version()) else {
            return Ok(object);
        };
        let replaced = tools
            .timed()?
            .replace_managed_fields(kind, &object.key, uid, version, fields)
            .await;
        match replaced {
            Ok(cleaned) => return Ok(cleaned),
            // Controllers write the status of what was just applied.
            Err(error) if error.is_conflict() => {}
            Err(_) => return Ok(object),
        }
        match tools.timed()?.get(kind, &object.key).await {
            Ok(Some(live)) if live.uid() == object.uid() => object = live,
            _ => return Ok(object),
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use underpin_model::{Depth, Origin, names};

    use super::*;

    fn live(stamp: Option<&str>) -> Object {
        let annotations = stamp.map(|stamp| json!({ names::STAMP_ANNOTATION: stamp }));
        let value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "app", "namespace": "wallet", "annotations": annotations},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    #[track_caller]
    fn check(before: Option<&str>, now: Option<&str>, taken: bool) {
        let own = ClaimId("own".to_owned());
        let found = stamped_meanwhile(&live(now), Some(&live(before)), &own);
        assert_eq!(found.is_some(), taken, "{before:?} -> {now:?}");
    }

    /// R6.5: of two environments that adopt one object at once, the later sees the earlier's stamp.
    #[test]
    fn what_another_has_stamped_meanwhile_is_not_adopted() {
        check(None, None, false);
        check(None, Some("own/n1"), false);
        check(None, Some("other/n1"), true);
        check(Some("lost/n1"), Some("lost/n1"), false);
        check(Some("lost/n1"), Some("other/n2"), true);
    }
}
