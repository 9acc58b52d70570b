//! The mark that `up` leaves on namespaces, so that a concurrent `down` counts again.

use underpin_cluster::ClusterError;
use underpin_model::{Claim, ClaimId, NamespaceProvenance, Object, ObjectKey, Step, World, names};

use crate::{StopReason, tools::Tools};

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
    // Another value at each run, so that the Namespace's resourceVersion changes each time.
    let value = format!("{}/{}", tools.claim, tools.guard.holder());
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{LogicalKey, Placement};

    use super::*;

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
}
