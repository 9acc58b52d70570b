//! What Ingresses and routes forward to: connections that whatever serves them must be able to make.

use serde_json::Value;
use underpin_model::{Evidence, Object, ObjectKey, PortRef, World};

use crate::{
    inventory::namespace_of,
    question::{Endpoint, Question, Target},
    read::{Backend, BackendPort, ServicePort, TargetPort, entrances, service},
};

/// One backend of an Ingress, of a route of Gateways, or of an OpenShift Route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The Ingress or route, and the field that says so.
    pub evidence: Evidence,
    /// What the ingress controller, or the gateway, must be able to reach.
    pub question: Question,
}

/// The backends of all Ingresses and routes, by kind and then sorted by object.
pub(crate) fn entries(world: &World) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (kind, backends) in entrances() {
        for object in world.of_kind(&kind) {
            for backend in backends(object) {
                entries.extend(of_backend(world, object, &backend));
            }
        }
    }
    entries
}

fn of_backend(world: &World, object: &Object, backend: &Backend) -> Vec<Entry> {
    let own = || namespace_of(&object.key).to_owned();
    let namespace = backend.namespace.clone().unwrap_or_else(own);
    let ports = match &backend.port {
        BackendPort::Of(value) => port(value).into_iter().collect(),
        BackendPort::To(target) => {
            ports_of(world, &namespace, backend, |port| port_is(port, target))
        }
        BackendPort::All => ports_of(world, &namespace, backend, |_| true),
    };
    let note = format!("forwards to Service {}", backend.service);
    let entry = |port| Entry {
        evidence: object.evidence(backend.path.clone(), note.clone()),
        question: Question {
            from: Endpoint::IngressController,
            to: Target::Service {
                namespace: namespace.clone(),
                name: backend.service.clone(),
            },
            protocol: backend.protocol,
            port,
        },
    };
    ports.into_iter().map(entry).collect()
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

/// Those ports of the Service behind a backend that are meant.
fn ports_of(
    world: &World,
    namespace: &str,
    backend: &Backend,
    is_meant: impl Fn(&ServicePort) -> bool,
) -> Vec<PortRef> {
    let mut key = ObjectKey {
        kind: underpin_model::GroupKind::core("Service"),
        namespace: Some(namespace.to_owned()),
        name: backend.service.clone(),
    };
    let found = world.get(&key).or_else(|| {
        // The namespace `default` may be left out.
        key.namespace = None;
        world
            .get(&key)
            .filter(|object| namespace_of(&object.key) == namespace)
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
fn port_is(own: &ServicePort, target: &Value) -> bool {
    match (port(target), &own.target) {
        (Some(PortRef::Number(asked)), TargetPort::Number(number)) => asked == *number,
        (Some(PortRef::Name(asked)), TargetPort::Name(name)) if asked == *name => true,
        (Some(PortRef::Name(asked)), _) => own.name == Some(asked),
        _ => false,
    }
}
