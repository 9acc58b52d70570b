//! What Ingresses and routes forward to: connections that whatever serves them must be able to make.

use underpin_model::{Evidence, GroupKind, Object, ObjectKey, PortRef, World};
use underpin_refs::{Backend, BackendPort, entrance_backends, namespace_of};

use crate::{
    question::{Endpoint, Question, Target},
    read::{ServicePort, TargetPort, service},
};

/// One backend of an Ingress, of a route of Gateways, or of an OpenShift Route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The Ingress or route, and the field that says so.
    pub evidence: Evidence,
    /// What the ingress controller, or the gateway, must be able to reach.
    pub question: Question,
}

/// The backends of all Ingresses and routes, sorted by object.
pub(crate) fn entries(world: &World) -> Vec<Entry> {
    let mut entries = Vec::new();
    for object in world.objects() {
        for backend in entrance_backends(object) {
            entries.extend(of_backend(world, object, &backend));
        }
    }
    entries
}

fn of_backend(world: &World, object: &Object, backend: &Backend) -> Vec<Entry> {
    let ports = match &backend.port {
        BackendPort::Of(port) => vec![port.clone()],
        BackendPort::To(target) => ports_of(world, backend, |port| leads_to(port, target)),
        BackendPort::All => ports_of(world, backend, |_| true),
    };
    let note = format!("forwards to Service {}", backend.service);
    let entry = |port| Entry {
        evidence: object.evidence(backend.path.clone(), note.clone()),
        question: Question {
            from: Endpoint::IngressController,
            to: Target::Service {
                namespace: backend.namespace.clone(),
                name: backend.service.clone(),
            },
            protocol: backend.protocol,
            port,
        },
    };
    ports.into_iter().map(entry).collect()
}

/// Those ports of the Service behind a backend that are meant.
fn ports_of(
    world: &World,
    backend: &Backend,
    is_meant: impl Fn(&ServicePort) -> bool,
) -> Vec<PortRef> {
    let mut key = ObjectKey {
        kind: GroupKind::core("Service"),
        namespace: Some(backend.namespace.clone()),
        name: backend.service.clone(),
    };
    let found = world.get(&key).or_else(|| {
        // The namespace `default` may be left out.
        key.namespace = None;
        world
            .get(&key)
            .filter(|object| namespace_of(&object.key) == backend.namespace)
    });
    let ports = found
        .map(|object| service(object).ports)
        .unwrap_or_default();
    let meant = ports
        .iter()
        .filter(|port| port.protocol == backend.protocol && is_meant(port));
    meant.map(|port| PortRef::Number(port.port)).collect()
}

/// Whether a Service's port has this name, or leads to this port of the pods.
fn leads_to(own: &ServicePort, target: &PortRef) -> bool {
    match (target, &own.target) {
        (PortRef::Number(asked), TargetPort::Number(number)) => asked == number,
        (PortRef::Name(asked), TargetPort::Name(name)) if asked == name => true,
        (PortRef::Name(asked), _) => own.name.as_ref() == Some(asked),
        (PortRef::Number(_), _) => false,
    }
}
