//! The world as watches tell it, and which deletions were seen. Pure: times are handed in.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use underpin_cluster::Change;
use underpin_model::{GroupKind, Object, ObjectKey, Unread, World};

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
    unread: BTreeMap<GroupKind, String>,
    /// Deletions by uid, and when; to be taken over by [`Self::deletions`].
    deleted: BTreeMap<String, u64>,
}

impl Seen {
    /// A world of which none of these kinds has been read.
    pub fn new(kinds: impl IntoIterator<Item = GroupKind>) -> Self {
        let reason = || "it has not been read yet".to_owned();
        Self {
            world: World::default(),
            unread: kinds.into_iter().map(|kind| (kind, reason())).collect(),
            deleted: BTreeMap::new(),
        }
    }

    /// Takes in what a watch tells. Whether there may be something to do.
    pub fn take(&mut self, told: Told, now: u64) -> bool {
        match told {
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
                if let Some(uid) = object.uid() {
                    self.deleted.insert(uid.to_owned(), now);
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

    /// Deletions that were seen since this was last called.
    pub fn deletions(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.deleted)
    }
}

/// An object without what the edge never looks at: most of what a cluster of thousands of Services
/// would take of memory, and what changes most often.
fn trimmed(mut object: Object) -> Object {
    let kind = object.key.kind.kind.clone();
    let value = Arc::make_mut(&mut object.value);
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    let Some(fields) = value.as_object_mut() else {
        return object;
    };
    match kind.as_str() {
        "Namespace" => fields.retain(|name, _| IDENTITY.contains(&name.as_str())),
        "EndpointSlice" => {
            fields.remove("ports");
            let endpoints = fields.get_mut("endpoints").and_then(Value::as_array_mut);
            for endpoint in endpoints.into_iter().flatten() {
                if let Some(endpoint) = endpoint.as_object_mut() {
                    endpoint.retain(|name, _| name == "conditions");
                }
            }
        }
        _ => {
            fields.remove("status");
        }
    }
    object
}

const IDENTITY: [&str; 3] = ["apiVersion", "kind", "metadata"];

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
        assert_eq!(seen.deletions(), [("u1".to_owned(), 5)].into());
        assert!(seen.deletions().is_empty());
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
