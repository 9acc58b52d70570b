//! Whose every object of a world is: claims first, then other tools, then managers.

use underpin_model::{Claim, ClaimIndex, Object, ObjectKey, Owner, World, names};

/// Longest chain of controllers that is followed to the top: pod, replica set, deployment, and
/// some operators above.
const CHAIN_LIMIT: usize = 10;

/// The "tool" of an object whose stamp names a claim that is not there: somebody deleted the claim,
/// and `underpin import` rebuilds it.
pub const LOST_CLAIM: &str = "a lost claim of";

/// Owners of a world's objects, looked up without a scan of all claims.
#[derive(Debug, Default)]
pub struct Ownership {
    claims: ClaimIndex,
}

impl Ownership {
    /// Indexes the claims of a world.
    pub fn of(world: &World) -> Self {
        Self {
            claims: ClaimIndex::of(&world.claims),
        }
    }

    /// The index of the world's claims.
    pub fn claims(&self) -> &ClaimIndex {
        &self.claims
    }

    /// Every claim that owns the live object itself: recorded, with uid or stamp agreeing. More
    /// than one is a fault that somebody has to settle.
    pub fn claims_of<'a, 'w>(
        &'a self,
        world: &'w World,
        object: &'a Object,
    ) -> impl Iterator<Item = &'w Claim> + use<'a, 'w> {
        self.claims.owners(&world.claims, object)
    }

    /// The claim that owns the live object itself.
    pub fn claim_of<'w>(&self, world: &'w World, object: &Object) -> Option<&'w Claim> {
        self.claims_of(world, object).next()
    }

    /// Whose an object is. What a controller made belongs to whoever owns the controller's own
    /// object: a pod to its Deployment's owner.
    pub fn owner(&self, world: &World, object: &Object) -> Owner {
        let mut at = object;
        for _ in 0..CHAIN_LIMIT {
            if let Some(claim) = self.claim_of(world, at) {
                return claim_owner(claim);
            }
            match controller_of(world, at) {
                Some(above) => at = above,
                None => break,
            }
        }
        match underpin_refs::tool_owner(at) {
            tool @ Owner::Tool { .. } => tool,
            weaker => stamped_owner(world, at).unwrap_or(weaker),
        }
    }
}

/// A claim as an owner.
pub(crate) fn claim_owner(claim: &Claim) -> Owner {
    Owner::Claim {
        stack: claim.stack.clone(),
        environment: claim.environment.clone(),
    }
}

/// An object that no claim records still says by its stamp whose it was: a claim's that is there,
/// or one's that was lost.
fn stamped_owner(world: &World, object: &Object) -> Option<Owner> {
    let stamp = object.stamp()?;
    if let Some(claim) = world.claims.iter().find(|claim| claim.id == stamp.claim) {
        return Some(claim_owner(claim));
    }
    let (stack, environment) = object
        .annotation(names::ENVIRONMENT_ANNOTATION)?
        .split_once('/')?;
    Some(Owner::Tool {
        tool: LOST_CLAIM,
        name: format!("{stack}/{environment}"),
    })
}

/// The object that controls this one, if the world holds it under the recorded uid.
pub(crate) fn controller_of<'w>(world: &'w World, object: &Object) -> Option<&'w Object> {
    let owners = object.owner_references();
    let owner = owners
        .iter()
        .find(|owner| owner.controller)
        .or_else(|| owners.first())?;
    let namespace = match world.is_namespaced(&owner.kind) {
        Some(false) => None,
        _ => object.key.namespace.clone(),
    };
    let key = ObjectKey {
        kind: owner.kind.clone(),
        namespace,
        name: owner.name.clone(),
    };
    world
        .get(&key)
        .filter(|found| found.uid() == Some(owner.uid.as_str()))
}
