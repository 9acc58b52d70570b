//! Reads the world, plans and judges. Changes nothing.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use underpin_cluster::{Cluster, ClusterError, Host, Interest, ReadRequest};
use underpin_model::{
    Action, Claim, ClaimId, Depth, GroupKind, KeepReason, Object, ObjectKey, Step, Unread, World,
    hexadecimal,
};
use underpin_plan::{
    Case, Fingerprints, Identity, Ownership, Plan, Preparation, UpInput, Verdict, judge,
    naming::{claim_name, derive_namespace},
    plan_up, prepare, resolve_placement,
};
use underpin_source::{
    Diagnostic,
    manifests::{Variable, Variables, render},
};

use crate::{
    DeployError, Deployment, Event, Observer,
    dry_run::dry_runs,
    helm,
    host::random,
    kinds::{self, Kinds},
    session,
};

/// How often the world is read at most, until all that is defined in it is served too.
const READS: usize = 5;
/// How long a server has to serve what was just defined, or to forget what just went.
const BETWEEN_READS: Duration = Duration::from_millis(300);

/// A plan with everything it was made from.
pub struct Planned {
    /// The world as read.
    pub world: World,
    /// Whose every object is.
    pub ownership: Ownership,
    /// The environment's claim as read; absent for a first run.
    pub claim: Option<Claim>,
    /// Identity of the claim, recorded or fresh.
    pub identity: Identity,
    /// The plan.
    pub plan: Plan,
    /// What the rules say of it.
    pub verdict: Verdict,
    /// Objects that are being deleted and that the plan would apply once they are gone.
    pub terminating: Vec<ObjectKey>,
    /// What hides values that must not be shown.
    pub(crate) fingerprints: Fingerprints,
    pub(crate) kinds: Kinds,
}

impl Planned {
    /// Whether another run, dead or alive, held the lock when the claim was read.
    pub fn is_locked(&self) -> bool {
        self.claim
            .as_ref()
            .is_some_and(|claim| claim.lock.is_some())
    }

    /// Whether a run would change nothing: no step does anything and the claim is settled.
    pub fn is_settled(&self) -> bool {
        let recorded = self.claim.as_ref().is_some_and(|claim| {
            claim.retired.is_none()
                && claim.placement.is_some()
                && claim.entries.values().all(|entry| entry.uid.is_some())
                && self
                    .plan
                    .steps
                    .iter()
                    .filter(|step| step.desired.is_some() && !is_foreign(step))
                    .all(|step| records(claim, step))
                && self.plan.steps.iter().all(|step| {
                    step.desired.is_some() || step.action != Action::Keep(KeepReason::Gone)
                })
        });
        recorded && self.plan.changing().next().is_none() && self.plan.dropped.is_empty()
    }
}

/// Whether the claim records the very object that is there. One that a killed run made anew is known
/// by its stamp alone.
fn records(claim: &Claim, step: &Step) -> bool {
    let live = step.before.as_ref();
    claim.entries.get(&step.logical).is_some_and(|entry| {
        live.is_none_or(|live| live.uid().is_some() && entry.uid.as_deref() == live.uid())
    })
}

/// The namespaces that this environment has to do with: its home, those of declared objects, and
/// those of recorded ones.
fn namespaces_of_interest(rendered: &Rendered, recorded: Option<&Claim>) -> Vec<String> {
    let mut interest = BTreeSet::from([rendered.home.clone()]);
    let declared = rendered.objects.iter();
    interest.extend(declared.filter_map(|object| lies_in(&object.key)));
    interest.extend(recorded.into_iter().flat_map(recorded_in));
    interest.into_iter().collect()
}

/// What the manifests declare for a home.
struct Rendered {
    home: String,
    objects: Vec<Object>,
    diagnostics: Vec<Diagnostic>,
}

impl Rendered {
    fn new(deployment: &Deployment, home: String) -> Self {
        let variables = variables(deployment, &home);
        let (objects, diagnostics) = render(&deployment.documents, &variables);
        Self {
            home,
            objects,
            diagnostics,
        }
    }
}

/// Reads the world for an `up`, and renders the manifests for the home that the claim records, or
/// else is to be expected. What is wrong with the files is told later, once the placement is known
/// for certain.
async fn read_for_up(deployment: &Deployment) -> Result<(World, Rendered), DeployError> {
    let expected = derive_namespace(&deployment.environment.derivation())?;
    let name = deployment.claim_name()?;
    let rendered = Mutex::new(None);
    let interest = |claims: &[Claim]| {
        let recorded = claims.iter().find(|claim| {
            claim_name(&claim.stack, &claim.environment).is_ok_and(|other| other == name)
        });
        let home = recorded
            .and_then(|claim| claim.placement.as_ref())
            .map_or_else(|| expected.clone(), |placement| placement.namespace.clone());
        let now = Rendered::new(deployment, home);
        let namespaces = namespaces_of_interest(&now, recorded);
        *rendered.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        of_namespaces(&namespaces)
    };
    let (cluster, claims_namespace) = (&deployment.cluster, &deployment.claims_namespace);
    let world = read_world_with(cluster, claims_namespace, &interest).await?;
    session::check_cluster(deployment, &world)?;
    let rendered = rendered
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let rendered = rendered.unwrap_or_else(|| Rendered::new(deployment, expected));
    Ok((world, rendered))
}

