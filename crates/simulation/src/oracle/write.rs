//! What is wrong with a single write.

use std::sync::Arc;

use serde_json::Value;
use underpin_sandbox::Call;

use super::{
    CLAIMS_NAMESPACE, Id, Ledger, PROTECT, Snapshot, StoredClaim, TAKEN_DOWN, claim, claim_name,
    claims,
    claims::was_kept,
    id_of, is_going,
    ledger::{was_known, was_planned_from},
    needs, text, uid,
    words::{keeps, lived_in, payload},
};
use crate::{kinds::KINDS, scenario::Environment};

/// Of so many objects of an environment in one namespace, its user must be told.
const TRACES: usize = 2;

/// One request that an environment's run made, and what it did.
pub struct Write<'a> {
    /// The environment.
    pub actor: &'a Environment,
    /// The request.
    pub call: &'a Call,
    /// The objects right before it.
    pub before: &'a Snapshot,
    /// The objects right after it.
    pub after: &'a Snapshot,
}

/// What is wrong with a write; takes note of what it made.
pub fn judge(ledger: &mut Ledger, write: &Write<'_>) -> Vec<String> {
    let Some(target) = target(write.call) else {
        return vec![format!("writes to {}", write.call.request.path)];
    };
    let mut wrong = Vec::new();
    let (before, after) = (write.before.get(&target), write.after.get(&target));
    let actor = write.actor.id();
    if is_infrastructure(write.actor, &target) {
        let is_shared = target.kind != "ConfigMap" || target.name == TAKEN_DOWN;
        if is_shared && before.is_some() && after.is_none_or(|one| is_going(one)) {
            wrong.push(format!("{target} dies, and all environments share it"));
        }
    } else {
        if !may_write(write.actor, &target) {
            wrong.push(format!("{target} is not declared by {actor}"));
        }
        match (before, after) {
            (None, Some(object)) => {
                wrong.extend(creation(ledger, write, &target, object));
            }
            (Some(old), _) => wrong.extend(change(ledger, write, &target, old, after)),
            (None, None) => {}
        }
    }
    if let Some(object) = after
        && before.map(|old| uid(old)) != Some(uid(object))
    {
        ledger.made_by(object, &actor);
    }
    wrong
}

/// The object that a request is about.
fn target(call: &Call) -> Option<Id> {
    let path = call.request.path.trim_start_matches('/');
    let segments: Vec<&str> = path.split('/').collect();
    let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = segments.as_slice() else {
        return None;
    };
    let (namespace, plural, name) = match rest {
        ["namespaces", namespace, plural, name, ..] => (*namespace, *plural, Some(*name)),
        ["namespaces", namespace, plural] => (*namespace, *plural, None),
        [plural, name] => ("", *plural, Some(*name)),
        [plural] => ("", *plural, None),
        _ => return None,
    };
    let kind = KINDS.iter().find(|kind| kind.plural == plural)?;
    let name = if let Some(name) = name {
        name.to_owned()
    } else {
        let body: Value = serde_json::from_slice(&call.request.body).ok()?;
        text(&body, "/metadata/name").to_owned()
    };
    Some(Id {
        kind: kind.name.to_owned(),
        namespace: namespace.to_owned(),
        name,
    })
}

/// The environment's own claim, and what all environments share for keeping claims.
fn is_infrastructure(actor: &Environment, target: &Id) -> bool {
    let in_claims = target.namespace == CLAIMS_NAMESPACE;
    let own = claim_name(actor.stack, actor.name);
    match target.kind.as_str() {
        "Namespace" => target.name == CLAIMS_NAMESPACE,
        "ConfigMap" => in_claims && (target.name == TAKEN_DOWN || target.name.starts_with(&own)),
        "Secret" => in_claims,
        _ => false,
    }
}

/// Whether any version of the environment declares the object, in any place where it may live.
fn may_write(actor: &Environment, target: &Id) -> bool {
    if target.kind == "Namespace" && [actor.home, actor.legacy].contains(&target.name.as_str()) {
        return true;
    }
    declares(actor, target)
}

fn declares(actor: &Environment, target: &Id) -> bool {
    [actor.home, actor.legacy].iter().any(|home| {
        (0..actor.versions.len()).any(|version| {
            let mut objects = actor.objects(version, home).into_iter();
            objects.any(|object| id_of(&object) == *target)
        })
    })
}

fn own_claim(write: &Write<'_>) -> Option<StoredClaim> {
    let name = claim_name(write.actor.stack, write.actor.name);
    claim(write.before, &name)
}

/// Whether the actor's claim records an object, at least as an intention.
fn is_intended(write: &Write<'_>, target: &Id) -> bool {
    own_claim(write).is_some_and(|claim| {
        let entry = claim.entry(&target.kind, &target.namespace, &target.name);
        entry.is_some()
    })
}

fn creation(ledger: &Ledger, write: &Write<'_>, target: &Id, object: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let claim = own_claim(write);
    if !is_intended(write, target) {
        wrong.push(format!("{target} is created before the claim records it"));
    }
    let is_workload = matches!(target.kind.as_str(), "Deployment" | "StatefulSet");
    let traces = traces(ledger, write, claim.as_ref(), &target.namespace);
    let legacy = traces
        .iter()
        .find(|id| is_workload && id.kind == target.kind && id.name == target.name);
    if let Some(legacy) = legacy.filter(|_| traces.len() >= TRACES) {
        wrong.push(format!("{target} is a duplicate beside {legacy}"));
    }
    if object.get("metadata").is_none() {
        wrong.push(format!("{target} has no metadata"));
    }
    wrong
}

