//! The whole world in one read: a list of every kind, at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::task::JoinSet;
use underpin_model::{
    Claim, Depth, GroupKind, Object, ObjectKey, ResourceKind, Unread, World, builtin_kind,
};

use crate::{Cluster, ClusterError, claims};

/// What to read, and how much of it.
pub struct ReadRequest<'a> {
    /// Where the claims are.
    pub claims_namespace: String,
    /// What is of interest, as far as the claims tell. Asked while the kinds are still looked for.
    pub interest: &'a (dyn Fn(&[Claim]) -> Interest + Sync),
    /// Whether objects of a kind are read in full; of others only the metadata is. Not asked about
    /// Secrets.
    pub full: Arc<Full>,
}

/// Whether objects of a kind are read in full.
type Full = dyn Fn(&GroupKind) -> bool + Send + Sync;

/// Where more is read than elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// Where a cluster-wide list is forbidden, these namespaces are tried one by one.
    pub namespaces: Vec<String>,
    /// Namespaces whose Secrets are read in full; elsewhere only their metadata is.
    pub secrets_in: Vec<String>,
}

/// What the lists of a world go by.
#[derive(Clone)]
struct Scope {
    interest: Interest,
    full: Arc<Full>,
}

/// Groups that serve measurements, not objects.
const AMBIENT_GROUPS: &[&str] = &[
    "metrics.k8s.io",
    "custom.metrics.k8s.io",
    "external.metrics.k8s.io",
];

/// Whether a group serves measurements, not objects.
pub(crate) fn is_ambient_group(group: &str) -> bool {
    AMBIENT_GROUPS.contains(&group)
}

/// Whether objects of a kind are by-products of a running cluster that nothing is lost with:
/// Events, measurements and component states. They are neither read nor counted.
pub fn is_ambient(kind: &GroupKind) -> bool {
    is_ambient_group(&kind.group)
        || kind.is("", "Event")
        || kind.is("events.k8s.io", "Event")
        || kind.is("", "ComponentStatus")
}

/// Why something is not known whose task ended without an answer.
const ENDED_EARLY: &str = "reading it ended early";

/// What came of one list.
type Listed = Result<Vec<Object>, ClusterError>;

/// What came of reading one kind.
struct KindRead {
    kind: GroupKind,
    objects: Vec<Object>,
    unread: Vec<Unread>,
    /// Namespaces read one by one.
    read_in: BTreeSet<String>,
    served: Served,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Served {
    Yes,
    /// It answers that it cannot be listed.
    NotListable,
    /// It was withdrawn since discovery.
    NoMore,
}

impl Cluster {
    /// Reads everything: identity, kinds, claims and one list of every listable kind, all at once.
    /// What cannot be read is in [`World::unread`]; only identity and the roots of discovery are
    /// indispensable.
    pub async fn read_world(&self, request: &ReadRequest<'_>) -> Result<World, ClusterError> {
        let store = claims::ClaimStore::new(self.clone(), &request.claims_namespace);
        let (cluster, (kinds, unread), (interest, claims, claims_unread)) =
            tokio::try_join!(self.identity(), self.discover(), async {
                let (claims, unread) = store.load_all_or_unread().await;
                Ok(((request.interest)(&claims), claims, unread))
            },)?;
        let mut world = World::default();
        world.cluster = cluster;
        (world.kinds, world.unread) = (kinds, unread);
        world.claims = claims;
        if names_undiscovered(&world) {
            (world.kinds, world.unread) = self.discover().await?;
        }
        world.unread.extend(claims_unread);
        let full = Arc::clone(&request.full);
        let scope = Scope { interest, full };
        let reads = self.read_kinds(&world.kinds, &scope).await;
        fill(&mut world, reads);
        let namespaces = &scope.interest.namespaces;
        world.gone_owners = self.gone_owners(&world, namespaces).await;
        Ok(world)
    }

    async fn read_kinds(
        &self,
        kinds: &BTreeMap<GroupKind, ResourceKind>,
        scope: &Scope,
    ) -> Vec<KindRead> {
        let mut tasks = JoinSet::new();
        let wanted = kinds
            .values()
            .filter(|kind| kind.listable && !is_ambient(&kind.kind));
        let mut missing: BTreeSet<GroupKind> = BTreeSet::new();
        for kind in wanted {
            missing.insert(kind.kind.clone());
            let (cluster, kind, scope) = (self.clone(), kind.clone(), scope.clone());
            tasks.spawn(async move { cluster.read_kind(&kind, &scope).await });
        }
        let mut reads = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            if let Ok(read) = joined {
                missing.remove(&read.kind);
                reads.push(read);
            }
        }
        // A task that ended without an answer: its kind is unknown, not absent.
        for kind in missing {
            let mut read = KindRead::of(&kind);
            read.miss(None, ENDED_EARLY.to_owned());
            reads.push(read);
        }
        // Built-in kinds first: they win over others that show the same object again.
        reads.sort_by_key(|read| (!is_builtin(&read.kind), read.kind.clone()));
        reads
    }