/// These namespaces, with their Secrets.
fn of_namespaces(namespaces: &[String]) -> Interest {
    Interest {
        namespaces: namespaces.to_vec(),
        secrets_in: namespaces.to_vec(),
    }
}

/// Plans an `up`.
pub async fn plan(
    deployment: &Deployment,
    observer: &dyn Observer,
) -> Result<Planned, DeployError> {
    observer.event(Event::Reading);
    let environment = &deployment.environment;
    let (mut world, rendered) = read_for_up(deployment).await?;
    let ownership = Ownership::of(&world);
    let claim = session::claim_of(deployment, &world)?;
    let placement = resolve_placement(&environment.derivation(), claim.as_ref(), &world)?;
    let home = &placement.placement.namespace;
    let rendered = if rendered.home == *home {
        rendered
    } else {
        Rendered::new(deployment, home.clone())
    };
    if !rendered.diagnostics.is_empty() {
        return Err(DeployError::Declared(rendered.diagnostics));
    }
    let declared = rendered.objects;
    let identity = identity(deployment.cluster.host(), claim.as_ref())?;
    let preparation = prepare(
        environment,
        &identity,
        claim.as_ref(),
        &world,
        &ownership,
        &declared,
    )?;
    refuse_unknown_adoptions(deployment, &preparation)?;
    let terminating: Vec<ObjectKey> = preparation.terminating().cloned().collect();
    let kinds = Kinds::new(&world, declared.iter());
    let answers = dry_runs(deployment, &world, &kinds, &preparation.objects, observer).await;
    let key = deployment.store.fingerprint_key().await;
    let keyless = key.as_ref().err().map(|error| keyless(deployment, error));
    let fingerprints = deployment.fingerprints(key.unwrap_or(None));
    let input = UpInput {
        environment,
        claim: claim.as_ref(),
        world: &world,
        outcomes: &answers.outcomes,
        fingerprints: &fingerprints,
        acceptances: &deployment.acceptances,
    };
    let mut plan = plan_up(&input, preparation);
    for step in &mut plan.steps {
        step.force |= answers.taken.contains_key(&step.key);
        // Servers quote what they refuse to change.
        step.reason = fingerprints.mask().apply(&step.reason);
        step.unvalidated = step
            .unvalidated
            .take()
            .map(|why| why.masked(fingerprints.mask()));
    }
    for problem in &mut plan.problems {
        problem.message = fingerprints.mask().apply(&problem.message);
    }
    plan.taken = answers.taken;
    let recorded = helm::recorded(&world, &plan.placement.placement.namespace);
    let verdict = judge(Case {
        environment: Some(environment),
        claim: claim.as_ref(),
        before: &world,
        plan: &plan,
        ownership: &ownership,
        acceptances: &deployment.acceptances,
        recorded: &recorded,
    });
    // Told, and nothing that a rule goes by.
    world.unread.extend(keyless);
    Ok(Planned {
        world,
        ownership,
        claim,
        identity,
        plan,
        verdict,
        terminating,
        fingerprints,
        kinds,
    })
}

/// What is not known without the key: secret values are hidden, and cannot be told apart.
fn keyless(deployment: &Deployment, error: &ClusterError) -> Unread {
    Unread {
        kind: Some(GroupKind::core("Secret")),
        group: String::new(),
        namespace: Some(deployment.claims_namespace.clone()),
        reason: format!(
            "whether a secret value changes, or an object was changed since it was applied, is \
             unknown without the fingerprint key: {error}"
        ),
    }
}

/// Whether a step leaves a declared object to somebody else: no entry is ever made for it.
fn is_foreign(step: &Step) -> bool {
    matches!(step.action, Action::Keep(KeepReason::Foreign(_)))
}

/// The namespaces in which a claim records objects, its own home included: they are read in full,
/// and one by one where a cluster-wide list is forbidden.
pub(crate) fn recorded_in(claim: &Claim) -> impl Iterator<Item = String> {
    let home = claim
        .placement
        .iter()
        .map(|placement| placement.namespace.clone());
    home.chain(
        claim
            .entries
            .values()
            .filter_map(|entry| lies_in(&entry.key)),
    )
}

/// The namespace that a key lies in, or is.
fn lies_in(key: &ObjectKey) -> Option<String> {
    let own = key.is_namespace().then(|| key.name.clone());
    key.namespace.clone().or(own)
}

/// Reads the whole world: what this environment needs may be anywhere, and so may whoever needs it.
pub(crate) async fn read(
    deployment: &Deployment,
    namespaces: &[String],
) -> Result<World, DeployError> {
    let (cluster, claims_namespace) = (&deployment.cluster, &deployment.claims_namespace);
    let interest = |_: &[Claim]| of_namespaces(namespaces);
    let world = read_world_with(cluster, claims_namespace, &interest).await?;
    session::check_cluster(deployment, &world)?;
    Ok(world)
}

