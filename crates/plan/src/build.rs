//! The plan of an `up`: a step for every object that is declared or recorded.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{
    Action, Claim, Entry, FieldChange, FieldPath, GroupKind, KeepReason, LogicalKey, Object,
    ObjectKey, Step, World, names,
};
use underpin_refs::protection_from_key;

use crate::{
    Acceptances, Environment, Fingerprints, Preparation, Prepared, Problem, ResolvedPlacement,
    Situation, diff, managed_fields::our_apply, order,
};

/// What the server says an apply would do, asked by dry run.
#[derive(Clone, Debug)]
pub enum MergeOutcome {
    /// The object as it would be.
    Merged(Object),
    /// It would be created as sent; the server validated it.
    Creatable,
    /// Other field managers own fields that would change.
    Conflicts(Vec<FieldConflict>),
    /// An immutable field would change; the server's own words.
    Immutable(String),
    /// The server refuses the object; its own words.
    Refused(String),
    /// The server was not asked, and why: its namespace or kind is not there yet, or no right to.
    NotAsked(String),
}

/// A field that another manager owns with another value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldConflict {
    /// The other manager.
    pub manager: String,
    /// The field, as the server names it.
    pub field: String,
}

/// What a plan is for: `up` changes an environment, `down` ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Bring the environment to what is declared.
    Up,
    /// Tear it down.
    Down,
}

/// A plan: steps in the order they run, and what stands in the way.
#[derive(Debug)]
pub struct Plan {
    /// What it is for.
    pub purpose: Purpose,
    /// Stack, as written.
    pub stack: String,
    /// Environment, as written.
    pub environment: String,
    /// Where the environment lives.
    pub placement: ResolvedPlacement,
    /// One step per object, sorted by wave and key.
    pub steps: Vec<Step>,
    /// Conflicting fields by object, for objects that are not adopted by name.
    pub conflicts: BTreeMap<ObjectKey, Vec<FieldConflict>>,
    /// Conflicting fields by object that the plan takes over, as others own them now: of objects
    /// that are adopted by name, and what a former deployer left on our own. Of no other field, and
    /// from no other manager, may anything be taken.
    pub taken: BTreeMap<ObjectKey, Vec<FieldConflict>>,
    /// Objects whose manifest is what was last applied, and which the plan would change all the same:
    /// somebody else has changed them since.
    pub drifted: BTreeSet<ObjectKey>,
    /// Nonces of the entries that the plan's objects have or will have.
    pub nonces: BTreeMap<LogicalKey, String>,
    /// Recorded entries that are not this environment's any more and are dropped from the claim.
    pub dropped: BTreeMap<LogicalKey, String>,
    /// What makes the plan impossible.
    pub problems: Vec<Problem>,
}

impl Plan {
    /// The step of an object.
    pub fn step(&self, key: &ObjectKey) -> Option<&Step> {
        self.steps.iter().find(|step| step.key == *key)
    }

    /// Steps that do something.
    pub fn changing(&self) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(|step| !matches!(step.action, Action::Keep(_)))
    }

    /// Keys of objects that die in a step of their own.
    pub fn deleted(&self) -> BTreeSet<&ObjectKey> {
        self.steps
            .iter()
            .filter(|s| s.action == Action::Delete)
            .map(|s| &s.key)
            .collect()
    }
}

/// Kinds that hold other things or data: never replaced, and deleted only on proof.
pub fn is_long_lived(kind: &GroupKind) -> bool {
    kind.is("", "Namespace")
        || kind.is("", "PersistentVolume")
        || kind.is("", "PersistentVolumeClaim")
        || kind.is("apiextensions.k8s.io", "CustomResourceDefinition")
}

/// Everything the plan of an `up` is made from.
#[derive(Clone, Copy, Debug)]
pub struct UpInput<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// Its claim, unless it has none yet.
    pub claim: Option<&'a Claim>,
    /// The world as read.
    pub world: &'a World,
    /// What the server says of each object, by live key.
    pub outcomes: &'a BTreeMap<ObjectKey, MergeOutcome>,
    /// For values that must not be shown.
    pub fingerprints: &'a Fingerprints,
    /// What was accepted by name: an accepted UP106 lifts a protection.
    pub acceptances: &'a Acceptances,
}

