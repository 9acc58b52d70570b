//! `status`: what is recorded, what of it is there, and what was kept.

use std::collections::BTreeSet;

use underpin_model::{Claim, Depth, EntryState, GroupKind, Object, ObjectKey, World};
use underpin_plan::{Occupancy, Ownership, occupancy};
use underpin_readiness::{
    State, Surroundings,
    diagnosis::{Family, pod_trouble},
};
use underpin_refs::bears_pods;

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
    /// Environments of the stack file that may live in this cluster, and of which nothing is recorded
    /// in it.
    pub absent: Vec<String>,
    /// Namespaces kept by a former `down`.
    pub kept: Vec<KeptNamespace>,
}

/// One claim and what of it is there.
#[derive(Debug)]
pub struct ClaimStatus {
    /// The claim.
    pub claim: Claim,
    /// Objects that a run meant to make and did not record as made: it is under way, or was
    /// interrupted.
    pub intended: Vec<ObjectKey>,
    /// Recorded objects that are there and not ready.
    pub not_ready: Vec<NotReadyNow>,
    /// Recorded objects that are not there.
    pub missing: Vec<ObjectKey>,
    /// Recorded objects under whose name somebody else's object is.
    pub replaced: Vec<ObjectKey>,
    /// Recorded objects that could not be read.
    pub unread: Vec<ObjectKey>,
}

/// A recorded object that is there and not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReadyNow {
    /// The object.
    pub key: ObjectKey,
    /// `in-progress`, `failed` or `terminating`.
    pub state: &'static str,
    /// Why, by its own account.
    pub why: String,
    /// What keeps its pods from being ready, if that is known.
    pub cause: Option<String>,
}

impl ClaimStatus {
    /// How many recorded objects are there and ready.
    pub fn ready(&self) -> usize {
        let others = [
            self.intended.len(),
            self.not_ready.len(),
            self.missing.len(),
            self.replaced.len(),
            self.unread.len(),
        ];
        let others = others.iter().sum();
        self.claim.entries.len().saturating_sub(others)
    }
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
    let surroundings = Surroundings::of(world.of_kind(&Surroundings::storage_class()));
    Ok(Status {
        context: world.cluster.context.clone(),
        absent: absent(deployment, &world),
        kept: claims
            .iter()
            .flat_map(|claim| kept(&world, &ownership, claim))
            .collect(),
        claims: claims
            .into_iter()
            .map(|claim| claim_status(&world, &surroundings, claim))
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

/// Declared environments that may live in this cluster and have no claim in it.
fn absent(deployment: &Deployment, world: &World) -> Vec<String> {
    let own = &deployment.environment;
    let declared = own.declared.iter().filter(|one| {
        let pinned = one.context.as_ref();
        let is_here = pinned.is_none_or(|context| *context == world.cluster.context);
        let is_recorded = world.claims.iter().any(|claim| {
            claim.stack == one.stack && claim.environment == one.name && claim.retired.is_none()
        });
        one.stack == own.stack && is_here && !is_recorded
    });
    let names: BTreeSet<&String> = declared.map(|one| &one.name).collect();
    names.into_iter().cloned().collect()
}

fn claim_status(world: &World, surroundings: &Surroundings, claim: &Claim) -> ClaimStatus {
    let mut status = ClaimStatus {
        claim: claim.clone(),
        intended: Vec::new(),
        not_ready: Vec::new(),
        missing: Vec::new(),
        replaced: Vec::new(),
        unread: Vec::new(),
    };
    for entry in claim.entries.values() {
        let key = &entry.key;
        let list = match world.get(key) {
            _ if entry.state == EntryState::Intended => &mut status.intended,
            Some(object)
                if entry.uid.as_deref() == object.uid() || claim.stamped(object, entry) =>
            {
                status
                    .not_ready
                    .extend(not_ready(world, surroundings, object));
                continue;
            }
            Some(_) => &mut status.replaced,
            None if world.unread(&key.kind, key.namespace.as_deref()).is_some() => {
                &mut status.unread
            }
            None => &mut status.missing,
        };
        list.push(key.clone());
    }
    status
}

fn not_ready(world: &World, surroundings: &Surroundings, object: &Object) -> Option<NotReadyNow> {
    let state = if object.depth == Depth::Full {
        underpin_readiness::state(object, surroundings)
    } else if object.is_terminating() {
        State::Terminating
    } else {
        State::Current
    };
    if state.is_current() {
        return None;
    }
    Some(NotReadyNow {
        key: object.key.clone(),
        state: state.name(),
        why: state.to_string(),
        cause: cause(world, object),
    })
}

/// What the worst of an object's pods suffers from, in Kubernetes' own words: what a container wrote
/// is not shown, and neither is what the runtime quotes, for no Secret is read here to hide it by.
fn cause(world: &World, object: &Object) -> Option<String> {
    if !bears_pods(&object.key.kind) {
        return None;
    }
    let beside = |kind: &GroupKind| -> Vec<Object> {
        let all = world.of_kind(kind);
        let same = all.filter(|one| one.key.namespace == object.key.namespace);
        same.cloned().collect()
    };
    let sets = beside(&GroupKind::new("apps", "ReplicaSet"));
    let pods = beside(&GroupKind::core("Pod"));
    let family = Family::of(object, &sets, &pods);
    Some(pod_trouble(family.worst()?)?.brief().to_owned())
}
