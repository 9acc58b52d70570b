//! Owners that are gone for certain.
//!
//! A world is no snapshot: its lists are taken one beside the other. An owner that it does not hold
//! may be gone, and may as well have been made between the list of its kind and the list of its
//! dependents. Since an owner is always made before what names it, a second look, after the
//! dependents were read, tells both apart: what is not there then was deleted.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::JoinSet;
use underpin_model::{GroupKind, World};

use crate::{Cluster, ClusterError};

/// Kinds and namespaces that are looked at again. Whoever has more owners missing is told of
/// dependents that still count: safe, and to be judged again once they are collected.
const LOOK_LIMIT: usize = 50;

impl Cluster {
    /// The uids of owners that objects in `namespaces` name, that the world does not hold, and that
    /// are not there on a second look either. What cannot be looked at is left out: unknown is not
    /// gone.
    pub(crate) async fn gone_owners(
        &self,
        world: &World,
        namespaces: &[String],
    ) -> BTreeSet<String> {
        let mut looks = JoinSet::new();
        for ((kind, namespace), missing) in missing(world, namespaces).into_iter().take(LOOK_LIMIT)
        {
            let Some(kind) = world.kinds.get(&kind).filter(|kind| kind.listable) else {
                continue;
            };
            let namespace = kind.namespaced.then_some(namespace);
            let (cluster, kind) = (self.clone(), kind.clone());
            looks.spawn(async move {
                let objects = cluster.list_metadata(&kind, namespace.as_deref()).await?;
                let there: BTreeSet<&str> = objects.iter().filter_map(|one| one.uid()).collect();
                let mut gone = missing;
                gone.retain(|uid| !there.contains(uid.as_str()));
                Ok::<_, ClusterError>(gone)
            });
        }
        let mut gone = BTreeSet::new();
        while let Some(looked) = looks.join_next().await {
            if let Ok(Ok(uids)) = looked {
                gone.extend(uids);
            }
        }
        gone
    }
}

/// The uids of owners that the world does not hold, by kind and namespace of their dependents.
fn missing(
    world: &World,
    namespaces: &[String],
) -> BTreeMap<(GroupKind, String), BTreeSet<String>> {
    let there: BTreeSet<&str> = world.objects().filter_map(|object| object.uid()).collect();
    let mut missing: BTreeMap<(GroupKind, String), BTreeSet<String>> = BTreeMap::new();
    for object in world.objects() {
        let Some(namespace) = object.key.namespace.as_ref() else {
            continue;
        };
        if !namespaces.contains(namespace) {
            continue;
        }
        for owner in object.owner_references() {
            if !there.contains(owner.uid.as_str()) {
                let place = (owner.kind, namespace.clone());
                missing.entry(place).or_default().insert(owner.uid);
            }
        }
    }
    missing
}