/// Builds the plan of an `up`.
pub fn plan_up(input: &UpInput<'_>, preparation: Preparation) -> Plan {
    let mut plan = Plan {
        purpose: Purpose::Up,
        stack: input.environment.stack.clone(),
        environment: input.environment.name.clone(),
        placement: preparation.placement,
        steps: Vec::new(),
        conflicts: BTreeMap::new(),
        taken: BTreeMap::new(),
        drifted: BTreeSet::new(),
        nonces: BTreeMap::new(),
        dropped: BTreeMap::new(),
        problems: preparation.problems,
    };
    for prepared in preparation.objects {
        plan.nonces
            .insert(prepared.logical.clone(), prepared.nonce.clone());
        apply_step(input, prepared, &mut plan);
    }
    if let Some(claim) = input.claim {
        plan.drifted = drifted(input, claim, &plan);
        prune_steps(input, claim, &mut plan);
    }
    order::assign_waves(&mut plan.steps, input.world);
    plan
}

/// Objects whose manifest is what was last applied, and which would change all the same.
fn drifted(input: &UpInput<'_>, claim: &Claim, plan: &Plan) -> BTreeSet<ObjectKey> {
    let is_as_applied = |step: &&Step| {
        let applied = claim.entries.get(&step.logical);
        let applied = applied.and_then(|entry| entry.digest.as_ref());
        let declared = step.declared();
        let declared = declared.and_then(|object| input.fingerprints.digest(&object.value));
        step.before.is_some() && applied.is_some() && applied == declared.as_ref()
    };
    let would_change = |step: &&Step| {
        let changes = matches!(step.action, Action::Update | Action::Replace);
        changes && !step.changes.is_empty() || plan.conflicts.contains_key(&step.key)
    };
    let steps = plan.steps.iter().filter(would_change).filter(is_as_applied);
    steps.map(|step| step.key.clone()).collect()
}

fn apply_step(input: &UpInput<'_>, prepared: Prepared, plan: &mut Plan) {
    let key = prepared.desired.key.clone();
    let live = input.world.get(&key).cloned();
    let recorded = input
        .claim
        .and_then(|claim| claim.entries.get(&prepared.logical));
    let mut step = Step {
        before: live.clone(),
        desired: Some(prepared.desired.clone()),
        left_alone: prepared.left_alone,
        force: prepared.adopt,
        ..Step::new(Action::Create, key.clone(), prepared.logical)
    };
    match (prepared.situation, live) {
        (Situation::Foreign(owner), _) => {
            step.reason = format!("belongs to {owner}");
            step.action = Action::Keep(KeepReason::Foreign(owner));
        }
        (Situation::Terminating, _) => {
            plan.problems
                .push(terminating(&key, &prepared.desired, input.world));
            return;
        }
        (Situation::Absent, _) | (_, None) => {
            step.reason = match recorded {
                Some(entry) if entry.uid.is_some() => "was deleted by somebody else".to_owned(),
                _ => "is not there yet".to_owned(),
            };
            step.after = Some(prepared.desired.clone());
        }
        (Situation::Ours, Some(_)) => {
            step.action = Action::Update;
            step.reason = match recorded {
                Some(entry)
                    if entry.uid.is_some()
                        && entry.uid.as_deref() != step.before.as_ref().and_then(Object::uid) =>
                {
                    "carries our stamp under another uid (restored or replaced); taken over again"
                        .to_owned()
                }
                _ => String::new(),
            };
        }
        (Situation::Unowned, Some(_)) => {
            step.action = Action::Adopt;
            "exists without a recorded owner".clone_into(&mut step.reason);
        }
    }
    settle_outcome(input, &mut step, plan);
    plan.steps.push(step);
}