/// Reads the whole world, with every kind that may say what it needs in full; of Secrets the
/// metadata alone, but for those in the namespaces `secrets_in`. What lies in the namespaces of
/// interest is tried one by one where a list of the whole cluster is forbidden. While definitions
/// come and go it is read again, a few times.
pub async fn read_world(
    cluster: &Cluster,
    claims_namespace: &str,
    namespaces: &[String],
    secrets_in: &[String],
) -> Result<World, ClusterError> {
    let interest = |_: &[Claim]| Interest {
        namespaces: namespaces.to_vec(),
        secrets_in: secrets_in.to_vec(),
    };
    read_world_with(cluster, claims_namespace, &interest).await
}

/// The same, where the claims tell what is of interest.
async fn read_world_with(
    cluster: &Cluster,
    claims_namespace: &str,
    interest: &(dyn Fn(&[Claim]) -> Interest + Sync),
) -> Result<World, ClusterError> {
    let request = ReadRequest {
        claims_namespace: claims_namespace.to_owned(),
        interest,
        full: Arc::new(is_read_in_full),
    };
    read_settled(cluster, &request).await
}

/// Reads the whole world with what is ready behind Services, which [`read_world`] leaves out.
pub async fn read_world_with_endpoints(
    cluster: &Cluster,
    claims_namespace: &str,
) -> Result<World, ClusterError> {
    let is_full = |kind: &GroupKind| is_endpoint_slice(kind) || is_read_in_full(kind);
    let request = ReadRequest {
        claims_namespace: claims_namespace.to_owned(),
        interest: &|_| Interest::default(),
        full: Arc::new(is_full),
    };
    read_settled(cluster, &request).await
}

/// Reads everything that can be listed, in full, Secrets included: whatever names something may stand in
/// any text.
pub async fn read_everything(
    cluster: &Cluster,
    claims_namespace: &str,
) -> Result<World, ClusterError> {
    let request = ReadRequest {
        claims_namespace: claims_namespace.to_owned(),
        interest: &|_| Interest::default(),
        full: Arc::new(|_| true),
    };
    let mut world = read_settled(cluster, &request).await?;
    let kind = GroupKind::core("Secret");
    let Some(secrets) = world.kinds.get(&kind).cloned() else {
        return Ok(world);
    };
    match cluster.list(&secrets, None, Depth::Full).await {
        Ok(objects) => objects.into_iter().for_each(|secret| world.insert(secret)),
        Err(error) => world.unread.push(Unread {
            kind: Some(kind),
            group: String::new(),
            namespace: None,
            reason: error.to_string(),
        }),
    }
    Ok(world)
}

async fn read_settled(cluster: &Cluster, request: &ReadRequest<'_>) -> Result<World, ClusterError> {
    let mut world = cluster.read_world(request).await?;
    let mut undiscovered = kinds::undiscovered(&world);
    for _ in 1..READS {
        if undiscovered.is_empty() {
            break;
        }
        tokio::time::sleep(BETWEEN_READS).await;
        world = cluster.read_world(request).await?;
        undiscovered = kinds::undiscovered(&world);
    }
    world.unread.extend(undiscovered);
    Ok(world)
}

/// Whether objects of a kind may say what they need, and are read in full for it. What controllers
/// write by the thousand says nothing that its owner does not say.
fn is_read_in_full(kind: &GroupKind) -> bool {
    !(kind.is("", "Endpoints")
        || is_endpoint_slice(kind)
        || kind.is("apps", "ControllerRevision")
        || kind.is("certificates.k8s.io", "CertificateSigningRequest"))
}

fn is_endpoint_slice(kind: &GroupKind) -> bool {
    kind.is("discovery.k8s.io", "EndpointSlice")
}

/// The variables of the environment when it lives in `namespace`.
pub(crate) fn variables(deployment: &Deployment, namespace: &str) -> Variables {
    let mut variables = deployment.variables.clone();
    variables.insert("namespace", Variable::name(namespace));
    variables
}

/// The recorded identity, or a fresh one.
pub(crate) fn identity(host: &dyn Host, claim: Option<&Claim>) -> Result<Identity, DeployError> {
    let mut identity = Identity {
        claim: ClaimId(hexadecimal(&random::<16>(host)?)),
        seed: random::<16>(host)?,
    };
    if let Some(claim) = claim {
        identity.claim = claim.id.clone();
    }
    Ok(identity)
}

/// `--adopt` of an object that is not declared is an error: a typo must not pass for consent.
fn refuse_unknown_adoptions(
    deployment: &Deployment,
    preparation: &Preparation,
) -> Result<(), DeployError> {
    let mut unknown = deployment.environment.adopt.clone();
    for prepared in &preparation.objects {
        unknown.remove(&prepared.desired.key.subject());
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(DeployError::UnknownAdoption(unknown.into_iter().collect()))
    }
}
