//! Namespaces: marked by every `up`, deleted only on fresh proof that nothing is left.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};
use underpin_cluster::{
    Cluster, ClusterError, Deletion, Propagation, claims::ClaimStore, is_ambient,
};
use underpin_model::{
    Action, Claim, ClaimId, GroupKind, NamespaceProvenance, Object, ObjectKey, ResourceKind, Step,
    Unread, World, names,
};
use underpin_plan::{Occupancy, Ownership, occupancy};
use underpin_refs::{Presence, presence};

use crate::{
    StepResult, StopReason,
    remove::{Going, await_gone, newly_protected},
    tools::Tools,
    waves::StepEnd,
};

/// How often a namespace that changed while it was counted is counted again.
const ATTEMPTS: usize = 5;
/// Between two counts of a namespace whose last objects are going.
const SETTLE_POLL: Duration = Duration::from_millis(500);
/// How long that is waited for at least, whether or not waiting was asked for: what our own
/// deletions leave behind for a moment is nobody's reason to keep a namespace.
const SETTLE_LEAST: Duration = Duration::from_secs(10);
/// How often it is asked anew which kinds there are, because one went while it was counted.
const DISCOVERIES: usize = 5;
/// Lists in flight at once while counting.
const IN_FLIGHT: usize = 16;

/// Marks every live namespace that the steps apply to. A Namespace's resourceVersion does not
/// change with its contents; this is what makes a concurrent `down`, which has counted before,
/// fail and count again. Must follow the claim's record and precede the first apply. Returns why
/// the run must not go on.
pub(crate) async fn mark(
    tools: &Tools,
    world: &World,
    steps: &[Step],
) -> Result<Vec<String>, StopReason> {
    let mut touched: Vec<&str> = steps
        .iter()
        .filter(|step| step.action.applies())
        .filter_map(|step| step.key.namespace.as_deref())
        .collect();
    touched.sort_unstable();
    touched.dedup();
    let mut failed = Vec::new();
    for name in touched {
        let Err(error) = mark_one(tools, world, name).await? else {
            continue;
        };
        let holders = holders(world, &tools.claim, name);
        if holders.is_empty() && matches!(error, ClusterError::Forbidden { .. }) {
            // Who may only work inside a namespace that an administrator made cannot mark it, and
            // no `down` deletes what no environment has created.
            continue;
        }
        let why = match holders.join(", ") {
            none if none.is_empty() => none,
            holders => format!("; unmarked, a `down` of {holders} could delete it meanwhile"),
        };
        failed.push(format!("namespace {name}: {error}{why}"));
    }
    Ok(failed)
}

async fn mark_one(
    tools: &Tools,
    world: &World,
    name: &str,
) -> Result<Result<(), ClusterError>, StopReason> {
    let key = ObjectKey::of_namespace(name);
    let live = match (world.get(&key), world.kinds.get(&key.kind)) {
        // Namespaces could not be listed; this one may be readable.
        (None, Some(kind)) if world.unread(&key.kind, None).is_some() => {
            match tools.timed()?.get(kind, &key).await {
                Ok(live) => live,
                Err(error) => return Ok(Err(error)),
            }
        }
        (live, _) => live.cloned(),
    };
    let Some(uid) = live.as_ref().and_then(Object::uid) else {
        return Ok(Ok(()));
    };
    let value = mark_value(&tools.claim);
    let marked = tools
        .timed()?
        .annotate_namespace(name, uid, names::LAST_UP_ANNOTATION, &value)
        .await;
    Ok(marked.map(|_| ()))
}

/// Other environments whose `down` may delete a namespace: those that created or imported it.
fn holders(world: &World, own: &ClaimId, namespace: &str) -> Vec<String> {
    let key = ObjectKey::of_namespace(namespace);
    let holds = |claim: &&Claim| {
        let placed = claim.placement.as_ref().is_some_and(|placement| {
            placement.namespace == namespace
                && placement.provenance != NamespaceProvenance::Existing
        });
        let mut entries = claim.entries.values();
        let created = entries.any(|entry| entry.key == key && entry.created);
        claim.id != *own && (placed || created)
    };
    let claims = world.claims.iter().filter(holds);
    claims.map(Claim::display_name).collect()
}

/// Different at each call, so that the Namespace's resourceVersion changes each time.
fn mark_value(claim: &ClaimId) -> String {
    format!("{claim}/{}", jiff::Timestamp::now().as_nanosecond())
}

/// What deleting a namespace needs besides the shared tools.
#[derive(Clone)]
pub(crate) struct NamespaceRemoval {
    pub(crate) store: ClaimStore,
    pub(crate) world: Arc<World>,
    pub(crate) kind: ResourceKind,
    pub(crate) patience: Duration,
}

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
        let going = |finalizers| Going {
            kind: &removal.kind,
            key: &step.key,
            uid: expected.as_deref(),
            finalizers,
        };
        if live.is_terminating() {
            let going = going(vec!["its contents".to_owned()]);
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
            Ok(Deletion::Accepted { finalizers }) => {
                return await_gone(&tools, &going(finalizers), removal.patience).await;
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Ok((StepResult::Failed(error.to_string()), None)),
        }
    }
    let why = format!("it kept changing while it was counted ({ATTEMPTS} times)");
    Ok((StepResult::Kept(why), None))
}