/// Takes in what the server said of the object.
fn settle_outcome(input: &UpInput<'_>, step: &mut Step, plan: &mut Plan) {
    if matches!(step.action, Action::Keep(_)) {
        return;
    }
    let Some(desired) = &step.desired else { return };
    let place = desired.origin.place_of(&FieldPath::root());
    let problem = |message: String, help: Option<String>| Problem {
        key: step.key.clone(),
        place: place.clone(),
        message,
        help,
    };
    match input.outcomes.get(&step.key) {
        Some(MergeOutcome::Merged(merged)) => {
            step.validated = true;
            step.after = Some(merged.clone());
            settle_merge(input, step);
        }
        Some(MergeOutcome::Creatable) => step.validated = true,
        Some(MergeOutcome::Conflicts(conflicts)) => {
            plan.conflicts.insert(step.key.clone(), conflicts.clone());
            step.after = Some(desired.clone());
        }
        Some(MergeOutcome::Immutable(words)) => {
            if step.action == Action::Adopt && !step.force {
                // Not ours: deleting it is not ours to decide, whatever the manifest allows.
                plan.problems.push(problem(
                    format!(
                        "{} exists without a recorded owner and cannot be changed in place: {words}",
                        step.key
                    ),
                    Some(format!(
                        "give it a new name, or take it over by name: --adopt {}",
                        step.key.subject()
                    )),
                ));
            } else if may_recreate(desired) {
                step.action = Action::Replace;
                step.reason = format!("an immutable field changes: {words}");
                step.after = Some(desired.clone());
            } else {
                plan.problems.push(problem(
                    format!("{} cannot be changed in place: {words}", step.key),
                    Some(immutable_help(&step.key)),
                ));
            }
        }
        Some(MergeOutcome::Refused(words)) => {
            plan.problems.push(problem(
                format!("the server refuses {}: {words}", step.key),
                None,
            ));
        }
        Some(MergeOutcome::NotAsked(_)) | None => {
            step.after.get_or_insert_with(|| desired.clone());
            if let (Some(before), Some(after)) = (&step.before, &step.after)
                && step.action != Action::Create
            {
                let all = diff::changes(before, after, input.fingerprints);
                // Without the server's merge, what it defaulted would look like a removal.
                step.changes = all
                    .into_iter()
                    .filter(|change| change.after.is_some())
                    .collect();
            }
        }
    }
}

fn settle_merge(input: &UpInput<'_>, step: &mut Step) {
    let (Some(before), Some(after)) = (&step.before, &step.after) else {
        return;
    };
    let all = diff::changes(before, after, input.fingerprints);
    let silent = all.is_empty()
        && our_fields(before) == our_fields(after)
        && crate::without_co_owned(before).is_none();
    step.changes = all
        .into_iter()
        .filter(|change| !is_our_mark(change))
        .collect();
    if step.action != Action::Update {
        return;
    }
    if silent {
        step.action = Action::Keep(KeepReason::Unchanged);
        "unchanged".clone_into(&mut step.reason);
    } else if step.reason.is_empty() {
        step.reason = match step.changes.len() {
            0 => "takes over the fields it declares and stamps the object".to_owned(),
            1 => "1 field changes".to_owned(),
            count => format!("{count} fields change"),
        };
    }
}

/// The fields our own apply owns on an object: they change when we take a field over from
/// another manager even though no value does.
fn our_fields(object: &Object) -> Option<&serde_json::Value> {
    our_apply(object)?.get("fieldsV1")
}

fn is_our_mark(change: &FieldChange) -> bool {
    change
        .path
        .as_str()
        .starts_with("metadata.annotations[\"underpin.dev/")
}

fn may_recreate(desired: &Object) -> bool {
    desired.annotation(names::ON_IMMUTABLE_ANNOTATION) == Some("recreate")
        && !is_long_lived(&desired.key.kind)
}

fn immutable_help(key: &ObjectKey) -> String {
    if is_long_lived(&key.kind) {
        format!(
            "a {} is never replaced by `up`; declare it under a new name",
            key.kind.kind
        )
    } else {
        format!(
            "give it a new name, or allow delete-and-create on the object: \
             annotation {}: recreate",
            names::ON_IMMUTABLE_ANNOTATION
        )
    }
}

