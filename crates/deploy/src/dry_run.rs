//! Asks the server what each apply would do, without doing it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};
use underpin_cluster::{ApplyOptions, Cause, Cluster, ClusterError, ConflictKind, Precondition};
use underpin_model::{GroupKind, Object, ObjectKey, ResourceKind, Unvalidated, World};
use underpin_plan::{FieldConflict, MergeOutcome, Objection, Prepared, Situation};
use underpin_refs::is_deployer_manager;

use crate::{Deployment, Event, Observer, kinds::Kinds, unchanged::proven};

/// Dry runs in flight at once.
const IN_FLIGHT: usize = 16;

/// What the server said of every object that can be asked about.
#[derive(Debug, Default)]
pub(crate) struct DryRuns {
    pub(crate) outcomes: BTreeMap<ObjectKey, MergeOutcome>,
    /// Conflicts that are settled by taking the fields over: on objects that are adopted by name,
    /// and on our own ones where a former deployer still owns fields.
    pub(crate) taken: BTreeMap<ObjectKey, Vec<FieldConflict>>,
}

/// What the server said of one object, and the conflicts that are settled by taking over.
struct Answer {
    outcome: MergeOutcome,
    taken: Vec<FieldConflict>,
}

struct Question {
    kind: ResourceKind,
    desired: Object,
    precondition: Precondition,
    ours: bool,
    adopt: bool,
}

/// Asks about all prepared objects, in parallel; not about those that are provably left as they
/// are.
pub(crate) async fn dry_runs(
    deployment: &Deployment,
    world: &World,
    kinds: &Kinds,
    prepared: &[Prepared],
    observer: &dyn Observer,
) -> DryRuns {
    let mut found = DryRuns::default();
    let mut questions = Vec::new();
    for (one, proven) in prepared.iter().zip(proven(world, prepared)) {
        if let Some(live) = proven {
            let outcome = MergeOutcome::Merged(live.clone());
            found.outcomes.insert(one.desired.key.clone(), outcome);
            continue;
        }
        match question(world, kinds, one) {
            Ok(Some(question)) => questions.push(question),
            Ok(None) => {}
            Err(why) => {
                found.outcomes.insert(
                    one.desired.key.clone(),
                    MergeOutcome::NotAsked(Unvalidated::TooEarly(why)),
                );
            }
        }
    }
    observer.event(Event::DryRuns(questions.len()));
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut tasks = JoinSet::new();
    for question in questions {
        let (slots, cluster) = (slots.clone(), deployment.cluster.clone());
        let timeout = deployment.settings.request_timeout;
        tasks.spawn(async move {
            let _slot = slots.acquire().await;
            let answer = ask(&cluster, &question, timeout).await;
            (question.desired.key, answer)
        });
    }
    while let Some(answer) = tasks.join_next().await {
        // A task that panicked leaves its object without an outcome: not validated.
        let Ok((key, answer)) = answer else {
            continue;
        };
        if !answer.taken.is_empty() {
            found.taken.insert(key.clone(), answer.taken);
        }
        found.outcomes.insert(key, answer.outcome);
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

/// Asks without force first: only so the server tells whose fields an apply would take.
async fn ask(cluster: &Cluster, question: &Question, timeout: Duration) -> Answer {
    let mut options = ApplyOptions {
        dry_run: true,
        force: false,
        precondition: question.precondition.clone(),
        timeout,
    };
    let creates = options.precondition == Precondition::CreateOnly;
    let (kind, desired) = (&question.kind, &question.desired);
    let conflicts = match cluster.apply(kind, desired, &options).await {
        Ok(_) if creates => return Answer::of(MergeOutcome::Creatable),
        Ok(applied) => return Answer::of(MergeOutcome::Merged(applied.object)),
        Err(ClusterError::Conflict {
            kind: ConflictKind::FieldManagers(conflicts),
            ..
        }) => field_conflicts(conflicts),
        Err(error) => return Answer::of(refusal(&error)),
    };
    let former = question.ours
        && conflicts
            .iter()
            .all(|conflict| is_deployer_manager(&conflict.manager));
    if !question.adopt && !former {
        return Answer::of(MergeOutcome::Conflicts(conflicts));
    }
    options.force = true;
    match cluster.apply(kind, desired, &options).await {
        Ok(applied) => Answer {
            outcome: MergeOutcome::Merged(applied.object),
            taken: conflicts,
        },
        Err(error) if question.adopt => Answer::of(refusal(&error)),
        Err(_) => Answer::of(MergeOutcome::Conflicts(conflicts)),
    }
}

impl Answer {
    fn of(outcome: MergeOutcome) -> Self {
        Self {
            outcome,
            taken: Vec::new(),
        }
    }
}

/// Conflicts as plans speak of them.
pub(crate) fn field_conflicts(
    conflicts: Vec<underpin_cluster::FieldConflict>,
) -> Vec<FieldConflict> {
    let conflicts = conflicts.into_iter().map(|conflict| FieldConflict {
        manager: conflict.manager,
        field: conflict.field,
    });
    conflicts.collect()
}

/// Longest that the server says of one field before the object it quotes is left out.
const BRIEF: usize = 200;

/// The fields and what is wrong with each, without the objects that the server quotes in between.
fn told(causes: &[Cause]) -> Vec<Objection> {
    let told = causes.iter().map(|cause| Objection {
        field: cause.field.clone(),
        words: without_quotation(&cause.message).to_owned(),
    });
    told.collect()
}

/// The same of fields that cannot change, without the value that was sent: the plan shows it.
fn immutable(causes: &[Cause]) -> Vec<Objection> {
    let mut told = told(causes);
    for objection in &mut told {
        let words = objection.words.strip_prefix("Invalid value: ");
        let end = words.and_then(|words| words.rsplit_once(": "));
        if let Some((_, end)) = end {
            objection.words = end.to_owned();
        }
    }
    told
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
            MergeOutcome::Immutable(immutable(causes))
        }
        ClusterError::Invalid {
            causes, message, ..
        } => {
            let fields = Objection::of_schema(message).unwrap_or_else(|| told(causes));
            MergeOutcome::Refused(if fields.is_empty() {
                vec![Objection::to_all(error.to_string())]
            } else {
                fields
            })
        }
        ClusterError::Server {
            code: 400 | 422, ..
        } => MergeOutcome::Refused(vec![Objection::to_all(error.to_string())]),
        // No answer, changed meanwhile, refused as things are: the apply itself will tell.
        error => MergeOutcome::NotAsked(match error.missing_right() {
            Some(right) => Unvalidated::NoRight(right),
            None if error.is_already_exists() => Unvalidated::NoAnswer(
                "it is there, and was not seen when the world was read".to_owned(),
            ),
            None => Unvalidated::NoAnswer(error.to_string()),
        }),
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
