//! Where an environment lives: as recorded, else as derived.

use underpin_model::{Claim, NamespaceProvenance, Object, ObjectKey, Placement, World};

use crate::naming::{Derivation, NamingError, derive_namespace};

/// Where an environment lives in this run, and what it would be if deployed fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedPlacement {
    /// The placement used.
    pub placement: Placement,
    /// What the present rule derives; differs from the placement where the past decided.
    pub derived: String,
    /// Whether the claim recorded the placement.
    pub recorded: bool,
}

impl ResolvedPlacement {
    /// The note for a placement that a fresh deployment would choose differently (R2.1).
    pub fn note(&self) -> Option<String> {
        (self.derived != self.placement.namespace).then(|| {
            format!(
                "lives in namespace {}, as recorded; would be {} if deployed fresh \
                 (a changed rule moves nothing)",
                self.placement.namespace, self.derived
            )
        })
    }
}

/// Resolves the placement: where the claim records that it is wins over any derivation (R2.1).
pub fn resolve_placement(
    derivation: &Derivation<'_>,
    claim: Option<&Claim>,
    world: &World,
) -> Result<ResolvedPlacement, NamingError> {
    let derived = derive_namespace(derivation)?;
    if let Some(claim) = claim
        && let Some(recorded) = &claim.placement
    {
        return Ok(ResolvedPlacement {
            placement: as_it_is_now(claim, recorded, world),
            derived,
            recorded: true,
        });
    }
    let key = ObjectKey::of_namespace(&derived);
    let live = world.get(&key);
    // A namespace that could not be looked for may be there: it is then nobody's to delete.
    let unknown = live.is_none() && world.unread(&key.kind, None).is_some();
    let placement = Placement {
        namespace: derived.clone(),
        uid: live
            .and_then(|namespace| namespace.uid())
            .map(str::to_owned),
        provenance: if live.is_some() || unknown {
            NamespaceProvenance::Existing
        } else {
            NamespaceProvenance::Created
        },
        shared: derivation.shared,
    };
    Ok(ResolvedPlacement {
        placement,
        derived,
        recorded: false,
    })
}

/// The recorded placement, unless somebody else has made the namespace that is there: it was there
/// before this environment then, whatever was recorded of an earlier one, or intended, under its
/// name.
fn as_it_is_now(claim: &Claim, recorded: &Placement, world: &World) -> Placement {
    let key = ObjectKey::of_namespace(&recorded.namespace);
    let made_by_another = |live: &&Object| {
        let is_recorded = recorded.uid.as_deref() == live.uid();
        let mut entries = claim.entries.values().filter(|entry| entry.key == key);
        !is_recorded && !entries.any(|entry| claim.owns_as(entry, live))
    };
    match world.get(&key).filter(made_by_another) {
        Some(live) => Placement {
            uid: live.uid().map(str::to_owned),
            provenance: NamespaceProvenance::Existing,
            ..recorded.clone()
        },
        None => recorded.clone(),
    }
}
