//! The plan of a `down`: exactly what the claim owns, and the namespace only when proven empty.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{
    Action, Claim, Entry, KeepReason, LogicalKey, NamespaceProvenance, ObjectKey, Step, World,
};

use crate::{
    Acceptances, Ownership, Plan, Purpose, ResolvedPlacement,
    build::removal_step,
    occupancy::occupancy,
    order,
    simulate::{Simulation, simulate},
};

/// Builds the plan of a `down`. `reclaim_imported` is what `down --kept` asks for: a namespace that
/// was there when the environment was imported may go too, once it is proven empty.
pub fn plan_down(
    claim: &Claim,
    world: &World,
    ownership: &Ownership,
    acceptances: &Acceptances,
    reclaim_imported: bool,
) -> Option<Plan> {
    let placement = claim.placement.clone()?;
    let derived = placement.namespace.clone();
    let mut plan = Plan {
        purpose: Purpose::Down,
        stack: claim.stack.clone(),
        environment: claim.environment.clone(),
        placement: ResolvedPlacement {
            placement,
            derived,
            recorded: true,
        },
        steps: Vec::new(),
        conflicts: BTreeMap::new(),
        taken: BTreeMap::new(),
        autoscaled: BTreeMap::new(),
        drifted: BTreeSet::new(),
        nonces: BTreeMap::new(),
        dropped: BTreeMap::new(),
        problems: Vec::new(),
    };
    let mut seen = BTreeSet::new();
    for (logical, entry) in &claim.entries {
        plan.nonces.insert(logical.clone(), entry.nonce.clone());
        if entry.key.is_namespace() {
            continue;
        }
        if !seen.insert(&entry.key) {
            let why = format!("{} is recorded under another identity", entry.key);
            plan.dropped.insert(logical.clone(), why);
            continue;
        }
        match removal_step(world, claim, logical, entry, acceptances) {
            Ok(mut step) => {
                if step.action == Action::Delete {
                    "owned by this environment".clone_into(&mut step.reason);
                }
                plan.steps.push(step);
            }
            Err(why) => {
                plan.dropped.insert(logical.clone(), why);
            }
        }
    }
    let simulation = simulate(world, &plan);
    for (logical, entry, ours) in namespaces(claim, reclaim_imported) {
        let step = namespace_step(
            claim,
            world,
            ownership,
            acceptances,
            (logical, entry, ours),
            &simulation,
        );
        plan.steps.push(step);
    }
    order::assign_waves(&mut plan.steps, world);
    Some(plan)
}

/// The Namespaces a claim may delete: its placement and those it declares, and whether each is its
/// own to delete.
fn namespaces(
    claim: &Claim,
    reclaim_imported: bool,
) -> Vec<(LogicalKey, Entry, Result<(), String>)> {
    let mut found: Vec<(LogicalKey, Entry, Result<(), String>)> = Vec::new();
    let mut seen = BTreeSet::new();
    if let Some(placement) = &claim.placement {
        let key = ObjectKey::of_namespace(placement.namespace.clone());
        let logical = LogicalKey::of(&key, &placement.namespace);
        let ours = match placement.provenance {
            NamespaceProvenance::Created => Ok(()),
            NamespaceProvenance::Imported if reclaim_imported => Ok(()),
            NamespaceProvenance::Imported => {
                Err("it was imported, not created by this environment".to_owned())
            }
            NamespaceProvenance::Existing => Err("it was there before this environment".to_owned()),
        };
        let entry = claim
            .entries
            .get(&logical)
            .cloned()
            .unwrap_or_else(|| placement_entry(&key, placement.uid.clone()));
        seen.insert(key);
        found.push((logical, entry, ours));
    }
    for (logical, entry) in claim
        .entries
        .iter()
        .filter(|(_, entry)| entry.key.is_namespace())
    {
        if seen.insert(entry.key.clone()) {
            let ours = if entry.created {
                Ok(())
            } else {
                Err("it was there before this environment".to_owned())
            };
            found.push((logical.clone(), entry.clone(), ours));
        }
    }
    found
}

fn placement_entry(key: &ObjectKey, uid: Option<String>) -> Entry {
    Entry {
        key: key.clone(),
        api_version: "v1".to_owned(),
        uid,
        state: underpin_model::EntryState::Applied,
        nonce: String::new(),
        created: false,
        implicit: false,
        protection: Vec::new(),
        digest: None,
    }
}

fn namespace_step(
    claim: &Claim,
    world: &World,
    ownership: &Ownership,
    acceptances: &Acceptances,
    (logical, entry, ours): (LogicalKey, Entry, Result<(), String>),
    simulation: &Simulation,
) -> Step {
    let name = entry.key.name.clone();
    let live = world.get(&entry.key);
    let mut step = Step {
        reason: "created by this environment and empty".to_owned(),
        before: live.cloned(),
        validated: true,
        ..Step::new(Action::Delete, entry.key.clone(), logical)
    };
    let Some(live) = live else {
        if let Some(unread) = world.unread(&entry.key.kind, None) {
            step.keep(KeepReason::InUse(format!(
                "could not be read: {}",
                unread.reason
            )));
            return step;
        }
        step.keep(KeepReason::Gone);
        return step;
    };
    let counted = occupancy(world, ownership, &name, Some(&claim.id), |object| {
        simulation.deaths.contains_key(&object.key) || simulation.collected.contains(&object.key)
    });
    let tool = underpin_refs::tool_owner(live);
    if let Err(why) = ours {
        let counted = counted.summary();
        step.keep(KeepReason::InUse(format!("{why}; {counted}")));
    } else if !claim.owns_as(&entry, live) {
        // Also where a run stopped before it created the namespace, and another made it since.
        let why = match entry.uid {
            Some(_) => "it was made anew by somebody else",
            None => "it was made by somebody else",
        };
        step.keep(KeepReason::InUse(why.to_owned()));
    } else if tool.is_claimed() {
        step.keep(KeepReason::Foreign(tool));
    } else if let Some(protection) = crate::build::protection(live, &entry)
        && !acceptances.covers(crate::rules::up106::CODE, &entry.key.subject())
    {
        step.keep(KeepReason::Protected(protection));
    } else if !counted.is_proven_empty() {
        step.keep(KeepReason::InUse(counted.summary()));
    }
    step
}
