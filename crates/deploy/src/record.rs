//! What the claim records, before and after a run applies.

use std::collections::BTreeMap;

use underpin_model::{
    Action, Claim, Entry, EntryState, KeepReason, LogicalKey, NamespaceProvenance, Object,
    ObjectKey, Origin, Step,
};
use underpin_plan::{Fingerprints, Plan};
use underpin_refs::protections;

/// Writes down what a run intends: the union of what is owned and what will be. New entries are
/// *intended*; protection is the union of declared, live and recorded (R2.3).
pub(crate) fn intents(claim: &mut Claim, plan: &Plan) {
    claim.retired = None;
    let mut placement = plan.placement.placement.clone();
    placement.uid = placement
        .uid
        .or_else(|| claim.placement.as_ref()?.uid.clone());
    let home = ObjectKey::of_namespace(placement.namespace.clone());
    for step in plan.steps.iter().filter(|step| step.key == home) {
        match step.action {
            // Where one is recorded already, it may merely not have been readable: only the apply
            // tells whether it was made anew.
            Action::Create if placement.uid.is_none() => {
                placement.provenance = NamespaceProvenance::Created;
            }
            // Somebody else was faster: it is not ours to delete, whatever was intended once, and
            // not the one that is recorded.
            Action::Adopt => {
                placement.provenance = NamespaceProvenance::Existing;
                placement.uid = None;
            }
            Action::Keep(KeepReason::Foreign(_))
                if placement.provenance == NamespaceProvenance::Created =>
            {
                placement.provenance = NamespaceProvenance::Existing;
            }
            _ => {}
        }
    }
    claim.placement = Some(placement);
    for logical in plan.dropped.keys() {
        claim.entries.remove(logical);
    }
    for step in &plan.steps {
        let owned = step.action.applies() || step.action == Action::Keep(KeepReason::Unchanged);
        if let (true, Some(desired)) = (owned, &step.desired) {
            let entry = claim
                .entries
                .entry(step.logical.clone())
                .or_insert_with(|| Entry {
                    key: step.key.clone(),
                    api_version: desired.api_version(),
                    uid: None,
                    state: EntryState::Intended,
                    nonce: plan.nonces.get(&step.logical).cloned().unwrap_or_default(),
                    created: step.action == Action::Create,
                    implicit: false,
                    protection: Vec::new(),
                    digest: None,
                });
            entry.key.clone_from(&step.key);
            entry.implicit = matches!(desired.origin, Origin::Recorded(_));
            // Of what is recorded under a uid, only the apply tells whether it was made anew.
            match step.action {
                Action::Create if entry.uid.is_none() => entry.created = true,
                // What is recorded under this name is another object, and gone. Its uid would make
                // the adopted one look made anew to whoever continues this run.
                Action::Adopt => {
                    entry.created = false;
                    entry.uid = None;
                    entry.digest = None;
                }
                _ => {}
            }
            if step.action != Action::Keep(KeepReason::Unchanged) && entry.uid.is_none() {
                entry.state = EntryState::Intended;
            }
            protect(entry, desired);
        }
        if let (Some(entry), Some(before)) = (claim.entries.get_mut(&step.logical), &step.before) {
            protect(entry, before);
        }
        let unfounded = match step.action {
            Action::Keep(KeepReason::Gone) => true,
            // Intended once, and somebody else was faster; or what is recorded is gone, and somebody
            // else has made another of its name.
            Action::Keep(KeepReason::Foreign(_)) => {
                let live = step.before.as_ref().and_then(Object::uid);
                claim.entries.get(&step.logical).is_some_and(|entry| {
                    entry.uid.is_none() || (live.is_some() && entry.uid.as_deref() != live)
                })
            }
            _ => false,
        };
        if unfounded {
            claim.entries.remove(&step.logical);
        }
    }
}

/// Adds the object's protection keys to the record; nothing here ever removes one.
fn protect(entry: &mut Entry, object: &Object) {
    for protection in protections(object) {
        if !entry.protection.contains(&protection.key) {
            entry.protection.push(protection.key);
        }
    }
    entry.protection.sort();
}

/// Objects as the server returned them, by declared identity: what one wave has done, or several.
pub(crate) type AppliedObjects = BTreeMap<LogicalKey, Object>;

/// Records what is there now: uid, version and digest of what was applied.
pub(crate) fn applied(
    claim: &mut Claim,
    steps: &[Step],
    objects: &AppliedObjects,
    fingerprints: &Fingerprints,
) {
    for step in steps {
        let Some(object) = objects.get(&step.logical) else {
            continue;
        };
        let Some(entry) = claim.entries.get_mut(&step.logical) else {
            continue;
        };
        let uid = object.uid().map(str::to_owned);
        if entry.uid.is_some() && entry.uid != uid && step.action != Action::Adopt {
            entry.created = true;
        }
        entry.uid = uid;
        entry.state = EntryState::Applied;
        if let Some(declared) = step.declared() {
            entry.api_version = declared.api_version();
            entry.digest = fingerprints.digest(&declared.value);
        }
        if object.key.is_namespace()
            && let Some(placement) = &mut claim.placement
            && placement.namespace == object.key.name
        {
            let uid = object.uid().map(str::to_owned);
            if placement.uid.is_some() && placement.uid != uid && step.action != Action::Adopt {
                placement.provenance = NamespaceProvenance::Created;
            }
            placement.uid = uid;
        }
    }
}

