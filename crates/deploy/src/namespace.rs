//! Deletes a namespace, only on fresh proof that nothing is left in it.

use underpin_cluster::{Deletion, Propagation};
use underpin_model::{Action, Object, Step};

use crate::{
    Held, StepResult,
    count::{NamespaceRemoval, settled_count},
    remove::{Going, await_gone, newly_protected},
    tools::Tools,
    waves::StepEnd,
};

/// How often a namespace that changed while it was counted is counted again.
const ATTEMPTS: usize = 5;

/// Carries out a delete step on a Namespace: its resourceVersion first, then all claims, then
/// everything that is left in every listable kind, then the deletion with uid and that version.
/// A concurrent `up` has changed the version: count again.
pub(crate) async fn delete_step(
    tools: Tools,
    removal: NamespaceRemoval,
    step: Step,
) -> StepEnd<()> {
    debug_assert!(step.key.is_namespace() && step.action == Action::Delete);
    let expected = step
        .before
        .as_ref()
        .and_then(Object::uid)
        .map(str::to_owned);
    for _ in 0..ATTEMPTS {
        let live = match tools.timed()?.get(&removal.kind, &step.key).await {
            Ok(Some(live)) => live,
            Ok(None) => return Ok((StepResult::AlreadyDone, Some(()))),
            Err(error) => return Ok((StepResult::Failed(error.to_string()), None)),
        };
        if live.uid().map(str::to_owned) != expected {
            return Ok((
                StepResult::Kept("it was made anew by somebody else".to_owned()),
                Some(()),
            ));
        }
        let going = Going {
            kind: &removal.kind,
            key: &step.key,
            uid: expected.as_deref(),
            held: Held::ByContents,
        };
        if live.is_terminating() {
            return await_gone(&tools, &going, removal.patience).await;
        }
        if let Some(protection) = newly_protected(&live, &step) {
            let why = format!("protected meanwhile by {protection}");
            return Ok((StepResult::Kept(why), None));
        }
        let left = match settled_count(&tools, &removal, &step.key.name).await? {
            Ok(left) => left,
            Err(why) => return Ok((StepResult::Kept(why), None)),
        };
        if !left.is_proven_empty() {
            return Ok((StepResult::Kept(left.summary()), None));
        }
        let (uid, version) = (
            live.uid().unwrap_or_default(),
            live.resource_version().unwrap_or_default(),
        );
        let deletion = tools
            .timed()?
            .delete(
                &removal.kind,
                &step.key,
                uid,
                version,
                Propagation::Background,
            )
            .await;
        match deletion {
            Ok(Deletion::Gone) => return Ok((StepResult::Done, Some(()))),
            Ok(Deletion::Accepted { .. }) => {
                return await_gone(&tools, &going, removal.patience).await;
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Ok((StepResult::Failed(error.to_string()), None)),
        }
    }
    let why = format!("it kept changing while it was counted ({ATTEMPTS} times)");
    Ok((StepResult::Kept(why), None))
}
