//! What Ingresses forward to: connections that an ingress controller must be able to make.

use underpin_model::{Evidence, GroupKind, Protocol, World};
use underpin_refs::{ingress_backends, namespace_of};

use crate::question::{Endpoint, Question, Target};

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
            for backend in ingress_backends(object) {
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
                        port: backend.port,
                    },
                });
            }
        }
    }
    entries
}
