//! The world as watches tell it, and which deletions were seen. Pure: times are handed in.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use underpin_cluster::Change;
use underpin_model::{Claim, GroupKind, Object, ObjectKey, Unread, World, names};
use underpin_route::{ReadyEndpoints, Remembered, endpoint_slices, may_ask};

use crate::Observed;

/// How many deletions are remembered.
const DELETIONS: usize = 10_000;

/// The claims, and what `down`s took.
#[derive(Clone, Debug, Default)]
pub struct ClaimsRead {
    /// Every claim.
    pub claims: Vec<Claim>,
    /// What `down`s took, by uid and when.
    pub taken_down: BTreeMap<String, u64>,
}

/// What a watch has to say.
#[derive(Clone, Debug)]
pub enum Told {
    /// Every object of a kind.
    Listed(GroupKind, Vec<Object>),
    /// One changed.
    Changed(Change),
    /// A kind cannot be read, and why.
    Unread(GroupKind, String),
    /// It can be read on.
    ReadOn(GroupKind),
}

/// The world, and what was seen of what is gone.
#[derive(Debug)]
pub struct Seen {
    world: World,
    /// What EndpointSlices say, which are not in the world.
    ready: ReadyEndpoints,
    unread: BTreeMap<GroupKind, String>,
    /// Deletions by uid, and when. Kept until there are many: who does not write yet may have to tell
    /// later why something is gone.
    deleted: BTreeMap<String, u64>,
    /// What `down`s took, by uid and when.
    taken_down: BTreeMap<String, u64>,
}

impl Seen {
    /// A world of which none of these kinds has been read.
    pub fn new(kinds: impl IntoIterator<Item = GroupKind>) -> Self {
        let reason = || "it has not been read yet".to_owned();
        Self {
            world: World::default(),
            ready: ReadyEndpoints::default(),
            unread: kinds.into_iter().map(|kind| (kind, reason())).collect(),
            deleted: BTreeMap::new(),
            taken_down: BTreeMap::new(),
        }
    }

    /// Takes in what a watch tells. Whether there may be something to do.
    pub fn take(&mut self, told: Told, now: u64) -> bool {
        match told {
            Told::Listed(kind, objects) if kind == endpoint_slices() => {
                self.ready = ReadyEndpoints::default();
                for slice in &objects {
                    self.ready.set(slice);
                }
                self.unread.remove(&kind);
                true
            }
            Told::Changed(Change::Set(slice)) if slice.key.kind == endpoint_slices() => {
                self.ready.set(&slice)
            }
            Told::Changed(Change::Deleted(slice)) if slice.key.kind == endpoint_slices() => {
                self.ready.remove(&slice.key)
            }
            Told::Listed(kind, objects) => {
                let gone: Vec<ObjectKey> = self
                    .world
                    .of_kind(&kind)
                    .map(|object| object.key.clone())
                    .collect();
                for key in gone {
                    self.world.remove(&key);
                }
                for object in objects {
                    self.world.insert(trimmed(object));
                }
                self.unread.remove(&kind);
                true
            }
            Told::Changed(Change::Set(object)) => {
                let object = trimmed(object);
                let before = self.world.get(&object.key);
                let differs = before.is_none_or(|before| before.value != object.value);
                if differs {
                    self.world.insert(object);
                }
                differs
            }
            Told::Changed(Change::Deleted(object)) => {
                if let Some(uid) = object.uid().filter(|_| may_ask(&object.key.kind)) {
                    self.deleted.insert(uid.to_owned(), now);
                    self.forget();
                }
                self.world.remove(&object.key);
                true
            }
            Told::Unread(kind, why) => self.unread.insert(kind, why).is_none(),
            Told::ReadOn(kind) => self.unread.remove(&kind).is_some(),
        }
    }

    /// The world, with what of it cannot be read.
    pub fn world(&mut self) -> &mut World {
        let unread = self.unread.iter().map(|(kind, reason)| Unread {
            kind: Some(kind.clone()),
            group: String::new(),
            namespace: None,
            reason: reason.clone(),
        });
        self.world.unread = unread.collect();
        &mut self.world
    }

