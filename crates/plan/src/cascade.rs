//! What dies, told by owner.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{CascadeGroup, GroupKind, Object, ObjectKey, Owner};
use underpin_refs::{Presence, presence};

use crate::{Context, ownership::claim_owner};

/// Whose an object is; what the plan itself applies for the first time is this environment's.
pub(crate) fn owner_of(context: &Context<'_>, key: &ObjectKey) -> Owner {
    match context.before.get(key) {
        Some(object) => context.ownership.owner(context.before, object),
        None => own(context),
    }
}

/// This environment as an owner.
pub(crate) fn own(context: &Context<'_>) -> Owner {
    context.claim.map_or_else(
        || Owner::Claim {
            stack: context.plan.stack.clone(),
            environment: context.plan.environment.clone(),
        },
        claim_owner,
    )
}

/// Everything that dies because `root` does and is not ambient: the root's own cascade, minus what
/// Kubernetes puts everywhere.
pub(crate) fn victims<'c>(context: &'c Context<'_>, root: &ObjectKey) -> BTreeSet<&'c ObjectKey> {
    let mut victims = context.simulation.cascade_of(root);
    victims.retain(|key| {
        let object = context.before.get(key);
        object.is_none_or(|object| !is_ambient(context, object))
    });
    victims
}

fn is_ambient(context: &Context<'_>, object: &Object) -> bool {
    matches!(
        presence(object, context.before, context.ownership.claims()),
        Presence::Ambient(_)
    )
}

/// Objects grouped by owner, groups and objects sorted.
pub(crate) fn groups<'k>(
    context: &Context<'_>,
    keys: impl IntoIterator<Item = &'k ObjectKey>,
) -> Vec<CascadeGroup> {
    let mut groups: BTreeMap<Owner, Vec<ObjectKey>> = BTreeMap::new();
    for key in keys {
        groups
            .entry(owner_of(context, key))
            .or_default()
            .push(key.clone());
    }
    groups
        .into_iter()
        .map(|(owner, mut objects)| {
            objects.sort();
            CascadeGroup { owner, objects }
        })
        .collect()
}

/// `3 of wallet/gl-pay, 2 of Helm redis, 1 unclaimed`.
pub(crate) fn summary(groups: &[CascadeGroup]) -> String {
    let parts: Vec<String> = groups
        .iter()
        .map(|group| {
            let count = group.objects.len();
            if group.owner.is_claimed() {
                format!("{count} of {}", group.owner)
            } else {
                format!("{count} {}", group.owner)
            }
        })
        .collect();
    parts.join(", ")
}

/// Whether Kubernetes or somebody's CustomResourceDefinition brings the kind.
pub(crate) fn is_custom(kind: &GroupKind) -> bool {
    kind.group.contains('.') && underpin_model::builtin_kind(&kind.group, &kind.kind).is_none()
}
