//! `import`: records placement and ownership of what is there, changing nothing else (R2.8).

use std::collections::{BTreeMap, BTreeSet};

use underpin_cluster::lock::LockGuard;
use underpin_model::{
    Claim, Entry, EntryState, LabelSelector, LogicalKey, NamespaceProvenance, Object, ObjectKey,
    Owner, Placement, World,
};
use underpin_plan::Ownership;
use underpin_refs::{Presence, presence, protections};
use underpin_source::manifests::render;

use crate::{
    DeployError, Deployment, Event, Observer, Stop,
    agreement::ATTEMPTS,
    contested::contested,
    helm,
    kinds::placed,
    planning,
    session::{self, Locked, lock},
};

/// What to import.
#[derive(Clone, Debug)]
pub struct Import {
    /// The namespace the environment lives in.
    pub namespace: String,
    /// How the objects are told.
    pub from: ImportFrom,
}

/// How the objects to import are told.
#[derive(Clone, Debug)]
pub enum ImportFrom {
    /// The stack's own manifests: same kind and name.
    Manifests,
    /// Everything in the namespace that a label selector matches.
    Selector(LabelSelector),
    /// What a Helm release in the namespace records as its own.
    HelmRelease(String),
}

/// What an import records, or would.
#[derive(Debug)]
pub struct Imported {
    /// Where the environment lives.
    pub placement: Placement,
    /// Objects that are recorded as owned.
    pub found: Vec<ObjectKey>,
    /// Objects that were recorded before.
    pub already: Vec<ObjectKey>,
    /// Objects that were told of and are not there.
    pub missing: Vec<ObjectKey>,
    /// Whose the objects are as other tools see it: those tools still believe that they own them.
    pub owners: BTreeMap<String, usize>,
    /// Whether anything was written.
    pub written: bool,
}

/// Reads what is there, asks `confirm`, and records it.
pub async fn import(
    deployment: &Deployment,
    request: &Import,
    observer: &dyn Observer,
    stop: &Stop,
    confirm: impl Fn(&Imported) -> bool,
) -> Result<Imported, DeployError> {
    for _ in 0..ATTEMPTS {
        observer.event(Event::Reading);
        let namespaces = [request.namespace.clone()];
        let world = tokio::select! {
            world = planning::read(deployment, &namespaces) => world?,
            reason = stop.stopped() => return Err(DeployError::Stopped(reason)),
        };
        let ownership = Ownership::of(&world);
        let claim = session::claim_of(deployment, &world)?;
        let keys = told(deployment, request, &world, &ownership)?;
        let (mut imported, objects) = compare(
            deployment,
            request,
            &world,
            &ownership,
            claim.as_ref(),
            keys,
        )?;
        let unplaced = claim.as_ref().is_none_or(|claim| claim.placement.is_none());
        // Of a killed import, its lock may be left: it is put out.
        let locked = claim.as_ref().is_some_and(|claim| claim.lock.is_some());
        if imported.found.is_empty() && !unplaced && !locked {
            return Ok(imported);
        }
        if imported.found.is_empty() && imported.already.is_empty() {
            return Err(DeployError::Import(nothing_found(request)));
        }
        if !confirm(&imported) {
            return Err(DeployError::NotConfirmed);
        }
        let id = planning::identity(deployment.cluster.host(), claim.as_ref())?.claim;
        let uid = &world.cluster.uid;
        let Locked::Held(guard) =
            lock(deployment, claim.as_ref(), &id, uid, observer, stop).await?
        else {
            continue;
        };
        // A killed import may have recorded these without asking the others.
        let recorded = imported.already.iter().filter(|_| locked);
        let recorded: Vec<&Object> = recorded.filter_map(|key| world.get(key)).collect();
        write(deployment, guard, &imported, &objects, &recorded).await?;
        imported.written = true;
        return Ok(imported);
    }
    Err(DeployError::Unsettled(ATTEMPTS))
}

/// Records the objects, unless others have laid claim to them since they were read.
async fn write(
    deployment: &Deployment,
    guard: LockGuard,
    imported: &Imported,
    objects: &[Object],
    recorded: &[&Object],
) -> Result<(), DeployError> {
    let before = guard.claim().await;
    guard
        .update(|claim| record(claim, &imported.placement, objects))
        .await?;
    let taken = objects
        .iter()
        .chain(recorded.iter().copied())
        .filter(|object| !object.key.is_namespace())
        .map(|object| (&object.key, object.uid()))
        .collect();
    let time = deployment.settings.request_timeout;
    let contested = match contested(deployment, time, &before.id, &taken).await {
        Ok(contested) if contested.is_empty() => {
            let recorded = imported.found.len();
            let line = format!("{recorded} recorded");
            let history = session::history(deployment, "import", line, recorded);
            guard.release(|claim| claim.record(history)).await?;
            return Ok(());
        }
        contested => contested,
    };
    guard
        .release(|claim| {
            claim.retired = before.retired;
            claim.placement = before.placement;
            claim.entries = before.entries;
            for key in contested.iter().flatten().map(|(key, _)| key) {
                claim.entries.retain(|_, entry| entry.key != *key);
            }
        })
        .await?;
    Err(DeployError::ImportTaken {
        environment: deployment.environment.display_name(),
        taken: contested?
            .into_iter()
            .map(|(key, owner)| format!("{key} is claimed by {owner}"))
            .collect(),
    })
}

