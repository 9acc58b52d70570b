//! `status`: what is recorded, what of it is there, and what was kept.

use std::collections::BTreeSet;

use underpin_model::{Claim, Object, ObjectKey, World};
use underpin_plan::{Occupancy, Ownership, occupancy};

use crate::{DeployError, Deployment, planning, session};

/// A namespace that a former `down` kept.
#[derive(Clone, Debug)]
pub struct KeptNamespace {
    /// The environment whose home it was.
    pub environment: String,
    /// Its name.
    pub namespace: String,
    /// When it was kept, RFC 3339.
    pub since: String,
    /// Who is in it now.
    pub occupancy: Occupancy,
}

/// What is recorded in a cluster.
#[derive(Debug)]
pub struct Status {
    /// Context in use.
    pub context: String,
    /// Claims, sorted by stack and environment; of this stack alone unless all were asked for.
    pub claims: Vec<ClaimStatus>,
    /// Namespaces kept by a former `down`.
    pub kept: Vec<KeptNamespace>,
}

/// One claim and what of it is there.
#[derive(Debug)]
pub struct ClaimStatus {
    /// The claim.
    pub claim: Claim,
    /// Recorded objects that are not there.
    pub missing: Vec<ObjectKey>,
    /// Recorded objects under whose name somebody else's object is.
    pub replaced: Vec<ObjectKey>,
    /// Recorded objects that could not be read.
    pub unread: Vec<ObjectKey>,
}

/// Reads what is recorded for the deployment's stack, in all its environments.
pub async fn status(deployment: &Deployment) -> Result<Status, DeployError> {
    let world = planning::read(deployment, &[]).await?;
    session::check_claims_read(&deployment.claims_namespace, &world.unread)?;
    let ownership = Ownership::of(&world);
    let stack = &deployment.environment.stack;
    let claims: Vec<&Claim> = world
        .claims
        .iter()
        .filter(|claim| claim.stack == *stack)
        .collect();
    Ok(Status {
        context: world.cluster.context.clone(),
        kept: claims
            .iter()
            .flat_map(|claim| kept(&world, &ownership, claim))
            .collect(),
        claims: claims
            .into_iter()
            .map(|claim| claim_status(&world, claim))
            .collect(),
    })
}

/// The namespaces of a retired environment that are still there: its home, and those it declared.
fn kept(world: &World, ownership: &Ownership, claim: &Claim) -> Vec<KeptNamespace> {
    let Some(retired) = &claim.retired else {
        return Vec::new();
    };
    let home = claim.placement.iter().map(|placement| &placement.namespace);
    let declared = claim
        .entries
        .values()
        .filter(|entry| entry.key.is_namespace());
    let names: BTreeSet<&String> = home.chain(declared.map(|entry| &entry.key.name)).collect();
    let there = names.into_iter().filter(|name| {
        world
            .get(&ObjectKey::of_namespace((*name).clone()))
            .is_some()
    });
    there
        .map(|name| KeptNamespace {
            environment: claim.display_name(),
            since: retired.at.clone(),
            occupancy: occupancy(world, ownership, name, Some(&claim.id), |_: &Object| false),
            namespace: name.clone(),
        })
        .collect()
}

fn claim_status(world: &World, claim: &Claim) -> ClaimStatus {
    let mut status = ClaimStatus {
        claim: claim.clone(),
        missing: Vec::new(),
        replaced: Vec::new(),
        unread: Vec::new(),
    };
    for entry in claim.entries.values() {
        let list = match world.get(&entry.key) {
            Some(object) if entry.uid.as_deref() == object.uid() => continue,
            Some(object) if claim.stamped(object, entry) => continue,
            Some(_) => &mut status.replaced,
            None if world
                .unread(&entry.key.kind, entry.key.namespace.as_deref())
                .is_some() =>
            {
                &mut status.unread
            }
            None => &mut status.missing,
        };
        list.push(entry.key.clone());
    }
    status
}
