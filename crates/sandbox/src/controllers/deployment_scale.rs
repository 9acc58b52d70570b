//! Deployments: how many pods each ReplicaSet is to have.

use std::sync::Arc;

use serde_json::Value;

use super::{deployment::Sets, owned, replica_set};
use crate::{State, object};

/// Annotation on a ReplicaSet: the deployment's replicas when it was last scaled.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// Annotation on a ReplicaSet: those, and as many as may be added for a roll-out.
pub(super) const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";

/// The pods that a deployment wants.
pub(super) fn wanted(deployment: &Value) -> i64 {
    owned::integer(deployment, "/spec/replicas").unwrap_or(1)
}

/// The pods that a ReplicaSet is to have.
pub(super) fn replicas(set: &Value) -> i64 {
    owned::integer(set, "/spec/replicas").unwrap_or(1)
}

fn available(set: &Value) -> i64 {
    owned::integer(set, "/status/availableReplicas").unwrap_or_default()
}

/// How many pods may be added, and how many may be missing, during a roll-out.
fn limits(deployment: &Value) -> (i64, i64) {
    if object::text(deployment, "/spec/strategy/type") == "Recreate" {
        return (0, 0);
    }
    let wanted = wanted(deployment);
    let limit = |field: &str, up: bool| {
        let pointer = format!("/spec/strategy/rollingUpdate/{field}");
        portion(deployment.pointer(&pointer), wanted, up)
    };
    let surge = limit("maxSurge", true).unwrap_or_else(|| percent(25, wanted, true));
    let missing = limit("maxUnavailable", false).unwrap_or_else(|| percent(25, wanted, false));
    // Otherwise nothing could ever move.
    let missing = if surge == 0 && missing == 0 {
        1
    } else {
        missing
    };
    (surge, missing)
}

/// How many pods may be missing.
pub(super) fn max_unavailable(deployment: &Value) -> i64 {
    let (_, missing) = limits(deployment);
    missing.min(wanted(deployment))
}

/// A number, or a percentage of one.
pub(super) fn portion(value: Option<&Value>, of: i64, up: bool) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => {
            let share: i64 = text.strip_suffix('%')?.parse().ok()?;
            Some(percent(share, of, up))
        }
        _ => None,
    }
}

fn percent(share: i64, of: i64, up: bool) -> i64 {
    let product = share.saturating_mul(of);
    if up {
        product.saturating_add(99).div_euclid(100)
    } else {
        product.div_euclid(100)
    }
}

