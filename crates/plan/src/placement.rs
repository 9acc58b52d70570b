//! Where an environment lives: as recorded, else as derived.

use underpin_model::{Claim, NamespaceProvenance, ObjectKey, Placement, World};

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

/// Resolves the placement: what the claim records wins over any derivation (R2.1).
pub fn resolve_placement(
    derivation: &Derivation<'_>,
    claim: Option<&Claim>,
    world: &World,
) -> Result<ResolvedPlacement, NamingError> {
    let derived = derive_namespace(derivation)?;
    if let Some(placement) = claim.and_then(|claim| claim.placement.clone()) {
        return Ok(ResolvedPlacement {
            placement,
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