/// Counts a namespace, and again while all that is left is about to go by itself: pods of a
/// Deployment that was deleted a moment ago, the token of a ServiceAccount.
async fn settled_count(
    tools: &Tools,
    removal: &NamespaceRemoval,
    namespace: &str,
) -> Result<Result<Occupancy, String>, StopReason> {
    let end = Instant::now() + removal.patience.max(SETTLE_LEAST);
    loop {
        let (left, settles) = match count(tools, removal, namespace).await? {
            Ok(counted) => counted,
            Err(why) => return Ok(Err(why)),
        };
        if left.is_proven_empty() || !settles || Instant::now() >= end {
            return Ok(Ok(left));
        }
        if let Some(reason) = tools.stop.sleep(SETTLE_POLL).await {
            return Err(reason);
        }
    }
}

/// Whether an object goes by itself: it is being deleted, or everything that it was made for is
/// gone and a controller collects it. `uids` are those of all objects that are there; `before` is
/// the world in which what it was made for still was.
fn goes_by_itself(object: &Object, uids: &BTreeSet<&str>, before: &World) -> bool {
    if object.is_terminating() {
        return true;
    }
    let endpoints = object.key.kind.is("", "Endpoints");
    if endpoints && matches!(presence(object, before), Presence::Derived(_)) {
        // They name their Service by their own name alone.
        return true;
    }
    let owners = object.owner_references();
    if !owners.is_empty() {
        return owners
            .iter()
            .all(|owner| !uids.contains(owner.uid.as_str()));
    }
    // Tokens of a ServiceAccount carry its uid in an annotation and no owner reference.
    let account = object.annotation("kubernetes.io/service-account.uid");
    object.key.kind.is("", "Secret") && account.is_some_and(|uid| !uids.contains(uid))
}

/// Counts a namespace afresh, and tells whether all that counts goes by itself. An error says why
/// it cannot be counted.
async fn count(
    tools: &Tools,
    removal: &NamespaceRemoval,
    namespace: &str,
) -> Result<Result<(Occupancy, bool), String>, StopReason> {
    tools.time()?;
    let (claims, unread) = match removal.store.load_all().await {
        Ok(read) => read,
        Err(error) => return Ok(Err(format!("the claims could not be read: {error}"))),
    };
    let mut left = World::default();
    left.cluster.clone_from(&removal.world.cluster);
    left.claims = claims;
    if let Some(unread) = unread.first() {
        return Ok(Err(format!("a claim could not be read: {unread}")));
    }
    if let Err(why) = list_all(tools, namespace, &mut left).await? {
        return Ok(Err(why));
    }
    let ownership = Ownership::of(&left);
    // Our own objects that finalizers still hold are going; the namespace waits for them.
    let own = left
        .claims
        .iter()
        .find(|claim| claim.id == tools.claim)
        .cloned();
    let going = |object: &Object| {
        object.is_terminating() && own.as_ref().is_some_and(|claim| claim.owns(object))
    };
    let counted = occupancy(&left, &ownership, namespace, Some(&tools.claim), going);
    let cluster_wide = |object: &&Object| object.key.namespace.is_none();
    let uids: BTreeSet<&str> = left
        .objects()
        .chain(removal.world.objects().filter(cluster_wide))
        .filter_map(Object::uid)
        .collect();
    let settles = counted.unread.is_empty()
        && counted.placed.is_empty()
        && counted.expecting.is_empty()
        && counted.occupants.iter().all(|occupant| {
            left.get(&occupant.key)
                .is_some_and(|object| goes_by_itself(object, &uids, &removal.world))
        });
    Ok(Ok((counted, settles)))
}

/// Lists every kind that is served now into `left`: since the plan some may have come, and others
/// may have gone, by this very run. An error says why it is not known which there are.
async fn list_all(
    tools: &Tools,
    namespace: &str,
    left: &mut World,
) -> Result<Result<(), String>, StopReason> {
    for discovery in 1..=DISCOVERIES {
        let (kinds, unread) = match tools.timed()?.discover().await {
            Ok(discovered) => discovered,
            Err(error) => return Ok(Err(format!("its kinds could not be discovered: {error}"))),
        };
        let lists = list_kinds(&tools.timed()?, kinds.values(), namespace).await;
        let withdrawn = |(_, list): &(_, List)| matches!(list, List::Withdrawn(_));
        if discovery < DISCOVERIES && lists.iter().any(withdrawn) {
            if let Some(reason) = tools.stop.sleep(SETTLE_POLL).await {
                return Err(reason);
            }
            continue;
        }
        left.kinds = kinds;
        left.unread = unread;
        for (kind, list) in lists {
            match list {
                List::Read(objects) => objects.into_iter().for_each(|object| left.insert(object)),
                List::Withdrawn(reason) | List::Unread(reason) => left.unread.push(Unread {
                    group: kind.group.clone(),
                    kind: Some(kind),
                    namespace: Some(namespace.to_owned()),
                    reason,
                }),
            }
        }
        return Ok(Ok(()));
    }
    Ok(Err(
        "its kinds kept changing while it was counted".to_owned()
    ))
}

