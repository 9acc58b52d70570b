//! Reads what is waited for: by lists where many of a kind are, one by one otherwise.

use std::collections::{BTreeMap, BTreeSet};

use underpin_cluster::{Cluster, ClusterError};
use underpin_model::{Depth, GroupKind, Object, ObjectKey, World};

use crate::{StopReason, kinds::Kinds};

/// Objects of a kind in a namespace that are read one by one; of more, all are listed.
const ONE_BY_ONE: usize = 3;
/// All are listed only where at most so many come with each that is waited for.
const ALONG: usize = 8;

/// A kind in a namespace.
type Place = (GroupKind, Option<String>);

/// What was read of an object, or why nothing was.
pub(super) type Seen = Result<Object, String>;

/// Gives the cluster with the time limit of the next request, or why to stop.
pub(super) type Timed<'a> = &'a (dyn Fn() -> Result<Cluster, StopReason> + Send + Sync);

/// Reads live objects again and again.
pub(super) struct Look<'a> {
    timed: Timed<'a>,
    kinds: &'a Kinds,
    /// How many objects there were of each kind and namespace when the plan was made.
    counts: BTreeMap<Place, usize>,
    /// Where lists are refused.
    unlistable: BTreeSet<Place>,
}

impl<'a> Look<'a> {
    pub(super) fn new(timed: Timed<'a>, kinds: &'a Kinds, world: &World) -> Self {
        let mut counts: BTreeMap<Place, usize> = BTreeMap::new();
        for object in world.objects() {
            let place = (object.key.kind.clone(), object.key.namespace.clone());
            *counts.entry(place).or_default() += 1;
        }
        Self {
            timed,
            kinds,
            counts,
            unlistable: BTreeSet::new(),
        }
    }

    /// What these objects are now. One that is gone, or cannot be read, says so.
    pub(super) async fn at(
        &mut self,
        keys: Vec<ObjectKey>,
    ) -> Result<BTreeMap<ObjectKey, Seen>, StopReason> {
        let mut places: BTreeMap<Place, Vec<ObjectKey>> = BTreeMap::new();
        for key in keys {
            let place = (key.kind.clone(), key.namespace.clone());
            places.entry(place).or_default().push(key);
        }
        let mut seen = BTreeMap::new();
        for (place, keys) in places {
            let listed = if self.is_worth_a_list(&place, keys.len()) {
                self.listed(&place).await?
            } else {
                None
            };
            for key in keys {
                let found = match &listed {
                    Some(Ok(all)) => all.get(&key).cloned().ok_or_else(gone),
                    Some(Err(why)) => Err(why.clone()),
                    None => self.one(&key).await?,
                };
                seen.insert(key, found);
            }
        }
        Ok(seen)
    }

    fn is_worth_a_list(&self, place: &Place, wanted: usize) -> bool {
        let count = self.counts.get(place).copied().unwrap_or(0);
        wanted > ONE_BY_ONE && count <= wanted * ALONG && !self.unlistable.contains(place)
    }

    /// All objects of a place; `None` where they may not be listed.
    async fn listed(
        &mut self,
        place: &Place,
    ) -> Result<Option<Result<BTreeMap<ObjectKey, Object>, String>>, StopReason> {
        let (group_kind, namespace) = place;
        let Some(kind) = self.kinds.get(group_kind).filter(|kind| kind.listable) else {
            return Ok(None);
        };
        let cluster = (self.timed)()?;
        Ok(
            match cluster.list(kind, namespace.as_deref(), Depth::Full).await {
                Ok(objects) => Some(Ok(objects
                    .into_iter()
                    .map(|object| (object.key.clone(), object))
                    .collect())),
                Err(ClusterError::Forbidden { .. }) => {
                    self.unlistable.insert(place.clone());
                    None
                }
                Err(error) => Some(Err(error.to_string())),
            },
        )
    }

    async fn one(&self, key: &ObjectKey) -> Result<Seen, StopReason> {
        let Some(kind) = self.kinds.get(&key.kind) else {
            return Ok(Err("the cluster does not serve its kind".to_owned()));
        };
        Ok(match (self.timed)()?.get(kind, key).await {
            Ok(Some(live)) => Ok(live),
            Ok(None) => Err(gone()),
            Err(error) => Err(error.to_string()),
        })
    }
}

fn gone() -> String {
    "it was deleted meanwhile".to_owned()
}
