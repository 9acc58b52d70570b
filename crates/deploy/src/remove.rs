//! Deletes one object: re-read, judged again, with uid and resourceVersion.

use std::time::Duration;

use tokio::time::Instant;
use underpin_cluster::{ClusterError, Deletion, Propagation};
use underpin_model::{Object, ObjectKey, ResourceKind, Step};
use underpin_refs::{protections, rebound};

use crate::{Held, StepResult, StopReason, tools::Tools, waves::StepEnd};

/// How often one object is read again and decided again after it changed underfoot.
const ATTEMPTS: usize = 5;
/// How long a replacement waits for the old object to go.
const REPLACEMENT_PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at an object that is going.
const POLL: Duration = Duration::from_millis(250);

/// Carries out one delete step on anything but a Namespace.
pub(crate) async fn delete_step(
    tools: Tools,
    kind: ResourceKind,
    step: Step,
    patience: Duration,
) -> StepEnd<()> {
    let expected = step
        .before
        .as_ref()
        .and_then(Object::uid)
        .map(str::to_owned);
    for _ in 0..ATTEMPTS {
        let live = match tools.timed()?.get(&kind, &step.key).await {
            Ok(Some(live)) => live,
            Ok(None) => return Ok((StepResult::AlreadyDone, Some(()))),
            Err(error) => return Ok((StepResult::Failed(error.to_string()), None)),
        };
        if live.uid().map(str::to_owned) != expected {
            let why = "it was replaced by somebody else while this ran".to_owned();
            return Ok((StepResult::Kept(why), Some(())));
        }
        if let Some(protection) = newly_protected(&live, &step) {
            return Ok((
                StepResult::Kept(format!("protected meanwhile by {protection}")),
                None,
            ));
        }
        if let Some(field) = step.before.as_ref().and_then(|old| rebound(old, &live)) {
            let why =
                format!("its {field} changed since it was judged; run again to see it planned");
            return Ok((StepResult::Kept(why), None));
        }
        match delete(&tools, &kind, &live).await? {
            Ok(Deletion::Gone) => return Ok((StepResult::Done, Some(()))),
            Ok(Deletion::Accepted { finalizers }) => {
                let going = Going {
                    kind: &kind,
                    key: &step.key,
                    uid: expected.as_deref(),
                    held: Held::By(finalizers),
                };
                return await_gone(&tools, &going, patience).await;
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Ok((StepResult::Failed(error.to_string()), None)),
        }
    }
    let why = format!("it kept changing while it was deleted ({ATTEMPTS} attempts); run again");
    Ok((StepResult::Failed(why), None))
}

/// Deletes the live object of a replace step and waits until it is gone.
pub(crate) async fn for_replacement(
    tools: &Tools,
    kind: &ResourceKind,
    step: &Step,
) -> Result<Result<(), String>, StopReason> {
    let end = delete_step(
        tools.clone(),
        kind.clone(),
        step.clone(),
        REPLACEMENT_PATIENCE,
    )
    .await?;
    Ok(match end.0 {
        StepResult::Done | StepResult::AlreadyDone => Ok(()),
        StepResult::Terminating(held) => Err(format!(
            "it is still being deleted, held by {held}; run again when it is gone"
        )),
        StepResult::Kept(why) | StepResult::Failed(why) | StepResult::Skipped(why) => Err(why),
    })
}

async fn delete(
    tools: &Tools,
    kind: &ResourceKind,
    live: &Object,
) -> Result<Result<Deletion, ClusterError>, StopReason> {
    let uid = live.uid().unwrap_or_default();
    let version = live.resource_version().unwrap_or_default();
    Ok(tools
        .timed()?
        .delete(kind, &live.key, uid, version, Propagation::Background)
        .await)
}

/// A protection that stands on the object now and did not when the plan was judged.
pub(crate) fn newly_protected(live: &Object, step: &Step) -> Option<String> {
    let before: Vec<String> = step
        .before
        .as_ref()
        .map(protections)
        .into_iter()
        .flatten()
        .map(|protection| protection.key)
        .collect();
    protections(live)
        .into_iter()
        .find(|protection| {
            protection.from_delete
                && !protection.cascading_only
                && !before.contains(&protection.key)
        })
        .map(|protection| protection.key)
}

/// An object whose deletion the server has accepted.
pub(crate) struct Going<'a> {
    pub(crate) kind: &'a ResourceKind,
    pub(crate) key: &'a ObjectKey,
    pub(crate) uid: Option<&'a str>,
    pub(crate) held: Held,
}

/// Waits until the object is gone, or another took its name.
pub(crate) async fn await_gone(
    tools: &Tools,
    going: &Going<'_>,
    patience: Duration,
) -> StepEnd<()> {
    let end = Instant::now() + patience;
    loop {
        match tools.timed()?.get(going.kind, going.key).await {
            Ok(Some(live)) if live.uid() == going.uid => {}
            Ok(_) => return Ok((StepResult::Done, Some(()))),
            Err(error) if error.is_transient() => {}
            Err(error) => return Ok((StepResult::Failed(error.to_string()), None)),
        }
        if Instant::now() >= end {
            return Ok((StepResult::Terminating(going.held.clone()), None));
        }
        if let Some(reason) = tools.stop.sleep(POLL).await {
            return Err(reason);
        }
    }
}
