//! What Ingresses forward to: connections that an ingress controller must be able to make.

use serde_json::Value;
use underpin_model::{Evidence, GroupKind, PortRef, Protocol, World};
use underpin_refs::namespace_of;

use crate::{
    question::{Endpoint, Question, Target},
    read::backends,
};

/// One backend of an Ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The Ingress and the field that says so.
    pub evidence: Evidence,
    /// What the ingress controller must be able to reach.
    pub question: Question,
}

/// The backends of all Ingresses, sorted by Ingress.
pub(crate) fn entries(world: &World) -> Vec<Entry> {
    let mut entries = Vec::new();
    for kind in [
        GroupKind::new("networking.k8s.io", "Ingress"),
        GroupKind::new("extensions", "Ingress"),
    ] {
        for object in world.of_kind(&kind) {
            for backend in backends(object) {
                let Some(port) = port(&backend.port) else {
                    continue;
                };
                let note = format!("forwards to Service {}", backend.service);
                entries.push(Entry {
                    evidence: object.evidence(backend.path, note),
                    question: Question {
                        from: Endpoint::IngressController,
                        to: Target::Service {
                            namespace: namespace_of(&object.key).to_owned(),
                            name: backend.service,
                        },
                        protocol: Protocol::Tcp,
                        port,
                    },
                });
            }
        }
    }
    entries
}

/// A port by number, or by name; old Ingresses may write a number as a text.
fn port(value: &Value) -> Option<PortRef> {
    match value {
        Value::String(name) => Some(match name.parse() {
            Ok(number) => PortRef::Number(number),
            Err(_) => PortRef::Name(name.clone()),
        }),
        value => u16::try_from(value.as_u64()?).ok().map(PortRef::Number),
    }
}