fn nothing_found(request: &Import) -> String {
    let namespace = &request.namespace;
    match &request.from {
        ImportFrom::Manifests => format!(
            "none of the stack's objects is in namespace {namespace}; check --namespace, or use \
             `underpin up` to deploy fresh"
        ),
        ImportFrom::Selector(selector) => {
            format!("nothing in namespace {namespace} matches {selector}")
        }
        ImportFrom::HelmRelease(name) => {
            format!("nothing of Helm release {name} is in namespace {namespace}")
        }
    }
}

/// The objects that the request tells of.
fn told(
    deployment: &Deployment,
    request: &Import,
    world: &World,
    ownership: &Ownership,
) -> Result<BTreeSet<ObjectKey>, DeployError> {
    match &request.from {
        ImportFrom::Manifests => {
            let variables = planning::variables(deployment, &request.namespace);
            let (declared, diagnostics) = render(&deployment.documents, &variables);
            if !diagnostics.is_empty() {
                return Err(DeployError::Declared(diagnostics));
            }
            Ok(declared
                .iter()
                .map(|object| placed(object, world, &request.namespace))
                .collect())
        }
        ImportFrom::Selector(selector) => Ok(world
            .in_namespace(&request.namespace)
            .filter(|object| {
                selector.matches(&object.labels())
                    && presence(object, world, ownership.claims()) == Presence::Counts
            })
            .map(|object| object.key.clone())
            .collect()),
        ImportFrom::HelmRelease(name) => {
            let release = helm::latest_release(name, &request.namespace, world)?;
            Ok(release
                .objects
                .iter()
                .map(|object| placed(object, world, &request.namespace))
                .collect())
        }
    }
}

/// Holds what was told against what is there; refuses what others have recorded.
fn compare(
    deployment: &Deployment,
    request: &Import,
    world: &World,
    ownership: &Ownership,
    claim: Option<&Claim>,
    keys: BTreeSet<ObjectKey>,
) -> Result<(Imported, Vec<Object>), DeployError> {
    let placement = placement(request, world, claim)?;
    let mut imported = Imported {
        placement,
        found: Vec::new(),
        already: Vec::new(),
        missing: Vec::new(),
        owners: BTreeMap::new(),
        written: false,
    };
    let (mut objects, mut taken) = (Vec::new(), Vec::new());
    for key in keys {
        let Some(object) = world.get(&key) else {
            if let Some(unread) = world.unread(&key.kind, key.namespace.as_deref()) {
                return Err(DeployError::Import(format!(
                    "{key} could not be read: {unread}"
                )));
            }
            imported.missing.push(key);
            continue;
        };
        let ours = |owner: &Claim| claim.is_some_and(|claim| claim.id == owner.id);
        if ownership.claims_of(world, object).any(ours) {
            imported.already.push(key);
            continue;
        }
        let owner = ownership.owner(world, object);
        match &owner {
            // Several environments may live in one namespace from before; the first holds the
            // object, and UP112 tells of the risk.
            Owner::Claim { .. } if key.is_namespace() && key.name == request.namespace => continue,
            Owner::Claim { .. } => {
                taken.push(format!("{key} belongs to {owner}"));
                continue;
            }
            Owner::Tool { .. } => *imported.owners.entry(owner.to_string()).or_default() += 1,
            _ => {}
        }
        imported.found.push(key);
        objects.push(object.clone());
    }
    if taken.is_empty() {
        return Ok((imported, objects));
    }
    Err(DeployError::ImportTaken {
        environment: deployment.environment.display_name(),
        taken,
    })
}

fn placement(
    request: &Import,
    world: &World,
    claim: Option<&Claim>,
) -> Result<Placement, DeployError> {
    if let Some(placement) = claim.and_then(|claim| claim.placement.clone()) {
        if placement.namespace != request.namespace {
            return Err(DeployError::Import(format!(
                "the environment is recorded in namespace {}, and stays there; --namespace must name it",
                placement.namespace
            )));
        }
        return Ok(placement);
    }
    let key = ObjectKey::of_namespace(request.namespace.clone());
    let live = world.get(&key).ok_or_else(|| {
        let context = &world.cluster.context;
        DeployError::Import(format!(
            "there is no namespace {} in {context}",
            request.namespace
        ))
    })?;
    Ok(Placement {
        namespace: request.namespace.clone(),
        uid: live.uid().map(str::to_owned),
        provenance: NamespaceProvenance::Imported,
        shared: false,
    })
}

fn record(claim: &mut Claim, placement: &Placement, objects: &[Object]) {
    claim.retired = None;
    claim.placement = Some(placement.clone());
    for object in objects {
        let logical = LogicalKey::of(&object.key, &placement.namespace);
        let nonce = nonce(object);
        claim.entries.insert(
            logical,
            Entry {
                key: object.key.clone(),
                api_version: object.api_version(),
                uid: object.uid().map(str::to_owned),
                state: EntryState::Applied,
                nonce,
                created: false,
                implicit: false,
                protection: protections(object).into_iter().map(|p| p.key).collect(),
                digest: None,
            },
        );
    }
}

/// The nonce of an imported entry: of its stamp where it has one (a lost claim is rebuilt), else
/// of its uid, which no later incarnation has.
fn nonce(object: &Object) -> String {
    match object.stamp() {
        Some(stamp) => stamp.nonce,
        None => object.uid().unwrap_or("imported").chars().take(8).collect(),
    }
}
