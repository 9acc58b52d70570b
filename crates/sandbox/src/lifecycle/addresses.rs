//! The index of addresses that Services have.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use crate::{object, state::Change};

/// Addresses that are taken. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceAddresses {
    taken: Arc<BTreeSet<String>>,
}

impl ServiceAddresses {
    /// Whether a Service has this address.
    pub(crate) fn contains(&self, address: &str) -> bool {
        self.taken.contains(address)
    }

    /// Follows one change.
    pub(super) fn observe(&mut self, change: &Change) {
        if !change.kind.is("", "Service") {
            return;
        }
        let address = |service: &Value| object::text(service, "/spec/clusterIP").to_owned();
        let before = change.before.as_deref().map(address).unwrap_or_default();
        let after = if change.deleted {
            String::new()
        } else {
            address(&change.object)
        };
        if before != after {
            let taken = Arc::make_mut(&mut self.taken);
            taken.remove(&before);
            taken.insert(after);
        }
    }
}