    /// What is observed of the cluster; `unread` is what could not be read of what is no object.
    pub fn observed(&mut self, unread: Option<String>) -> Observed<'_> {
        self.world();
        Observed {
            world: &self.world,
            ready: &self.ready,
            unread,
        }
    }

    /// Takes in the claims, and what `down`s took. Whether there may be something to do: a lock that is
    /// renewed is no change.
    pub fn take_claims(&mut self, read: ClaimsRead) -> bool {
        let whose = |claims: &[Claim]| -> Vec<_> {
            let each = claims.iter().map(|claim| {
                let entries: Vec<_> = claim
                    .entries
                    .values()
                    .map(|one| (one.key.clone(), one.uid.clone(), one.nonce.clone()))
                    .collect();
                (claim.id.clone(), entries)
            });
            each.collect()
        };
        let differs =
            whose(&self.world.claims) != whose(&read.claims) || self.taken_down != read.taken_down;
        self.world.claims = read.claims;
        self.taken_down = read.taken_down;
        differs
    }

    /// Tells what was seen of objects that are gone.
    pub fn teach(&self, remembered: &mut Remembered) {
        remembered.learn(&self.deleted, &self.taken_down, &self.world);
    }

    /// Deletions that were seen, by uid and when.
    #[cfg(test)]
    fn deleted(&self) -> &BTreeMap<String, u64> {
        &self.deleted
    }

    /// What `down`s took, by uid and when.
    #[cfg(test)]
    fn taken_down(&self) -> &BTreeMap<String, u64> {
        &self.taken_down
    }

    /// Half of what there is goes, the oldest, so that this is done seldom.
    fn forget(&mut self) {
        if self.deleted.len() <= DELETIONS {
            return;
        }
        let mut times: Vec<u64> = self.deleted.values().copied().collect();
        times.sort_unstable();
        let oldest = times.get(times.len() / 2).copied().unwrap_or_default();
        self.deleted.retain(|_, at| *at > oldest);
    }
}

/// An object of a list without what the edge never looks at. Of EndpointSlices, that is what is read before
/// they are forgotten.
pub(crate) fn listed(mut object: Object) -> Object {
    if object.key.kind != endpoint_slices() {
        return trimmed(object);
    }
    let value = Arc::make_mut(&mut object.value);
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| name == "labels");
    }
    let endpoints = value.get_mut("endpoints").and_then(Value::as_array_mut);
    for endpoint in endpoints.into_iter().flatten() {
        if let Some(endpoint) = endpoint.as_object_mut() {
            endpoint.retain(|name, _| name == "conditions");
        }
    }
    object
}

/// An object without what the edge never looks at: most of what a cluster of thousands of Services
/// would take of memory, and what changes most often.
fn trimmed(mut object: Object) -> Object {
    let kind = object.key.kind.kind.clone();
    let value = Arc::make_mut(&mut object.value);
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| METADATA.contains(&name.as_str()));
        let annotations = metadata.get_mut("annotations");
        if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
            // It holds the whole object once more.
            annotations.remove(names::LAST_APPLIED_ANNOTATION);
        }
    }
    let Some(fields) = value.as_object_mut() else {
        return object;
    };
    match kind.as_str() {
        "Namespace" => fields.retain(|name, _| IDENTITY.contains(&name.as_str())),
        "Service" => {
            fields.remove("status");
            let spec = fields.get_mut("spec").and_then(Value::as_object_mut);
            if let Some(spec) = spec {
                spec.retain(|name, _| !OF_THE_NETWORK.contains(&name.as_str()));
            }
        }
        _ => {
            fields.remove("status");
        }
    }
    object
}

