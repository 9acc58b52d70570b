//! The whole cluster as a value.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use underpin_model::GroupKind;

use crate::{Kind, kind::Kinds, object};

/// What a cluster is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of every uid and every other random choice.
    pub seed: u64,
    /// The time at the beginning.
    pub begin: Timestamp,
    /// Events kept for watches; older ones are `410 Expired`.
    pub watch_history: usize,
    /// Whether requests are authorised by RBAC; without it everybody may do everything.
    pub rbac: bool,
    /// Nodes that exist at the beginning: names and pod slots.
    pub nodes: Vec<(String, u32)>,
    /// How long controllers take to react: pods to become ready, a namespace to go.
    pub latency: Duration,
    /// The authority's certificate (PEM), as every namespace's `kube-root-ca.crt` shows it. Empty
    /// in process, where nothing is encrypted.
    pub root_certificate: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            begin: Timestamp::UNIX_EPOCH,
            watch_history: 1_000,
            rbac: false,
            nodes: vec![("node-1".to_owned(), 110)],
            latency: Duration::from_secs(1),
            root_certificate: String::new(),
        }
    }
}

/// Namespace (empty for cluster-scoped objects) and name.
pub(crate) type Name = (String, String);

/// The objects of one kind.
pub(crate) type Objects = Arc<BTreeMap<Name, Arc<Value>>>;

/// One change, for watches.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) kind: GroupKind,
    /// What was there before, if anything.
    pub(crate) before: Option<Arc<Value>>,
    /// What is there now; what was deleted, at its last revision, if `deleted`.
    pub(crate) object: Arc<Value>,
    pub(crate) deleted: bool,
}

/// A cluster at a moment. Cloning forks it, at the cost of a few pointers a kind.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) config: Arc<Config>,
    pub(crate) now: Timestamp,
    pub(crate) kinds: Kinds,
    objects: BTreeMap<GroupKind, Objects>,
    revision: u64,
    /// Number of random draws so far.
    draws: u64,
    /// Shared one by one: a fork that writes copies pointers, not changes.
    changes: Arc<VecDeque<Arc<Change>>>,
    /// Work of controllers, by the time when it falls due and the order in which it was asked for.
    pub(crate) work: crate::controllers::Queue,
    /// Who names whom as an owner.
    pub(crate) dependents: crate::lifecycle::Dependents,
    /// Which addresses and node ports Services have.
    pub(crate) service_allocations: crate::lifecycle::ServiceAllocations,
    /// Addresses that pods were given so far.
    pub(crate) pod_addresses: u32,
    /// Lists that are being paged, as they were when their first page was read.
    pub(crate) pages: crate::handle::list::Pages,
}

impl State {
    /// A fresh cluster: system namespaces, nodes, what Kubernetes itself puts there.
    pub fn new(config: Config) -> Self {
        let mut state = Self {
            now: config.begin,
            kinds: crate::kind_table::builtin_kinds(),
            objects: BTreeMap::new(),
            revision: 1,
            draws: 0,
            changes: Arc::default(),
            work: crate::controllers::Queue::default(),
            dependents: crate::lifecycle::Dependents::default(),
            service_allocations: crate::lifecycle::ServiceAllocations::default(),
            pod_addresses: 0,
            pages: crate::handle::list::Pages::default(),
            config: Arc::new(config),
        };
        crate::controllers::bootstrap(&mut state);
        state
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// When the next work of a controller falls due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.work.next_due()
    }

    /// Lets time pass: controllers do what falls due until then, in order. Time never goes back.
    pub fn advance_to(&mut self, time: Timestamp) {
        crate::controllers::advance(self, time);
    }

    /// Every object, by kind, namespace and name: for tests and snapshots.
    pub fn all(&self) -> impl Iterator<Item = (&GroupKind, &Arc<Value>)> {
        self.objects
            .iter()
            .flat_map(|(kind, objects)| objects.values().map(move |object| (kind, object)))
    }

    pub(crate) fn objects(&self, kind: &GroupKind) -> Objects {
        self.objects.get(kind).cloned().unwrap_or_default()
    }

    /// One object. `namespace` is empty for cluster-scoped ones.
    pub fn get(&self, kind: &GroupKind, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        let objects = self.objects.get(kind)?;
        objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Stores an object as it is, with a new resourceVersion, tells watches and controllers.
    /// Nothing is defaulted or validated here. The name is the object's own.
    pub(crate) fn put(&mut self, kind: &Kind, mut value: Value) -> Arc<Value> {
        self.revision += 1;
        if let Some(metadata) = value.get_mut("metadata") {
            metadata["resourceVersion"] = json!(self.revision.to_string());
        }
        let name = (
            object::namespace(&value).to_owned(),
            object::name(&value).to_owned(),
        );
        let value = Arc::new(value);
        let objects = self.objects.entry(kind.kind.clone()).or_default();
        let before = Arc::make_mut(objects).insert(name, value.clone());
        self.record(kind, before, value.clone(), false);
        value
    }

    /// Removes an object for good, finalizers or not. Its last state carries the new revision.
    pub(crate) fn erase(&mut self, kind: &Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let objects = self.objects.get_mut(&kind.kind)?;
        let name = (namespace.to_owned(), name.to_owned());
        let before = Arc::make_mut(objects).remove(&name)?;
        self.revision += 1;
        let mut last = before.as_ref().clone();
        last["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let last = Arc::new(last);
        self.record(kind, Some(before), last.clone(), true);
        Some(last)
    }

    fn record(
        &mut self,
        kind: &Kind,
        before: Option<Arc<Value>>,
        object: Arc<Value>,
        deleted: bool,
    ) {
        let change = Change {
            revision: self.revision,
            kind: kind.kind.clone(),
            before,
            object,
            deleted,
        };
        crate::lifecycle::observe(self, &change);
        crate::controllers::observe(self, &change);
        if self.config.watch_history > 0 {
            let changes = Arc::make_mut(&mut self.changes);
            changes.push_back(Arc::new(change));
            if changes.len() > self.config.watch_history {
                changes.pop_front();
            }
        }
    }

    /// The changes after a revision, oldest first; `None` if they are not all kept any more.
    pub(crate) fn changes_after(&self, revision: u64) -> Option<impl Iterator<Item = &Change>> {
        let complete = match self.changes.front() {
            Some(first) => first.revision <= revision + 1,
            None => revision >= self.revision,
        };
        let begin = self
            .changes
            .partition_point(|change| change.revision <= revision);
        (complete || begin > 0).then(|| self.changes.range(begin..).map(Arc::as_ref))
    }

    /// A fork for what is not to be persisted: its uids are none that will ever be used.
    pub(crate) fn rehearsal(&self) -> Self {
        let mut fork = self.clone();
        fork.draws ^= 1 << 63;
        fork
    }

    /// The next random number: a function of the seed and of how many were drawn (SplitMix64).
    pub(crate) fn random(&mut self) -> u64 {
        self.draws += 1;
        let mut z = self
            .config
            .seed
            .wrapping_add(self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A uid in the form of an RFC 4122 version 4 UUID.
    pub(crate) fn new_uid(&mut self) -> String {
        let (a, b) = (self.random(), self.random());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((b >> 48) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }
}