/// Objects that were there unchanged count as applied too: an interrupted run may have left their
/// entries without a uid.
pub(crate) fn unchanged(plan: &Plan) -> AppliedObjects {
    plan.steps
        .iter()
        .filter(|step| step.action == Action::Keep(KeepReason::Unchanged))
        .filter_map(|step| Some((step.logical.clone(), step.before.clone()?)))
        .collect()
}

/// Removes what is gone from the record.
pub(crate) fn removed(claim: &mut Claim, gone: &[LogicalKey]) {
    for logical in gone {
        claim.entries.remove(logical);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use underpin_model::{ClaimId, Depth, Owner, Placement, Stamp};
    use underpin_plan::{Purpose, ResolvedPlacement};

    use super::*;

    fn namespace(uid: &str) -> Object {
        let value: Value = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "wallet", "uid": uid},
        });
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn home(provenance: NamespaceProvenance, uid: &str) -> Placement {
        Placement {
            namespace: "wallet".into(),
            uid: Some(uid.into()),
            provenance,
            shared: false,
        }
    }

    /// A plan for the home namespace alone.
    fn plan(action: Action, claim: &Claim, live: &Object) -> Plan {
        let logical = LogicalKey::of(&live.key, "wallet");
        let step = Step {
            before: Some(live.clone()),
            desired: Some(live.clone()),
            ..Step::new(action, live.key.clone(), logical)
        };
        Plan {
            purpose: Purpose::Up,
            stack: claim.stack.clone(),
            environment: claim.environment.clone(),
            placement: ResolvedPlacement {
                placement: claim.placement.clone().unwrap(),
                derived: "wallet".into(),
                recorded: true,
            },
            steps: vec![step],
            conflicts: BTreeMap::new(),
            taken: BTreeMap::new(),
            autoscaled: BTreeMap::new(),
            drifted: std::collections::BTreeSet::new(),
            nonces: BTreeMap::new(),
            dropped: BTreeMap::new(),
            problems: vec![],
        }
    }

    fn recorded(claim: &mut Claim, live: &Object) -> LogicalKey {
        let logical = LogicalKey::of(&live.key, "wallet");
        let entry = Entry {
            key: live.key.clone(),
            api_version: "v1".into(),
            uid: Some("old".into()),
            state: EntryState::Applied,
            nonce: "n".into(),
            created: true,
            implicit: false,
            protection: vec![],
            digest: None,
        };
        claim.entries.insert(logical.clone(), entry);
        logical
    }

    /// A record of what is gone does not outlive the run that finds another's in its place.
    #[test]
    fn what_somebody_else_made_meanwhile_is_not_recorded() {
        let mut claim = Claim::new(ClaimId("c1".into()), "wallet", "production", "cluster");
        claim.placement = Some(home(NamespaceProvenance::Created, "old"));
        for (uid, kept) in [("old", true), ("new", false)] {
            let live = namespace(uid);
            let logical = recorded(&mut claim, &live);
            let owner = Owner::Claim {
                stack: "shop".into(),
                environment: "production".into(),
            };
            let leaving = plan(Action::Keep(KeepReason::Foreign(owner)), &claim, &live);
            intents(&mut claim, &leaving);
            assert_eq!(claim.entries.contains_key(&logical), kept, "{uid}");
        }
    }

    /// A run that adopts the namespace which somebody made in place of its own, and dies before it
    /// can record that, leaves nothing behind that makes the namespace its own to delete.
    #[test]
    fn what_was_adopted_by_a_killed_run_was_not_created() {
        let mut claim = Claim::new(ClaimId("c1".into()), "wallet", "production", "cluster");
        claim.placement = Some(home(NamespaceProvenance::Created, "old"));
        let live = namespace("new");
        let logical = recorded(&mut claim, &live);

        let adopting = plan(Action::Adopt, &claim, &live);
        intents(&mut claim, &adopting);
        // It was applied, and died. What carries the stamp is the claim's.
        let mut stamped = (*live.value).clone();
        stamped["metadata"]["annotations"] = json!({
            underpin_model::names::STAMP_ANNOTATION:
                Stamp { claim: claim.id.clone(), nonce: "n".into() }.to_string(),
        });
        let stamped = Object::from_value(stamped, Depth::Full, Origin::Live).unwrap();
        assert!(claim.owns_as(&claim.entries[&logical], &stamped));
        assert!(!claim.owns_as(&claim.entries[&logical], &live));

        let continuing = plan(Action::Update, &claim, &stamped);
        intents(&mut claim, &continuing);
        let objects = AppliedObjects::from([(logical.clone(), stamped)]);
        applied(
            &mut claim,
            &continuing.steps,
            &objects,
            &Fingerprints::default(),
        );
        assert_eq!(
            claim.placement,
            Some(home(NamespaceProvenance::Existing, "new"))
        );
        let entry = &claim.entries[&logical];
        assert_eq!((entry.created, entry.uid.as_deref()), (false, Some("new")));
    }
}