const IDENTITY: [&str; 3] = ["apiVersion", "kind", "metadata"];
/// What of metadata says who an object is, how old, and what it asks for.
const METADATA: [&str; 6] = [
    "annotations",
    "creationTimestamp",
    "deletionTimestamp",
    "name",
    "namespace",
    "uid",
];
/// What of a Service is the network's business.
const OF_THE_NETWORK: [&str; 5] = [
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
    "selector",
    "sessionAffinity",
];

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    fn service(name: &str, uid: &str, port: u16) -> Object {
        let value = json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "shop", "uid": uid,
                "resourceVersion": uid, "managedFields": [{}]},
            "spec": {"ports": [{"port": port}]}, "status": {"loadBalancer": {}}});
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn kind() -> GroupKind {
        GroupKind::core("Service")
    }

    /// R3.2: what is gone from a list was not seen to be deleted.
    #[test]
    fn a_deletion_is_what_a_watch_tells_and_not_what_a_list_lacks() {
        let mut seen = Seen::new([kind()]);
        assert!(seen.world().unread(&kind(), None).is_some());
        let both = vec![service("one", "u1", 80), service("two", "u2", 80)];
        assert!(seen.take(Told::Listed(kind(), both), 1));
        assert!(seen.world().unread(&kind(), None).is_none());
        assert_eq!(seen.world().objects().count(), 2);
        let deleted = Change::Deleted(service("one", "u1", 80));
        assert!(seen.take(Told::Changed(deleted), 5));
        assert!(seen.take(Told::Listed(kind(), Vec::new()), 6));
        assert_eq!(seen.world().objects().count(), 0);
        // Who does not write yet may have to know it later.
        for _ in 0..2 {
            assert_eq!(*seen.deleted(), [("u1".to_owned(), 5)].into());
        }
    }

    #[test]
    fn of_many_deletions_the_newest_are_remembered() {
        let mut seen = Seen::new([]);
        for number in 0..=DELETIONS as u64 {
            let deleted = Change::Deleted(service("one", &format!("u{number}"), 80));
            seen.take(Told::Changed(deleted), number);
        }
        let left = seen.deleted();
        assert!(left.len() < DELETIONS && left.contains_key(&format!("u{DELETIONS}")));
        assert!(!left.contains_key("u0"));
    }

    /// A run renews its lock every few seconds.
    #[test]
    fn a_lock_that_is_renewed_is_no_change() {
        let mut seen = Seen::new([]);
        let claim = Claim::new(underpin_model::ClaimId("c".to_owned()), "shop", "test", "u");
        let read = |version: &str| ClaimsRead {
            claims: vec![Claim {
                resource_version: version.to_owned(),
                ..claim.clone()
            }],
            ..ClaimsRead::default()
        };
        assert!(seen.take_claims(read("1")));
        assert!(!seen.take_claims(read("2")));
        let taken_down: BTreeMap<String, u64> = [("u1".to_owned(), 1)].into();
        let read = ClaimsRead {
            taken_down: taken_down.clone(),
            ..read("2")
        };
        assert!(seen.take_claims(read));
        assert_eq!(*seen.taken_down(), taken_down);
    }

    #[test]
    fn what_the_edge_does_not_look_at_is_no_change_and_takes_no_memory() {
        let mut seen = Seen::new([kind()]);
        seen.take(Told::Listed(kind(), vec![service("one", "u1", 80)]), 1);
        let mut other = service("one", "u1", 80);
        Arc::make_mut(&mut other.value)["metadata"]["resourceVersion"] = json!("9");
        assert!(!seen.take(Told::Changed(Change::Set(other)), 2));
        let other = service("one", "u1", 81);
        assert!(seen.take(Told::Changed(Change::Set(other)), 2));
        let kept = seen.world().objects().next().unwrap();
        assert!(kept.at("/status").is_none() && kept.at("/metadata/managedFields").is_none());
    }

    #[test]
    fn of_listed_slices_is_kept_what_says_what_is_ready() {
        let value = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "one", "namespace": "shop", "managedFields": [{}],
                "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}},
                {"addresses": ["10.0.0.2"], "conditions": {"ready": false}}]});
        let slice = Object::from_value(value, Depth::Full, Origin::Live).unwrap();
        let kept = listed(slice.clone());
        assert!(!kept.value.to_string().contains("10.0.0.1"));
        let (mut seen, mut whole) = (Seen::new([]), Seen::new([]));
        seen.take(Told::Listed(endpoint_slices(), vec![kept]), 1);
        whole.take(Told::Listed(endpoint_slices(), vec![slice]), 1);
        assert_eq!(seen.observed(None).ready, whole.observed(None).ready);
        assert_ne!(*seen.observed(None).ready, ReadyEndpoints::default());
        assert_eq!(seen.world().objects().count(), 0);
    }

    #[test]
    fn what_cannot_be_read_for_a_while_stays_as_it_was() {
        let mut seen = Seen::new([kind()]);
        seen.take(Told::Listed(kind(), vec![service("one", "u1", 80)]), 1);
        assert!(seen.take(Told::Unread(kind(), "connection refused".into()), 2));
        assert!(!seen.take(Told::Unread(kind(), "connection refused".into()), 3));
        assert_eq!(seen.world().unread.len(), 1);
        assert_eq!(seen.world().objects().count(), 1);
        assert!(seen.take(Told::ReadOn(kind()), 4));
        assert!(!seen.take(Told::ReadOn(kind()), 4));
        assert!(seen.world().unread.is_empty());
    }
}
