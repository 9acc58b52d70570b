//! What is wrong at the end of a run.

use serde_json::Value;

use super::{
    CLAIMS_NAMESPACE, Ledger, STAMP, Snapshot, TAKEN_DOWN, claim, claim_name, claims,
    claims::was_kept,
    is_going, text, uid,
    words::{keeps, lived_in, words},
};
use crate::scenario::Environment;

/// What is wrong at the end of a run that was not interrupted. `meanwhile` is who else went on
/// with its own objects.
pub fn judge_end(
    ledger: &Ledger,
    actor: &Environment,
    meanwhile: Option<&str>,
    before: &Snapshot,
    after: &Snapshot,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let id = actor.id();
    let own_claim = claim_name(actor.stack, actor.name);
    for (key, old) in before {
        let maker = ledger.maker(old);
        if maker.is_none_or(|maker| maker == id || Some(maker) == meanwhile) || is_going(old) {
            continue;
        }
        // All environments share these.
        let is_beside = key.kind == "Secret" || key.name == TAKEN_DOWN;
        if key.namespace == CLAIMS_NAMESPACE && is_beside || key.name == CLAIMS_NAMESPACE {
            continue;
        }
        match after.get(key) {
            None if was_kept(before, actor, key) => {}
            // With its namespace or its definition.
            None if ledger.was_unseen(old) => {}
            None => wrong.push(format!("{key} is gone, and {maker:?} made it")),
            Some(new) if uid(new) != uid(old) => {
                wrong.push(format!("{key} was replaced, and {maker:?} made it"));
            }
            // It may be marked, and stamped by those who live in it.
            Some(new) if key.kind == "Namespace" && keeps(&lived_in(new), &lived_in(old)) => {}
            Some(new) if words(new) != words(old) => {
                wrong.push(format!("{key} was changed, and {maker:?} made it"));
            }
            Some(_) => {}
        }
    }
    let claim = claim(after, &own_claim);
    if let Some(lock) = claim.as_ref().and_then(|claim| claim.lock.clone()) {
        wrong.push(format!("the lock of {own_claim} is stuck at {lock}"));
    }
    for (key, object) in after {
        if ledger.maker(object) != Some(&id) || is_going(object) {
            continue;
        }
        // A namespace outlives those who lived in it, and keeps their stamp.
        if key.kind == "Namespace" {
            continue;
        }
        let Some(stamp) = object
            .pointer("/metadata/annotations")
            .and_then(|all| all.get(STAMP))
            .and_then(Value::as_str)
        else {
            continue;
        };
        let recorded = claims(after).any(|claim| {
            let entry = claim.entry(&key.kind, &key.namespace, &key.name);
            entry.is_some_and(|entry| stamp == format!("{}/{}", claim.id(), text(entry, "/nonce")))
        });
        if !recorded {
            wrong.push(format!("{key} is stamped {stamp}, and no claim records it"));
        }
    }
    wrong
}