/// What a ReplicaSet says of its deployment's size.
pub(super) fn annotations(deployment: &Value) -> [(&'static str, String); 2] {
    let wanted = wanted(deployment);
    let (surge, _) = limits(deployment);
    [
        (DESIRED, wanted.to_string()),
        (MAXIMUM, (wanted + surge).to_string()),
    ]
}

/// Gives a set its size; says whether that was a change.
pub(super) fn set(state: &mut State, deployment: &Value, set: &Value, size: i64) -> bool {
    let changes = replicas(set) != size;
    replica_set::set_replicas(state, set, size, &annotations(deployment));
    changes
}

/// The size to which the new set can grow now.
pub(super) fn room_for_new(deployment: &Value, sets: &Sets, have: i64) -> i64 {
    let wanted = wanted(deployment);
    if object::text(deployment, "/spec/strategy/type") == "Recreate" {
        return wanted;
    }
    let (surge, _) = limits(deployment);
    let total: i64 = sets.all().map(|set| replicas(set)).sum();
    let room = (wanted + surge - total).max(0);
    have + room.min(wanted - have)
}

/// Takes pods from the old sets, broken ones first, as far as enough others are available. Says
/// whether any were taken.
pub(super) fn down_old(state: &mut State, deployment: &Value, sets: &Sets, new: &Value) -> bool {
    let minimum = wanted(deployment) - max_unavailable(deployment);
    let total: i64 = sets.all().map(|set| replicas(set)).sum();
    let spare = total - minimum - (replicas(new) - available(new));
    let mut sizes: Vec<(&Arc<Value>, i64)> = sets
        .old
        .iter()
        .map(|set| (set, replicas(set)))
        .filter(|(_, size)| *size > 0)
        .collect();
    if sizes.is_empty() || spare <= 0 {
        return false;
    }
    let mut broken = spare;
    for (set, size) in &mut sizes {
        let taken = (*size - available(set)).clamp(0, broken);
        *size -= taken;
        broken -= taken;
    }
    let ready: i64 = sets.all().map(|set| available(set)).sum();
    let mut healthy = (ready - minimum).max(0);
    for (_, size) in &mut sizes {
        let taken = (*size).min(healthy);
        *size -= taken;
        healthy -= taken;
    }
    let mut scaled = false;
    for (old, size) in sizes {
        scaled |= replicas(old) != size && set(state, deployment, old, size);
    }
    scaled
}

/// Whether the deployment's size changed since its sets were scaled.
pub(super) fn is_event(deployment: &Value, sets: &Sets) -> bool {
    let wanted = wanted(deployment);
    sets.all().filter(|set| replicas(set) > 0).any(|set| {
        let annotations = owned::text_map(set.pointer("/metadata/annotations"));
        let desired = annotations.get(DESIRED).and_then(|text| text.parse().ok());
        desired.is_some_and(|desired: i64| desired != wanted)
    })
}

/// Brings all sets to the deployment's size, each by its share.
pub(super) fn proportionally(state: &mut State, deployment: &Value, sets: &Sets) {
    let wanted = wanted(deployment);
    let active: Vec<&Arc<Value>> = sets.all().filter(|set| replicas(set) > 0).collect();
    match active.as_slice() {
        [] => {
            if let Some(latest) = sets.new.as_ref().or(sets.old.last()) {
                set(state, deployment, latest, wanted);
            }
            return;
        }
        [only] => {
            set(state, deployment, only, wanted);
            return;
        }
        _ => {}
    }
    let saturated = sets
        .new
        .as_ref()
        .is_some_and(|new| replicas(new) == wanted && available(new) == wanted);
    if saturated {
        for old in sets.old.iter().filter(|set| replicas(set) > 0) {
            set(state, deployment, old, 0);
        }
        return;
    }
    if object::text(deployment, "/spec/strategy/type") == "Recreate" {
        return;
    }
    for (one, size) in shares(deployment, active) {
        set(state, deployment, &one, size);
    }
}

fn shares(deployment: &Value, mut active: Vec<&Arc<Value>>) -> Vec<(Arc<Value>, i64)> {
    let wanted = wanted(deployment);
    let (surge, _) = limits(deployment);
    let allowed = if wanted > 0 { wanted + surge } else { 0 };
    let total: i64 = active.iter().map(|set| replicas(set)).sum();
    let to_add = allowed - total;
    // The biggest first; of equals the newest when growing, the oldest when shrinking.
    active.sort_by_key(|set| std::cmp::Reverse(replicas(set)));
    if to_add > 0 {
        active.reverse();
        active.sort_by_key(|set| std::cmp::Reverse(replicas(set)));
    }
    let mut added = 0;
    let mut sizes: Vec<(Arc<Value>, i64)> = Vec::new();
    for set in active {
        let share = share(set, wanted, allowed);
        let left = to_add - added;
        let part = if to_add > 0 {
            share.clamp(0, left)
        } else {
            share.clamp(left.min(0), 0)
        };
        added += part;
        sizes.push((set.clone(), replicas(set) + part));
    }
    if let Some((_, first)) = sizes.first_mut() {
        *first = (*first + to_add - added).max(0);
    }
    sizes
}

/// By how much a set's share changes with the deployment's size.
fn share(set: &Value, wanted: i64, allowed: i64) -> i64 {
    let size = replicas(set);
    if wanted == 0 {
        return -size;
    }
    let annotations = owned::text_map(set.pointer("/metadata/annotations"));
    let before: i64 = annotations
        .get(MAXIMUM)
        .and_then(|text| text.parse().ok())
        .filter(|maximum| *maximum > 0)
        .unwrap_or(allowed);
    // Rounded to the nearest.
    (size * allowed * 2 + before).div_euclid(before * 2) - size
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(value: &Value, of: i64, up: bool, expect: Option<i64>) {
        assert_eq!(portion(Some(value), of, up), expect);
    }

    #[test]
    fn portions_are_numbers_or_percentages() {
        check(&json!(3), 10, true, Some(3));
        check(&json!("25%"), 10, true, Some(3));
        check(&json!("25%"), 10, false, Some(2));
        check(&json!("0%"), 10, true, Some(0));
        check(&json!("a"), 10, true, None);
        check(&json!(null), 10, true, None);
    }

    #[track_caller]
    fn check_shares(sizes: &[(i64, i64)], wanted: i64, expect: &[i64]) {
        let deployment = json!({"spec": {"replicas": wanted}});
        let sets: Vec<Arc<Value>> = sizes
            .iter()
            .map(|(size, maximum)| {
                let annotations = json!({MAXIMUM: maximum.to_string()});
                Arc::new(json!({
                    "metadata": {"annotations": annotations},
                    "spec": {"replicas": size},
                }))
            })
            .collect();
        let mut sizes: Vec<i64> = shares(&deployment, sets.iter().collect())
            .into_iter()
            .map(|(_, size)| size)
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes, expect);
    }

    #[test]
    fn a_deployment_scales_its_sets_by_their_shares() {
        // Ten replicas with a surge of three, in the middle of a roll-out.
        check_shares(&[(8, 13), (5, 13)], 20, &[10, 15]);
        check_shares(&[(8, 13), (5, 13)], 5, &[3, 4]);
        check_shares(&[(8, 13), (5, 13)], 0, &[0, 0]);
    }
}
