//! Judges every single write, naively: from the objects before and after it, and from who wrote.
//!
//! Shares no code with `plan` or the sandbox's own rules. It knows the truth that the product has
//! to find out: who made which object, and which environment declares what.

mod claims;
mod needs;
mod snapshot;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use http::Method;
use serde_json::Value;
use underpin_sandbox::{Call, State};

pub use claims::{CLAIMS_NAMESPACE, StoredClaim, claim, claim_name, claims};
pub use snapshot::{Id, Snapshot, essence, id_of, is_going, snapshot, text, uid};

use crate::{kinds::KINDS, scenario::Environment};

/// Annotation of the mark that `up` leaves on namespaces.
const MARK: &str = "underpin.dev/last-up";
/// What protects an object from deletion.
const PROTECT: &str = "underpin.dev/protect";
/// Whose an object is, and by which intent.
const STAMP: &str = "underpin.dev/claim";

/// Of so many objects of an environment in one namespace, its user must be told.
const TRACES: usize = 2;

/// What is known of the past: forks along with the cluster.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Who made an object, by its uid.
    makers: Arc<BTreeMap<String, String>>,
    /// The cluster when an actor last read all claims: what came later may be unknown to it.
    known: BTreeMap<String, State>,
    /// What went along with a namespace and could not be known to whoever deleted it, by uid: the
    /// window that is left.
    unseen: BTreeSet<String>,
}

impl Ledger {
    /// Who made the object, unless Kubernetes did.
    pub fn maker(&self, object: &Value) -> Option<&str> {
        self.makers.get(uid(object)).map(String::as_str)
    }

    /// Records who made an object, or to whom it went over.
    pub fn made_by(&mut self, object: &Value, actor: &str) {
        let makers = Arc::make_mut(&mut self.makers);
        makers.insert(uid(object).to_owned(), actor.to_owned());
    }

    /// Records what somebody made between two states.
    pub fn made_between(&mut self, before: &Snapshot, after: &Snapshot, actor: &str) {
        for (id, object) in after {
            if before.get(id).map(|old| uid(old)) != Some(uid(object)) {
                self.made_by(object, actor);
            }
        }
    }

    /// Forgets what actors know: a new run begins.
    pub fn begin_run(&mut self, actor: &str) {
        self.known.remove(actor);
        self.unseen.clear();
    }
}

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

/// Takes note of a read: whoever lists the claims looks at the cluster as it is now.
pub fn observe_read(ledger: &mut Ledger, actor: &Environment, call: &Call, state: &State) {
    let claims = format!("/api/v1/namespaces/{CLAIMS_NAMESPACE}/configmaps");
    if call.request.method == Method::GET && call.request.path == claims {
        ledger.known.insert(actor.id(), state.clone());
    }
}

/// What is wrong with a write; takes note of what it made.
pub fn judge(ledger: &mut Ledger, write: &Write<'_>) -> Vec<String> {
    let Some(target) = target(write.call) else {
        return vec![format!("writes to {}", write.call.request.path)];
    };
    let mut wrong = Vec::new();
    let (before, after) = (write.before.get(&target), write.after.get(&target));
    let actor = write.actor.id();
    if !is_infrastructure(write.actor, &target) {
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
        "ConfigMap" => in_claims && target.name.starts_with(&own),
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

fn creation(ledger: &Ledger, write: &Write<'_>, target: &Id, object: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let claim = claim(
        write.before,
        &claim_name(write.actor.stack, write.actor.name),
    );
    let intended = claim.as_ref().is_some_and(|claim| {
        claim
            .entry(&target.kind, &target.namespace, &target.name)
            .is_some()
    });
    if !intended {
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
            && was_known(ledger, &actor, live)
    };
    let found = write
        .before
        .iter()
        .filter(|(id, live)| tells(id) && is_left(live));
    found.map(|(id, _)| id).collect()
}

/// Whether an actor could have known of an object when it last read the claims.
fn was_known(ledger: &Ledger, actor: &str, object: &Value) -> bool {
    ledger
        .known
        .get(actor)
        .is_none_or(|state| state.all().any(|(_, known)| uid(known) == uid(object)))
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
        if !is_own {
            wrong.push(format!("{target} dies, and {maker:?} made it"));
        }
        wrong.extend(death(ledger, write, target, old));
        if target.kind == "Namespace" {
            let within = write
                .before
                .iter()
                .filter(|(id, _)| id.namespace == target.name);
            let unseen = within
                .filter(|(_, object)| !was_known(ledger, &actor, object))
                .map(|(_, object)| uid(object).to_owned());
            let unseen: Vec<String> = unseen.collect();
            ledger.unseen.extend(unseen);
        }
        return wrong;
    }
    let Some(new) = new else { return wrong };
    if target.kind == "Namespace" && is_only_marked(old, new) {
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
        // Nobody's recorded, and nothing in it contradicted (R6.1): adopted.
        _ => ledger.made_by(new, &actor),
    }
    wrong
}