    async fn read_kind(&self, kind: &ResourceKind, scope: &Scope) -> KindRead {
        let mut read = KindRead::of(&kind.kind);
        let depth = if !is_secret(&kind.kind) && (scope.full)(&kind.kind) {
            Depth::Full
        } else {
            Depth::Metadata
        };
        match self.list(kind, None, depth).await {
            Ok(objects) => {
                read.objects = objects;
                if is_secret(&kind.kind) {
                    self.complete_secrets(kind, scope, &mut read).await;
                }
            }
            Err(error @ ClusterError::Forbidden { .. }) => {
                read.miss(None, error.to_string());
                if kind.namespaced {
                    self.read_by_namespace(kind, depth, scope, &mut read).await;
                } else if kind.kind.is("", "Namespace") {
                    self.read_namespaces(kind, scope, &mut read).await;
                }
            }
            Err(ClusterError::Server { code: 405, .. }) => read.served = Served::NotListable,
            Err(error @ (ClusterError::NoMatch { .. } | ClusterError::NotFound { .. })) => {
                match self.still_serves(kind).await {
                    Ok(false) => read.served = Served::NoMore,
                    _ => read.miss(None, error.to_string()),
                }
            }
            Err(error) => read.miss(None, error.to_string()),
        }
        read
    }

    /// Replaces the metadata of Secrets by whole Secrets where these are asked for, in all namespaces
    /// at once.
    async fn complete_secrets(&self, kind: &ResourceKind, scope: &Scope, read: &mut KindRead) {
        let mut tasks = JoinSet::new();
        let mut lists: BTreeMap<&String, Option<Listed>> = BTreeMap::new();
        for namespace in &scope.interest.secrets_in {
            if lists.insert(namespace, None).is_some() {
                continue;
            }
            let (cluster, kind, namespace) = (self.clone(), kind.clone(), namespace.clone());
            tasks.spawn(async move {
                let listed = cluster.list(&kind, Some(&namespace), Depth::Full).await;
                (namespace, listed)
            });
        }
        while let Some(joined) = tasks.join_next().await {
            if let Ok((namespace, listed)) = joined
                && let Some(list) = lists.get_mut(&namespace)
            {
                *list = Some(listed);
            }
        }
        for (namespace, listed) in lists {
            match listed {
                Some(Ok(objects)) => {
                    read.objects
                        .retain(|object| object.key.namespace.as_ref() != Some(namespace));
                    read.objects.extend(objects);
                }
                Some(Err(error)) => read.miss(Some(namespace), error.to_string()),
                None => read.miss(Some(namespace), ENDED_EARLY.to_owned()),
            }
        }
    }

    /// The Namespace objects of interest, one by one: who works inside a namespace may often read it,
    /// and not list all. The list stays unread.
    async fn read_namespaces(&self, kind: &ResourceKind, scope: &Scope, read: &mut KindRead) {
        let names: BTreeSet<&String> = scope.interest.namespaces.iter().collect();
        for name in names {
            if let Ok(Some(object)) = self.get(kind, &ObjectKey::of_namespace(name)).await {
                read.objects.push(object);
            }
        }
    }

    /// Tries the namespaces of interest one by one.
    async fn read_by_namespace(
        &self,
        kind: &ResourceKind,
        depth: Depth,
        scope: &Scope,
        read: &mut KindRead,
    ) {
        let secrets_in: BTreeSet<&String> = if is_secret(&kind.kind) {
            scope.interest.secrets_in.iter().collect()
        } else {
            BTreeSet::new()
        };
        let namespaces: BTreeSet<&String> = scope
            .interest
            .namespaces
            .iter()
            .chain(secrets_in.iter().copied())
            .collect();
        for namespace in namespaces {
            let depth = if secrets_in.contains(namespace) {
                Depth::Full
            } else {
                depth
            };
            match self.list(kind, Some(namespace), depth).await {
                Ok(objects) => {
                    read.objects.extend(objects);
                    read.read_in.insert(namespace.clone());
                }
                Err(error) => read.miss(Some(namespace), error.to_string()),
            }
        }
    }
}

impl KindRead {
    fn of(kind: &GroupKind) -> Self {
        Self {
            kind: kind.clone(),
            objects: Vec::new(),
            unread: Vec::new(),
            read_in: BTreeSet::new(),
            served: Served::Yes,
        }
    }

    fn miss(&mut self, namespace: Option<&str>, reason: String) {
        self.unread.push(Unread {
            kind: Some(self.kind.clone()),
            group: String::new(),
            namespace: namespace.map(str::to_owned),
            reason,
        });
    }
}

/// Whether a claim records an object of a kind that discovery did not find. Who recorded it may
/// have defined the kind after it was looked for, so that only a later look can tell that it is
/// gone.
fn names_undiscovered(world: &World) -> bool {
    let mut entries = world.claims.iter().flat_map(|claim| claim.entries.values());
    entries.any(|entry| {
        let kind = &entry.key.kind;
        !world.kinds.contains_key(kind) && world.unread(kind, None).is_none()
    })
}

fn is_secret(kind: &GroupKind) -> bool {
    kind.is("", "Secret")
}

fn is_builtin(kind: &GroupKind) -> bool {
    builtin_kind(&kind.group, &kind.kind).is_some()
}

/// Puts what was read into the world; an object served under two groups counts once.
fn fill(world: &mut World, reads: Vec<KindRead>) {
    let mut by_uid: BTreeMap<String, ObjectKey> = BTreeMap::new();
    for read in reads {
        match read.served {
            Served::Yes => {}
            Served::NotListable => {
                if let Some(kind) = world.kinds.get_mut(&read.kind) {
                    kind.listable = false;
                }
            }
            Served::NoMore => {
                world.kinds.remove(&read.kind);
            }
        }
        world.unread.extend(read.unread);
        if !read.read_in.is_empty() {
            world.partly_read.insert(read.kind, read.read_in);
        }
        for object in read.objects {
            if let Some(uid) = object.uid() {
                let first = by_uid
                    .entry(uid.to_owned())
                    .or_insert_with(|| object.key.clone());
                if *first != object.key {
                    continue;
                }
            }
            world.insert(object);
        }
    }
}
