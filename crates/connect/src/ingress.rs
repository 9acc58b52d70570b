//! What Ingresses forward to: connections that an ingress controller must be able to make.

use underpin_model::{Evidence, GroupKind, Object, Protocol, World};
use underpin_refs::{IngressBackend, ingress_rules};

use crate::{
    inventory::namespace_of,
    question::{Endpoint, Question, Target},
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
                let note = format!("forwards to Service {}", backend.service);
                entries.push(Entry {
                    evidence: object.evidence(backend.at, note),
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

/// Every backend of an Ingress, the default one first.
fn backends(object: &Object) -> impl Iterator<Item = IngressBackend> {
    let rules = ingress_rules(object).unwrap_or_default();
    let paths = rules.rules.into_iter().flat_map(|rule| rule.paths);
    let of_paths = paths.filter_map(|path| path.backend.ok());
    rules.default_backend.into_iter().chain(of_paths)
}
