//! `status`: what is recorded, what of it is there, and what was kept.

use std::collections::{BTreeMap, BTreeSet};

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
    let kinds = Makers::new();
    let controlled = Controlled::of(&world, &kinds);
    Ok(Status {
        context: world.cluster.context.clone(),
        absent: absent(deployment, &world),
        kept: claims
            .iter()
            .flat_map(|claim| kept(&world, &ownership, claim))
            .collect(),
        claims: claims
            .into_iter()
            .map(|claim| claim_status(&world, &surroundings, &controlled, claim))
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

fn claim_status(
    world: &World,
    surroundings: &Surroundings,
    controlled: &Controlled<'_>,
    claim: &Claim,
) -> ClaimStatus {
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
                    .extend(not_ready(surroundings, controlled, object));
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

fn not_ready(
    surroundings: &Surroundings,
    controlled: &Controlled<'_>,
    object: &Object,
) -> Option<NotReadyNow> {
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
        cause: controlled.cause(object),
    })
}

/// The kinds that workloads make their pods by.
struct Makers {
    replica_set: GroupKind,
    pod: GroupKind,
}

impl Makers {
    fn new() -> Self {
        Self {
            replica_set: GroupKind::new("apps", "ReplicaSet"),
            pod: GroupKind::core("Pod"),
        }
    }
}

/// ReplicaSets and pods by the uid of what controls them: each is looked at once, however many
/// workloads are not ready.
struct Controlled<'w> {
    replica_sets: BTreeMap<String, Vec<&'w Object>>,
    pods: BTreeMap<String, Vec<&'w Object>>,
}

impl<'w> Controlled<'w> {
    fn of(world: &'w World, kinds: &'w Makers) -> Self {
        Self {
            replica_sets: by_controller(world, &kinds.replica_set),
            pods: by_controller(world, &kinds.pod),
        }
    }

    /// What the worst of an object's pods suffers from, in Kubernetes' own words: what a container
    /// wrote is not shown, and neither is what the runtime quotes, for no Secret is read here to hide
    /// it by.
    fn cause(&self, object: &'w Object) -> Option<String> {
        if !bears_pods(&object.key.kind) {
            return None;
        }
        let sets = below(&self.replica_sets, object);
        let makers = sets.iter().copied().chain([object]);
        let pods = makers.flat_map(|maker| below(&self.pods, maker));
        let family = Family::of(object, sets.iter().copied(), pods.copied());
        Some(pod_trouble(family.worst()?)?.brief().to_owned())
    }
}

fn by_controller<'w>(world: &'w World, kind: &'w GroupKind) -> BTreeMap<String, Vec<&'w Object>> {
    let mut found: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
    for object in world.of_kind(kind) {
        let owners = object.owner_references();
        if let Some(controller) = owners.into_iter().find(|owner| owner.controller) {
            found.entry(controller.uid).or_default().push(object);
        }
    }
    found
}

/// What an object controls.
fn below<'i, 'w>(
    index: &'i BTreeMap<String, Vec<&'w Object>>,
    object: &Object,
) -> &'i [&'w Object] {
    let found = object.uid().and_then(|uid| index.get(uid));
    found.map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use underpin_model::Origin;

    use super::*;

    fn object(kind: &str, name: &str, controller: Option<(&str, &str)>, status: &Value) -> Object {
        let owners = controller.map(|(kind, uid)| {
            json!([{"apiVersion": "apps/v1", "kind": kind, "name": uid, "uid": uid, "controller": true}])
        });
        let version = if kind == "Pod" { "v1" } else { "apps/v1" };
        let mut value = json!({
            "apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": "wallet", "uid": name},
            "status": status,
        });
        if let Some(owners) = owners {
            value["metadata"]["ownerReferences"] = owners;
        }
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn waiting(reason: &str) -> Value {
        json!({"phase": "Pending", "containerStatuses": [
            {"name": "app", "ready": false, "state": {"waiting": {"reason": reason}}},
        ]})
    }

    /// Each workload is told of by its own pods, through ReplicaSets or without.
    #[test]
    fn the_cause_is_looked_for_among_an_object_s_own_pods() {
        let mut world = World::default();
        let web = object("Deployment", "web", None, &json!({}));
        let agent = object("DaemonSet", "agent", None, &json!({}));
        let idle = object("StatefulSet", "idle", None, &json!({}));
        for one in [
            object(
                "ReplicaSet",
                "web-1",
                Some(("Deployment", "web")),
                &json!({}),
            ),
            object(
                "Pod",
                "web-1-a",
                Some(("ReplicaSet", "web-1")),
                &waiting("ImagePullBackOff"),
            ),
            object(
                "Pod",
                "agent-a",
                Some(("DaemonSet", "agent")),
                &waiting("CreateContainerError"),
            ),
            object("Pod", "stray", None, &waiting("ErrImagePull")),
        ] {
            world.insert(one);
        }
        let kinds = Makers::new();
        let controlled = Controlled::of(&world, &kinds);
        let cause = |one: &Object| controlled.cause(one).unwrap_or_default();
        assert!(cause(&web).contains("ImagePullBackOff"), "{}", cause(&web));
        assert!(
            cause(&agent).contains("CreateContainerError"),
            "{}",
            cause(&agent)
        );
        assert_eq!(cause(&idle), "");
    }
}
