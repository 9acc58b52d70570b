//! The values that must not be shown in what containers and others wrote.

use std::collections::BTreeSet;

use underpin_model::{Depth, GroupKind, Mask, Object, ObjectKey, Relation, Target, World};
use underpin_plan::{Plan, secret_values};
use underpin_refs::references;
use underpin_source::manifests::Variables;

use super::look::Timed;
use crate::{StopReason, kinds::Kinds};

/// Secrets of one pod that are read to hide their values.
const LIMIT: usize = 50;

/// All values that the run knows of: secret variables, and what the plan's objects and the Secrets
/// that were read hold.
pub(super) fn known(world: &World, plan: &Plan, variables: &Variables) -> Vec<String> {
    let mut values: BTreeSet<String> = variables.secret_values().map(str::to_owned).collect();
    let planned = plan.steps.iter();
    let planned = planned.flat_map(|step| step.desired.iter().chain(&step.before));
    let secrets = GroupKind::core("Secret");
    let live = world
        .of_kind(&secrets)
        .filter(|secret| secret.depth == Depth::Full);
    values.extend(planned.chain(live).flat_map(secret_values));
    values.into_iter().collect()
}

/// The values of all Secrets that a pod reads, as they are now; an error names what could not be
/// read, for then nobody knows what its texts may hold.
pub(super) async fn of_pod(
    timed: Timed<'_>,
    kinds: &Kinds,
    world: &World,
    pod: &Object,
) -> Result<Result<Vec<String>, String>, StopReason> {
    let mut values = secret_values(pod);
    let read: BTreeSet<ObjectKey> = references(pod, world)
        .into_iter()
        .filter(|reference| reference.relation == Relation::Secret)
        .filter_map(|reference| match reference.target {
            Target::Object(key) if key.kind.is("", "Secret") => Some(key),
            _ => None,
        })
        .collect();
    if read.len() > LIMIT {
        return Ok(Err(format!("the pod reads more than {LIMIT} Secrets")));
    }
    if read.is_empty() {
        return Ok(Ok(values));
    }
    let Some(kind) = kinds.get(&GroupKind::core("Secret")) else {
        return Ok(Err("it is not known how Secrets are read".to_owned()));
    };
    for key in read {
        match timed()?.get(kind, &key).await {
            Ok(Some(secret)) => values.extend(secret_values(&secret)),
            Ok(None) => {}
            Err(error) => return Ok(Err(error.to_string())),
        }
    }
    Ok(Ok(values))
}

/// A mask for all of these.
pub(super) fn mask(known: &[String], of_pod: Vec<String>) -> Mask {
    Mask::new(known.iter().cloned().chain(of_pod))
}