/// What somebody deployed of the actor's environment elsewhere and the actor could know of, as far
/// as the claim records the same for `home`.
fn traces<'w>(
    ledger: &Ledger,
    write: &Write<'w>,
    claim: Option<&StoredClaim>,
    home: &str,
) -> Vec<&'w Id> {
    let actor = write.actor.id();
    let tells = |id: &&Id| {
        matches!(
            id.kind.as_str(),
            "Deployment" | "StatefulSet" | "Service" | "Job"
        ) && id.namespace == write.actor.legacy
            && id.namespace != home
            && claim.is_some_and(|claim| claim.entry(&id.kind, home, &id.name).is_some())
    };
    let is_left = |live: &Value| {
        text(live, "/metadata/labels/deployed-by") == "legacy"
            && text(live, "/metadata/labels/of") == actor
            && !is_going(live)
            && ledger.maker(live) != Some(&actor)
            && was_planned_from(ledger, &actor, live)
    };
    let found = write
        .before
        .iter()
        .filter(|(id, live)| tells(id) && is_left(live));
    found.map(|(id, _)| id).collect()
}

fn change(
    ledger: &mut Ledger,
    write: &Write<'_>,
    target: &Id,
    old: &Arc<Value>,
    new: Option<&Arc<Value>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let actor = write.actor.id();
    let maker = ledger.maker(old).map(str::to_owned);
    let is_own = maker.as_ref() == Some(&actor);
    let dies = new.is_none_or(|new| is_going(new) || uid(new) != uid(old)) && !is_going(old);
    if dies {
        if !is_own && !was_kept(write.before, write.actor, target) {
            wrong.push(format!("{target} dies, and {maker:?} made it"));
        }
        wrong.extend(death(ledger, write, target, old));
        ledger.note_unseen(&actor, write.before, |id| goes_along(id, target, old));
        return wrong;
    }
    let Some(new) = new else { return wrong };
    // It may be marked, and stamped by those who live in it.
    if target.kind == "Namespace" && keeps(&lived_in(new), &lived_in(old)) {
        return wrong;
    }
    match maker {
        _ if is_own => {}
        Some(other) if other != crate::foreign::SOMEBODY => {
            wrong.push(format!("{target} is changed, and it is {other}'s"));
        }
        _ if is_going(old) => {}
        _ if !keeps(&payload(new), &payload(old)) => {
            wrong.push(format!(
                "{target} is somebody else's, and its content changes"
            ));
        }
        // A namespace that was there is lived in, and nobody's to delete.
        _ if target.kind == "Namespace" => {}
        _ if !is_intended(write, target) => {
            wrong.push(format!("{target} is adopted before the claim records it"));
        }
        // Nobody's recorded, and nothing in it contradicted (R6.1): adopted.
        _ => ledger.made_by(new, &actor),
    }
    wrong
}

fn death(ledger: &Ledger, write: &Write<'_>, target: &Id, old: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let actor = write.actor.id();
    let annotations = |key: &str| {
        let all = old.pointer("/metadata/annotations")?;
        all.get(key)
    };
    if annotations(PROTECT).is_some() {
        wrong.push(format!("{target} dies, and it is protected"));
    }
    if target.kind == "PersistentVolumeClaim" && loses_data(write.before, old) {
        wrong.push(format!("{target} dies, and its data with it"));
    }
    if target.kind == "Namespace" {
        wrong.extend(others_live_in(write, target));
    }
    wrong.extend(cascade(ledger, write, target, old));
    for needy in needs::needed_by(write.before, target) {
        let workload = &write.before[&needy];
        let others = ledger.maker(workload).is_some_and(|maker| maker != actor);
        if others && was_known(ledger, &actor, workload) {
            wrong.push(format!("{target} dies, and {needy} needs it"));
        }
    }
    wrong
}

fn loses_data(world: &Snapshot, volume_claim: &Value) -> bool {
    let volume = Id {
        kind: "PersistentVolume".to_owned(),
        namespace: String::new(),
        name: text(volume_claim, "/spec/volumeName").to_owned(),
    };
    world
        .get(&volume)
        .is_some_and(|volume| text(volume, "/spec/persistentVolumeReclaimPolicy") != "Retain")
}

/// A namespace that other environments live in takes along what they are about to make.
fn others_live_in(write: &Write<'_>, target: &Id) -> Vec<String> {
    let own_claim = claim_name(write.actor.stack, write.actor.name);
    claims(write.before)
        .filter(|claim| claim.name != own_claim)
        .filter(|claim| {
            let lives = claim.placement() == Some(&target.name) && !claim.is_retired();
            lives || claim.records_in(&target.name)
        })
        .map(|claim| format!("{target} dies, and {} lives in it", claim.name))
        .collect()
}

/// Whether an object dies because another does: what lies in a namespace, what is of a defined
/// kind.
fn goes_along(id: &Id, target: &Id, dying: &Value) -> bool {
    match target.kind.as_str() {
        "Namespace" => id.namespace == target.name,
        "CustomResourceDefinition" => id.kind == text(dying, "/spec/names/kind"),
        _ => false,
    }
}

/// Nothing may go along that its deleter could know of.
fn cascade(ledger: &Ledger, write: &Write<'_>, target: &Id, dying: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let actor = write.actor.id();
    for (id, object) in write.before {
        if !goes_along(id, target, dying) || is_going(object) {
            continue;
        }
        let Some(maker) = ledger.maker(object) else {
            continue;
        };
        if maker == actor {
            wrong.push(format!("{target} dies, and its own {id} is still there"));
        } else if maker != crate::foreign::SOMEBODY || was_known(ledger, &actor, object) {
            wrong.push(format!("{target} dies, and takes {id} of {maker} along"));
        }
    }
    wrong
}
