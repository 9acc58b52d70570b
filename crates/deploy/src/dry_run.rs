//! Asks the server what each apply would do, without doing it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{sync::Semaphore, task::JoinSet};
use underpin_cluster::{ApplyOptions, Cause, ClusterError, ConflictKind, Precondition};
use underpin_model::{GroupKind, Object, ObjectKey, ResourceKind, World};
use underpin_plan::{FieldConflict, MergeOutcome, Prepared, Situation};
use underpin_refs::is_deployer_manager;

use crate::{Deployment, kinds::Kinds};

/// Dry runs in flight at once.
const IN_FLIGHT: usize = 16;

/// What the server said of every object that can be asked about, and the objects whose conflicts
/// are settled by taking fields over: those that are adopted by name, and our own ones on which a
/// former deployer still owns fields.
#[derive(Debug, Default)]
pub(crate) struct DryRuns {
    pub(crate) outcomes: BTreeMap<ObjectKey, MergeOutcome>,
    pub(crate) forced: BTreeSet<ObjectKey>,
}

struct Question {
    kind: ResourceKind,
    desired: Object,
    precondition: Precondition,
    ours: bool,
    adopt: bool,
}

/// Asks about all prepared objects, in parallel.
pub(crate) async fn dry_runs(
    deployment: &Deployment,
    world: &World,
    kinds: &Kinds,
    prepared: &[Prepared],
) -> DryRuns {
    let mut found = DryRuns::default();
    let mut questions = Vec::new();
    for one in prepared {
        match question(world, kinds, one) {
            Ok(Some(question)) => questions.push(question),
            Ok(None) => {}
            Err(why) => {
                found
                    .outcomes
                    .insert(one.desired.key.clone(), MergeOutcome::NotAsked(why));
            }
        }
    }
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut tasks = JoinSet::new();
    for question in questions {
        let (slots, cluster) = (slots.clone(), deployment.cluster.clone());
        let timeout = deployment.settings.request_timeout;
        tasks.spawn(async move {
            let _slot = slots.acquire().await;
            let (outcome, forced) = ask(&cluster, &question, timeout).await;
            (question.desired.key, outcome, forced)
        });
    }
    while let Some(answer) = tasks.join_next().await {
        // A task that panicked leaves its object without an outcome: not validated.
        let Ok((key, outcome, forced)) = answer else {
            continue;
        };
        if forced {
            found.forced.insert(key.clone());
        }
        found.outcomes.insert(key, outcome);
    }
    found
}

fn question(world: &World, kinds: &Kinds, one: &Prepared) -> Result<Option<Question>, String> {
    let key = &one.desired.key;
    let precondition = match one.situation {
        Situation::Foreign(_) | Situation::Terminating => return Ok(None),
        Situation::Absent => Precondition::CreateOnly,
        Situation::Ours | Situation::Unowned => match world.get(key).and_then(Object::uid) {
            Some(uid) => Precondition::Uid(uid.to_owned()),
            None => Precondition::CreateOnly,
        },
    };
    let namespaces = GroupKind::core("Namespace");
    if let Some(namespace) = &key.namespace
        && world
            .get(&ObjectKey::of_namespace(namespace.clone()))
            .is_none()
        // Who may not list namespaces may well apply in one of them: the server tells.
        && world.unread(&namespaces, None).is_none()
    {
        return Err(format!("namespace {namespace} is not there yet"));
    }
    if !world.kinds.contains_key(&key.kind) {
        return Err(format!("the kind {} is not served yet", key.kind));
    }
    let Some(kind) = kinds.get(&key.kind) else {
        return Ok(None);
    };
    Ok(Some(Question {
        kind: kind.clone(),
        desired: one.desired.clone(),
        precondition,
        ours: one.situation == Situation::Ours,
        adopt: one.adopt,
    }))
}

async fn ask(
    cluster: &underpin_cluster::Cluster,
    question: &Question,
    timeout: std::time::Duration,
) -> (MergeOutcome, bool) {
    let mut options = ApplyOptions {
        dry_run: true,
        force: question.adopt,
        precondition: question.precondition.clone(),
        timeout,
    };
    let creates = options.precondition == Precondition::CreateOnly;
    match cluster
        .apply(&question.kind, &question.desired, &options)
        .await
    {
        Ok(_) if creates => (MergeOutcome::Creatable, false),
        Ok(applied) => (MergeOutcome::Merged(applied.object), question.adopt),
        Err(ClusterError::Conflict {
            kind: ConflictKind::FieldManagers(conflicts),
            ..
        }) => {
            let former = question.ours
                && conflicts
                    .iter()
                    .all(|conflict| is_deployer_manager(&conflict.manager));
            if former {
                options.force = true;
                if let Ok(applied) = cluster
                    .apply(&question.kind, &question.desired, &options)
                    .await
                {
                    return (MergeOutcome::Merged(applied.object), true);
                }
            }
            let conflicts = conflicts.into_iter().map(|conflict| FieldConflict {
                manager: conflict.manager,
                field: conflict.field,
            });
            (MergeOutcome::Conflicts(conflicts.collect()), false)
        }
        Err(error) => (refusal(&error), false),
    }
}

/// Longest that the server says of one field before the object it quotes is left out.
const BRIEF: usize = 200;

/// The fields and what is wrong with each, without the objects that the server quotes in between.
fn told(causes: &[Cause]) -> String {
    let told: Vec<String> = causes
        .iter()
        .map(|cause| format!("{}: {}", cause.field, without_quotation(&cause.message)))
        .collect();
    told.join("; ")
}

/// `Invalid value: core.PodTemplateSpec{…}: field is immutable` ends with all that matters.
fn without_quotation(message: &str) -> &str {
    match message.rsplit_once("}: ") {
        Some((_, end)) if message.len() > BRIEF && !end.is_empty() => end,
        _ => message,
    }
}

fn refusal(error: &ClusterError) -> MergeOutcome {
    match error {
        ClusterError::Invalid { causes, .. } if error.is_immutable() => {
            MergeOutcome::Immutable(told(causes))
        }
        ClusterError::Invalid { .. }
        | ClusterError::Server {
            code: 400 | 422, ..
        } => MergeOutcome::Refused(error.to_string()),
        // No right to ask, no answer, changed meanwhile: the apply itself will tell.
        error => MergeOutcome::NotAsked(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expect: &str) {
        assert_eq!(without_quotation(message), expect);
    }

    #[test]
    fn quoted_objects_are_left_out_of_what_the_server_says() {
        let quoted = "core.Container{}".repeat(100);
        check(
            &format!("Invalid value: {quoted}: field is immutable"),
            "field is immutable",
        );
        let short = "Invalid value: v1.LabelSelector{}: field is immutable";
        check(short, short);
        let forbidden = format!("Forbidden: is immutable after creation {}", "x".repeat(300));
        check(&forbidden, &forbidden);
    }
}
