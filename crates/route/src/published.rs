//! What was published last, as far as decisions need it.

use std::{collections::BTreeMap, sync::Arc};

use underpin_model::{ObjectKey, Owner};

use crate::table::{RouteKey, RoutingTable};

/// Whose entry served a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The object.
    pub object: Arc<ObjectKey>,
    /// Its identity.
    pub uid: Option<Arc<str>>,
    /// The claim that recorded it.
    pub owner: Option<Owner>,
}

/// The keys that were published last, each with whose entry served it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Counts publications, from 1; 0 when there was none.
    pub generation: u64,
    /// Who served what.
    pub holders: BTreeMap<RouteKey, Holder>,
}

impl Published {
    /// What is published with this table alone.
    pub fn of(generation: u64, table: &RoutingTable) -> Self {
        let holders = table.routes.iter().map(|(key, route)| {
            let holder = Holder {
                object: route.source.object.clone(),
                uid: route.source.uid.clone(),
                owner: route.source.owner.clone(),
            };
            (key.clone(), holder)
        });
        Self {
            generation,
            holders: holders.collect(),
        }
    }
}