/// What came of listing one kind.
enum List {
    Read(Vec<Object>),
    /// Its definition went between discovery and list.
    Withdrawn(String),
    Unread(String),
}

impl List {
    fn of(listed: Result<Vec<Object>, ClusterError>) -> Self {
        match listed {
            Ok(objects) => Self::Read(objects),
            // Discovery promised lists, and the server has none of this kind.
            Err(ClusterError::Server { code: 405, .. }) => Self::Read(Vec::new()),
            Err(error @ (ClusterError::NoMatch { .. } | ClusterError::NotFound { .. })) => {
                Self::Withdrawn(error.to_string())
            }
            Err(error) => Self::Unread(error.to_string()),
        }
    }
}

/// Lists every listable namespaced kind in a namespace, metadata only, in parallel.
async fn list_kinds(
    cluster: &Cluster,
    kinds: impl Iterator<Item = &ResourceKind>,
    namespace: &str,
) -> Vec<(GroupKind, List)> {
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut tasks = JoinSet::new();
    let counted =
        |kind: &&ResourceKind| kind.namespaced && kind.listable && !is_ambient(&kind.kind);
    for kind in kinds.filter(counted).cloned() {
        let (cluster, slots, namespace) = (cluster.clone(), slots.clone(), namespace.to_owned());
        tasks.spawn(async move {
            let _slot = slots.acquire().await;
            let listed = cluster.list_metadata(&kind, &namespace).await;
            (kind.kind, List::of(listed))
        });
    }
    let mut all = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(listed) => all.push(listed),
            Err(error) => all.push((
                GroupKind::core("unknown"),
                List::Unread(format!("internal error while listing: {error}")),
            )),
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use underpin_model::{Depth, LogicalKey, Origin, Placement};

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn named(kind: &str, name: &str, further: &Value) -> Object {
        let mut value = json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "wallet"},
        });
        value["metadata"]
            .as_object_mut()
            .unwrap()
            .extend(further.as_object().unwrap().clone());
        object(value)
    }

    fn owned_by(uid: &str) -> Value {
        json!({"ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": uid, "controller": true},
        ]})
    }

    /// Who holds namespace `wallet`, as a claim with this placement and this entry sees it.
    #[track_caller]
    fn check_holder(
        id: &str,
        placement: Option<NamespaceProvenance>,
        created: Option<bool>,
        expect: bool,
    ) {
        let mut claim = Claim::new(ClaimId(id.into()), "wallet", "tenant", "cluster");
        claim.placement = placement.map(|provenance| Placement {
            namespace: "wallet".into(),
            uid: None,
            provenance,
            shared: false,
        });
        let key = ObjectKey::of_namespace("wallet");
        claim.entries.extend(created.map(|created| {
            let entry = json!({
                "key": key, "apiVersion": "v1", "state": "intended", "nonce": "n1",
                "created": created,
            });
            let entry = serde_json::from_value(entry).unwrap();
            (LogicalKey::of(&key, "other"), entry)
        }));
        let mut world = World::default();
        world.claims.push(claim);
        let found = holders(&world, &ClaimId("own".into()), "wallet");
        assert_eq!(!found.is_empty(), expect, "{placement:?} {created:?}");
    }

    /// A namespace that an administrator made can do without the mark; one that another
    /// environment may delete cannot.
    #[test]
    fn only_those_who_made_or_imported_a_namespace_hold_it() {
        use NamespaceProvenance::{Created, Existing, Imported};
        check_holder("other", Some(Created), None, true);
        check_holder("other", Some(Imported), None, true);
        check_holder("other", Some(Existing), None, false);
        check_holder("other", None, Some(true), true);
        check_holder("other", None, Some(false), false);
        check_holder("own", Some(Created), Some(true), false);
    }

    #[track_caller]
    fn check(left: &Object, expect: bool) {
        let mut before = World::default();
        before.insert(named("Service", "web", &json!({"uid": "service"})));
        let uids = BTreeSet::from(["there"]);
        assert_eq!(goes_by_itself(left, &uids, &before), expect, "{}", left.key);
    }

    /// R1.4, R1.5: only what the deleted objects leave behind for a moment is waited for.
    #[test]
    fn what_a_deletion_leaves_behind_goes_by_itself() {
        check(&named("Pod", "web-1", &owned_by("gone")), true);
        check(&named("Pod", "web-1", &owned_by("there")), false);
        check(&named("Pod", "by-hand", &json!({})), false);
        check(
            &named(
                "Pod",
                "by-hand",
                &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
            ),
            true,
        );
        check(&named("Endpoints", "web", &json!({})), true);
        check(&named("Endpoints", "by-hand", &json!({})), false);
        let token = |uid: &str| json!({"annotations": {"kubernetes.io/service-account.uid": uid}});
        check(&named("Secret", "sa-token-1", &token("gone")), true);
        check(&named("Secret", "sa-token-1", &token("there")), false);
    }
}