fn terminating(key: &ObjectKey, desired: &Object, world: &World) -> Problem {
    let live = world.get(key);
    let since = live
        .and_then(|live| live.text("/metadata/deletionTimestamp"))
        .unwrap_or("?");
    let mut held: Vec<String> = live
        .and_then(|live| live.at("/metadata/finalizers")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(|finalizer| Some(format!("finalizer {}", finalizer.as_str()?)))
        .collect();
    let conditions = live.and_then(|live| live.at("/status/conditions")?.as_array());
    for condition in conditions.into_iter().flatten() {
        let is_true = condition.get("status").and_then(serde_json::Value::as_str) == Some("True");
        if let Some(message) = condition.get("message").and_then(serde_json::Value::as_str)
            && is_true
        {
            held.push(message.to_owned());
        }
    }
    let why = if held.is_empty() {
        String::new()
    } else {
        format!("; held by: {}", held.join("; "))
    };
    Problem {
        key: key.clone(),
        place: desired.origin.place_of(&FieldPath::root()),
        message: format!("{key} is being deleted since {since}{why}"),
        help: Some("wait until it is gone, or remove what holds it, then run again".to_owned()),
    }
}

/// Steps for what the claim records and the stack no longer declares.
fn prune_steps(input: &UpInput<'_>, claim: &Claim, plan: &mut Plan) {
    let declared: BTreeSet<LogicalKey> = plan.nonces.keys().cloned().collect();
    let mut seen: BTreeSet<ObjectKey> = plan.steps.iter().map(|step| step.key.clone()).collect();
    let renamed_home = renamed_home(plan);
    for (logical, entry) in &claim.entries {
        if declared.contains(logical) {
            continue;
        }
        if !seen.insert(entry.key.clone()) {
            // The same object under another declared identity: it must not be deleted.
            let why = format!("{} is recorded under another identity", entry.key);
            plan.dropped.insert(logical.clone(), why);
            continue;
        }
        plan.nonces.insert(logical.clone(), entry.nonce.clone());
        match removal_step(input.world, claim, logical, entry, input.acceptances) {
            Ok(mut step) => {
                let renamed = renamed_home.as_ref() == Some(&entry.key);
                if step.action == Action::Delete
                    && entry.key.is_namespace()
                    && !entry.created
                    && !renamed
                {
                    // Only who created a namespace deletes it (R1.4).
                    let why = "no longer declared, but it was there before this environment";
                    step.keep(KeepReason::InUse(why.to_owned()));
                } else if step.action == Action::Delete {
                    "no longer declared".clone_into(&mut step.reason);
                }
                plan.steps.push(step);
            }
            Err(why) => {
                plan.dropped.insert(logical.clone(), why);
            }
        }
    }
}

/// The Namespace that the environment lives in, if the plan creates a declared one beside it: that
/// is a rename, whoever created the old one, and is judged as the replacement it would be (R2.2).
fn renamed_home(plan: &Plan) -> Option<ObjectKey> {
    let home = ObjectKey::of_namespace(plan.placement.placement.namespace.clone());
    let creates_another = plan
        .steps
        .iter()
        .any(|step| step.key.is_namespace() && step.action == Action::Create && step.key != home);
    (creates_another && plan.step(&home).is_none()).then_some(home)
}

/// The step that removes a recorded object, or why the record is dropped instead: the object under
/// that name is not this environment's any more.
pub(crate) fn removal_step(
    world: &World,
    claim: &Claim,
    logical: &LogicalKey,
    entry: &Entry,
    acceptances: &Acceptances,
) -> Result<Step, String> {
    let live = world.get(&entry.key);
    let mut step = Step {
        before: live.cloned(),
        validated: true,
        ..Step::new(Action::Delete, entry.key.clone(), logical.clone())
    };
    let Some(live) = live else {
        if let Some(unread) = world.unread(&entry.key.kind, entry.key.namespace.as_deref()) {
            // Unknown is not absent: the record stays until the object can be read again.
            let why = format!("could not be read: {}", unread.reason);
            step.reason.clone_from(&why);
            step.action = Action::Keep(KeepReason::InUse(why));
            return Ok(step);
        }
        step.action = Action::Keep(KeepReason::Gone);
        "already gone".clone_into(&mut step.reason);
        return Ok(step);
    };
    if !claim.owns_as(entry, live) {
        return Err(format!(
            "{} was replaced by somebody else (uid {}); left alone",
            entry.key,
            live.uid().unwrap_or("unknown")
        ));
    }
    if let Some(protection) = protection(live, entry)
        && !acceptances.covers(crate::rules::up106::CODE, &entry.key.subject())
    {
        step.reason = format!("protected by {protection}");
        step.action = Action::Keep(KeepReason::Protected(protection));
    }
    Ok(step)
}

/// The key that protects an object from deletion: on the live object or recorded, whichever was
/// ever set (R2.3).
pub(crate) fn protection(live: &Object, entry: &Entry) -> Option<String> {
    let on_object = underpin_refs::protections(live).into_iter();
    let recorded = entry.protection.iter().map(|key| protection_from_key(key));
    on_object
        .chain(recorded)
        .find(|protection| protection.from_delete && !protection.cascading_only)
        .map(|protection| protection.key)
}
