//! What watches tell of the world, and which deletions were seen. Pure: times are handed in.

use std::collections::BTreeMap;

use underpin_model::{Claim, GroupKind, ObjectKey, Unread, World};
use underpin_route::{EdgeObject, EdgeObjects, Remembered, may_ask};

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
    Listed(GroupKind, Vec<EdgeObject>),
    /// One is there, or is there in another form.
    Set(EdgeObject),
    /// One was deleted; in its last form.
    Deleted(EdgeObject),
    /// A kind cannot be read, and why.
    Unread(GroupKind, String),
    /// It can be read on.
    ReadOn(GroupKind),
}

/// The world, and what was seen of what is gone.
#[derive(Debug)]
pub struct Seen {
    /// Without objects.
    world: World,
    objects: EdgeObjects,
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
            objects: EdgeObjects::default(),
            unread: kinds.into_iter().map(|kind| (kind, reason())).collect(),
            deleted: BTreeMap::new(),
            taken_down: BTreeMap::new(),
        }
    }

    /// Takes in what a watch tells. Whether there may be something to do.
    pub fn take(&mut self, told: Told, now: u64) -> bool {
        match told {
            Told::Listed(kind, objects) => {
                self.objects.set_all(&kind, objects);
                self.unread.remove(&kind);
                true
            }
            Told::Set(object) => self.objects.set(object),
            Told::Deleted(object) => {
                let asks = may_ask(&object.key().kind);
                if let Some(uid) = object.uid().filter(|_| asks) {
                    self.deleted.insert(uid.to_owned(), now);
                    self.forget();
                }
                // What was lost before has a cause now.
                self.objects.remove(object.key()) || asks
            }
            Told::Unread(kind, why) => self.unread.insert(kind, why).is_none(),
            Told::ReadOn(kind) => self.unread.remove(&kind).is_some(),
        }
    }

    /// One object.
    pub(crate) fn object(&self, key: &ObjectKey) -> Option<&EdgeObject> {
        self.objects.get(key)
    }

    /// What is observed of the cluster; `unread` is what could not be read of what is no object.
    pub fn observed(&mut self, unread: Option<String>) -> Observed<'_> {
        let kinds = self.unread.iter().map(|(kind, reason)| Unread {
            kind: Some(kind.clone()),
            group: String::new(),
            namespace: None,
            reason: reason.clone(),
        });
        self.world.unread = kinds.collect();
        Observed {
            world: &self.world,
            objects: &self.objects,
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
        let claims = &self.world.claims;
        remembered.learn(&self.deleted, &self.taken_down, claims, &self.objects);
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Object, Origin};
    use underpin_route::Settings;

    use super::*;

    fn object(value: serde_json::Value) -> EdgeObject {
        let object = Object::from_value(value, Depth::Full, Origin::Live).unwrap();
        EdgeObject::of(&object, &Settings::default())
    }

    fn service(name: &str, uid: &str, version: &str, port: u16) -> EdgeObject {
        object(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": "shop", "uid": uid,
                "resourceVersion": version, "managedFields": [{}]},
            "spec": {"ports": [{"port": port}]}, "status": {"loadBalancer": {}}}))
    }

    fn unread(seen: &mut Seen) -> usize {
        seen.observed(None).world.unread.len()
    }

    fn known(seen: &Seen) -> usize {
        seen.objects.iter().count()
    }

    fn kind() -> GroupKind {
        GroupKind::core("Service")
    }

    /// R3.2: what is gone from a list was not seen to be deleted.
    #[test]
    fn a_deletion_is_what_a_watch_tells_and_not_what_a_list_lacks() {
        let mut seen = Seen::new([kind()]);
        assert_eq!(unread(&mut seen), 1);
        let both = vec![service("one", "u1", "1", 80), service("two", "u2", "2", 80)];
        assert!(seen.take(Told::Listed(kind(), both), 1));
        assert_eq!((unread(&mut seen), known(&seen)), (0, 2));
        let deleted = || Told::Deleted(service("one", "u1", "1", 80));
        assert!(seen.take(deleted(), 5));
        assert!(seen.take(Told::Listed(kind(), Vec::new()), 6));
        assert_eq!(known(&seen), 0);
        // Who does not write yet may have to know it later.
        for _ in 0..2 {
            assert_eq!(*seen.deleted(), [("u1".to_owned(), 5)].into());
        }
    }

    #[test]
    fn of_many_deletions_the_newest_are_remembered() {
        let mut seen = Seen::new([]);
        for number in 0..=DELETIONS as u64 {
            let deleted = service("one", &format!("u{number}"), "1", 80);
            seen.take(Told::Deleted(deleted), number);
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
    fn what_the_edge_does_not_look_at_is_no_change() {
        let mut seen = Seen::new([kind()]);
        seen.take(Told::Listed(kind(), vec![service("one", "u1", "1", 80)]), 1);
        assert!(!seen.take(Told::Set(service("one", "u1", "9", 80)), 2));
        assert!(seen.take(Told::Set(service("one", "u1", "10", 81)), 2));
        assert!(seen.take(Told::Set(service("two", "u2", "11", 81)), 2));
        assert_eq!(known(&seen), 2);
    }

    #[test]
    fn of_slices_what_is_ready_counts() {
        let slice = |address: &str, ready: bool| {
            object(
                json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"name": "one", "namespace": "shop",
                    "labels": {"kubernetes.io/service-name": "web"}},
                "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}]}),
            )
        };
        let kind = GroupKind::new("discovery.k8s.io", "EndpointSlice");
        let mut seen = Seen::new([kind.clone()]);
        seen.take(Told::Listed(kind.clone(), vec![slice("10.0.0.1", true)]), 1);
        assert!(!seen.take(Told::Set(slice("10.0.0.2", true)), 2));
        assert!(seen.take(Told::Set(slice("10.0.0.2", false)), 3));
        assert!(seen.take(Told::Deleted(slice("10.0.0.2", false)), 4));
        assert!(!seen.take(Told::Deleted(slice("10.0.0.2", false)), 4));
        assert!(seen.take(Told::Set(slice("10.0.0.2", false)), 5));
        seen.take(Told::Listed(kind, Vec::new()), 6);
        assert!(!seen.take(Told::Deleted(slice("10.0.0.2", false)), 7));
        assert_eq!(known(&seen), 0);
    }

    #[test]
    fn what_cannot_be_read_for_a_while_stays_as_it_was() {
        let mut seen = Seen::new([kind()]);
        seen.take(Told::Listed(kind(), vec![service("one", "u1", "1", 80)]), 1);
        assert!(seen.take(Told::Unread(kind(), "connection refused".into()), 2));
        assert!(!seen.take(Told::Unread(kind(), "connection refused".into()), 3));
        assert_eq!((unread(&mut seen), known(&seen)), (1, 1));
        assert!(seen.take(Told::ReadOn(kind()), 4));
        assert!(!seen.take(Told::ReadOn(kind()), 4));
        assert_eq!(unread(&mut seen), 0);
    }
}
