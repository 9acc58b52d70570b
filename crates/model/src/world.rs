//! The world as it was read: objects, what could not be read, and the claims.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use crate::{Claim, GroupKind, Object, ObjectKey};

/// Which cluster a world was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// The uid of namespace `kube-system`, which lives as long as the cluster.
    pub uid: String,
    /// The kubeconfig context, for people.
    pub context: String,
    /// Server version as `/version` tells it, such as `v1.20.2`.
    pub version: String,
}

/// A kind as the cluster serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceKind {
    /// Group and kind.
    pub kind: GroupKind,
    /// The version used to read it.
    pub version: String,
    /// Every served version, preferred first.
    pub versions: Vec<String>,
    /// The path segment, such as `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether it can be listed; what cannot be listed holds no state to lose.
    pub listable: bool,
}

impl ResourceKind {
    /// A kind that every server serves in `v1`, for who asks for it without discovery.
    pub fn v1(group: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            kind: GroupKind::new(group, kind),
            version: "v1".to_owned(),
            versions: vec!["v1".to_owned()],
            plural: plural.to_owned(),
            namespaced,
            listable: true,
        }
    }
}

/// Something that could not be read completely. Unknown is not absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The kind, or `None` for a whole API group that discovery could not read.
    pub kind: Option<GroupKind>,
    /// The group that discovery could not read; empty when `kind` says which.
    pub group: String,
    /// The namespace, or `None` when no namespace could be read.
    pub namespace: Option<String>,
    /// What the server said, with verb and resource.
    pub reason: String,
}

impl Unread {
    /// Whether objects of `kind` in `namespace` may be missing because of this. `None` for
    /// `namespace` asks about any namespace and about cluster-scoped objects.
    pub fn covers(&self, kind: &GroupKind, namespace: Option<&str>) -> bool {
        let kind_covered = match &self.kind {
            Some(unread) => unread == kind,
            None => self.group == kind.group,
        };
        kind_covered && self.covers_namespace(namespace)
    }

    /// Whether anything in `namespace` may be missing because of this.
    pub fn covers_namespace(&self, namespace: Option<&str>) -> bool {
        match (&self.namespace, namespace) {
            (Some(unread), Some(asked)) => unread == asked,
            _ => true,
        }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(f, "{kind}")?,
            None => write!(f, "API group {}", self.group)?,
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " in {namespace}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Everything that was read of one cluster, at one time.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Which cluster.
    pub cluster: ClusterIdentity,
    /// Every kind that it serves.
    pub kinds: BTreeMap<GroupKind, ResourceKind>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// Kinds whose cluster-wide list failed, with the namespaces in which they could be read all
    /// the same: an [`Unread`] without a namespace says nothing about these.
    pub partly_read: BTreeMap<GroupKind, BTreeSet<String>>,
    /// The uids of owners that are gone for certain: looked for once more after everything that
    /// names them was read, in the namespaces of interest. What has no owner left but these is
    /// about to be garbage-collected.
    pub gone_owners: BTreeSet<String>,
    /// Every claim in the claims namespace, sorted by stack and environment.
    pub claims: Vec<Claim>,
    objects: BTreeSet<Held>,
}

/// An object, found by its key. Worlds that are copies of one another, and what is read out of one,
/// share it.
#[derive(Clone, Debug)]
struct Held(Arc<Object>);

impl Borrow<ObjectKey> for Held {
    fn borrow(&self) -> &ObjectKey {
        &self.0.key
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key.cmp(&other.0.key)
    }
}

impl World {
    /// Adds or replaces an object.
    pub fn insert(&mut self, object: impl Into<Arc<Object>>) {
        self.objects.replace(Held(object.into()));
    }

    /// Removes an object, returning it.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Object> {
        self.objects
            .take(key)
            .map(|held| Arc::unwrap_or_clone(held.0))
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key).map(|held| &*held.0)
    }

    /// All objects, sorted by key.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.shared().map(|object| &**object)
    }

    /// All objects, sorted by key, for whoever keeps some of them.
    pub fn shared(&self) -> impl Iterator<Item = &Arc<Object>> {
        self.objects.iter().map(|held| &held.0)
    }

    /// All objects of a kind, sorted by namespace and name.
    pub fn of_kind<'a>(&'a self, kind: &'a GroupKind) -> impl Iterator<Item = &'a Object> {
        let first = ObjectKey {
            kind: kind.clone(),
            namespace: None,
            name: String::new(),
        };
        self.objects
            .range::<ObjectKey, _>(first..)
            .map(|held| &*held.0)
            .take_while(move |object| object.key.kind == *kind)
    }

    /// All objects in a namespace, sorted by key. Linear in the world: group once where many
    /// namespaces are asked for.
    pub fn in_namespace<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects()
            .filter(move |object| object.key.namespace.as_deref() == Some(namespace))
    }

    /// Whether a kind lives in namespaces: as the cluster serves it, else by the built-in table.
    /// `None` for an unknown kind.
    pub fn is_namespaced(&self, kind: &GroupKind) -> Option<bool> {
        self.kinds
            .get(kind)
            .map(|kind| kind.namespaced)
            .or_else(|| crate::builtin_kind(&kind.group, &kind.kind).map(|row| row.namespaced))
    }

    /// The first reason why objects of `kind` in `namespace` may be missing from this world.
    pub fn unread(&self, kind: &GroupKind, namespace: Option<&str>) -> Option<&Unread> {
        self.unread.iter().find(|unread| {
            unread.covers(kind, namespace) && !self.was_read_all_the_same(unread, namespace)
        })
    }

    /// Every reason why something in `namespace` may be missing from this world.
    pub fn unread_in<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Unread> {
        self.unread.iter().filter(move |unread| {
            unread.covers_namespace(Some(namespace))
                && !self.was_read_all_the_same(unread, Some(namespace))
        })
    }

    /// Whether a failed cluster-wide list was made good in `namespace`.
    fn was_read_all_the_same(&self, unread: &Unread, namespace: Option<&str>) -> bool {
        let (Some(kind), None, Some(namespace)) = (&unread.kind, &unread.namespace, namespace)
        else {
            return false;
        };
        self.partly_read
            .get(kind)
            .is_some_and(|read| read.contains(namespace))
    }

    /// The claim of a stack's environment, by the names as written.
    pub fn claim(&self, stack: &str, environment: &str) -> Option<&Claim> {
        self.claims
            .iter()
            .find(|claim| claim.stack == stack && claim.environment == environment)
    }
}