/// Whether everything that was said before is still said: more may be.
fn keeps(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => old
            .iter()
            .all(|(name, old)| new.get(name).is_some_and(|new| keeps(new, old))),
        (Value::Array(new), Value::Array(old)) => {
            old.iter().all(|old| new.iter().any(|new| keeps(new, old)))
        }
        (new, old) => new == old,
    }
}

/// What an object says, its metadata and status left out.
fn payload(object: &Value) -> Value {
    let mut payload = object.clone();
    if let Some(whole) = payload.as_object_mut() {
        whole.remove("metadata");
        whole.remove("status");
    }
    payload
}

/// Whether the object's namespace is gone too.
fn went_along(key: &Id, after: &Snapshot) -> bool {
    let namespace = Id {
        kind: "Namespace".to_owned(),
        namespace: String::new(),
        name: key.namespace.clone(),
    };
    !key.namespace.is_empty() && after.get(&namespace).is_none_or(|live| is_going(live))
}

/// What whoever made an object has said in it: no word of the controllers'.
fn words(object: &Value) -> Value {
    let mut words = essence(object);
    if let Some(metadata) = words.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("finalizers");
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.retain(|key, _| !key.contains("kubernetes.io/"));
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    if let Some(spec) = words.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("volumeName");
    }
    words
}

/// What a namespace says, but for the marks and stamps of those who live in it.
fn lived_in(namespace: &Value) -> Value {
    let mut words = words(namespace);
    let annotations = words.pointer_mut("/metadata/annotations");
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with("underpin.dev/") || key == PROTECT);
    }
    words
}

fn is_only_marked(old: &Value, new: &Value) -> bool {
    let unmarked = |object: &Value| {
        let mut essence = essence(object);
        let metadata = essence.get_mut("metadata");
        if let Some(annotations) = metadata.and_then(|all| all.get_mut("annotations")) {
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.remove(MARK);
            }
            if annotations
                .as_object()
                .is_some_and(serde_json::Map::is_empty)
            {
                *annotations = Value::Null;
            }
        }
        let none = essence.pointer("/metadata/annotations") == Some(&Value::Null);
        if none && let Some(metadata) = essence.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("annotations");
        }
        essence
    };
    unmarked(old) == unmarked(new)
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
        wrong.extend(namespace_death(ledger, write, target));
    }
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

/// A namespace takes along whatever is in it: nothing may be that its deleter could know of.
fn namespace_death(ledger: &Ledger, write: &Write<'_>, target: &Id) -> Vec<String> {
    let mut wrong = Vec::new();
    let actor = write.actor.id();
    let own_claim = claim_name(write.actor.stack, write.actor.name);
    for claim in claims(write.before).filter(|claim| claim.name != own_claim) {
        let lives = claim.placement() == Some(&target.name) && !claim.is_retired();
        if lives || claim.records_in(&target.name) {
            wrong.push(format!("{target} dies, and {} lives in it", claim.name));
        }
    }
    for (id, object) in write.before {
        if id.namespace != target.name || is_going(object) {
            continue;
        }
        let Some(maker) = ledger.maker(object) else {
            continue;
        };
        if maker == actor {
            wrong.push(format!("{target} dies, and its own {id} is still in it"));
        } else if maker != crate::foreign::SOMEBODY || was_known(ledger, &actor, object) {
            wrong.push(format!("{target} dies, and {id} of {maker} is in it"));
        }
    }
    wrong
}

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
        if key.namespace == CLAIMS_NAMESPACE && key.kind == "Secret" || key.name == CLAIMS_NAMESPACE
        {
            continue;
        }
        match after.get(key) {
            None if went_along(key, after) && ledger.unseen.contains(uid(old)) => {}
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
