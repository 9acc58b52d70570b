//! The index of what the cluster has given to Services: addresses and node ports.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use crate::{object, state::Change};

/// Addresses and node ports that are taken. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceAllocations(Arc<Taken>);

#[derive(Clone, Debug, Default)]
struct Taken {
    addresses: BTreeSet<String>,
    ports: BTreeSet<u64>,
}

impl ServiceAllocations {
    /// Whether a Service has this address.
    pub(crate) fn has_address(&self, address: &str) -> bool {
        self.0.addresses.contains(address)
    }

    /// Whether a Service has this node port.
    pub(crate) fn has_port(&self, port: u64) -> bool {
        self.0.ports.contains(&port)
    }

    /// Follows one change.
    pub(super) fn observe(&mut self, change: &Change) {
        if !change.kind.is("", "Service") {
            return;
        }
        let before = change.before.as_deref().map(given).unwrap_or_default();
        let after = if change.deleted {
            Given::default()
        } else {
            given(&change.object)
        };
        if before == after {
            return;
        }
        let taken = Arc::make_mut(&mut self.0);
        taken.addresses.remove(&before.address);
        taken.addresses.insert(after.address);
        for port in before.ports {
            taken.ports.remove(&port);
        }
        taken.ports.extend(after.ports);
    }
}

/// What one Service has.
#[derive(Default, PartialEq, Eq)]
struct Given {
    /// Empty if none.
    address: String,
    ports: BTreeSet<u64>,
}

fn given(service: &Value) -> Given {
    let ports = service.pointer("/spec/ports").and_then(Value::as_array);
    let number = |port: &Value| port.get("nodePort").and_then(Value::as_u64);
    Given {
        address: object::text(service, "/spec/clusterIP").to_owned(),
        ports: ports.into_iter().flatten().filter_map(number).collect(),
    }
}
