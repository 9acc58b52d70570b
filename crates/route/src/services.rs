//! The Services of a world: what stands behind a name, and what is being deleted.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{GroupKind, ObjectKey, PortRef, World};
use underpin_refs::ServicePorts;

use crate::{
    endpoints::{ReadyEndpoints, endpoint_slices},
    objects::{EdgeObject, EdgeObjects, Says},
    table::{Backend, BackendState},
};

/// What is known of Services and namespaces.
pub(crate) struct Services<'a> {
    world: &'a World,
    objects: &'a EdgeObjects,
    /// Ready endpoints by namespace and Service; `None` when endpoints are not known at all.
    ready: Option<BTreeMap<(&'a str, &'a str), usize>>,
    terminating: BTreeSet<&'a str>,
}

impl<'a> Services<'a> {
    /// `endpoints`: whether it is known what is ready.
    pub(crate) fn of(world: &'a World, objects: &'a EdgeObjects, endpoints: bool) -> Self {
        let terminating = objects
            .iter()
            .filter(|object| object.key.is_namespace() && object.is_terminating)
            .map(|object| object.key.name.as_str())
            .collect();
        Self {
            world,
            objects,
            ready: endpoints.then(|| ReadyEndpoints::by_service(&objects.ready)),
            terminating,
        }
    }

    /// Whether a namespace is being deleted.
    pub(crate) fn is_terminating(&self, namespace: &str) -> bool {
        self.terminating.contains(namespace)
    }

    fn service(&self, namespace: &str, name: &str) -> Option<&'a EdgeObject> {
        self.objects.get(&ObjectKey::namespaced(
            GroupKind::core("Service"),
            namespace,
            name,
        ))
    }

    /// The number of a Service's port.
    pub(crate) fn port(&self, namespace: &str, name: &str, port: &PortRef) -> Option<u16> {
        match (port, self.service(namespace, name)) {
            (PortRef::Number(number), _) => Some(*number),
            (PortRef::Name(_), Some(service)) => ports(service)?.number(port),
            (PortRef::Name(_), None) => None,
        }
    }

    /// A Service behind a route, and how it stands.
    pub(crate) fn backend(&self, namespace: &str, name: &str, port: Option<PortRef>) -> Backend {
        Backend {
            state: self.state(namespace, name, port.as_ref()),
            namespace: namespace.to_owned(),
            service: name.to_owned(),
            port,
        }
    }

    fn state(&self, namespace: &str, name: &str, port: Option<&PortRef>) -> BackendState {
        let Some(service) = self.service(namespace, name) else {
            let kind = GroupKind::core("Service");
            return match self.world.unread(&kind, Some(namespace)) {
                Some(unread) => BackendState::Unknown(format!("could not read {unread}")),
                None => BackendState::Missing,
            };
        };
        if service.is_terminating || self.is_terminating(namespace) {
            return BackendState::Terminating;
        }
        let Some(ports) = ports(service) else {
            return BackendState::Unknown("only the metadata of the Service was read".to_owned());
        };
        if port.and_then(|port| ports.has(port)) == Some(false) {
            return BackendState::NoPort;
        }
        if *ports == ServicePorts::External {
            return BackendState::Unknown("the Service stands for a name outside".to_owned());
        }
        let unread = self.world.unread(&endpoint_slices(), Some(namespace));
        match (&self.ready, unread) {
            (None, _) => BackendState::Unknown("endpoints were not asked for".to_owned()),
            (Some(_), Some(unread)) => BackendState::Unknown(format!("could not read {unread}")),
            (Some(ready), None) => match ready.get(&(namespace, name)) {
                None | Some(0) => BackendState::NotReady,
                Some(number) => BackendState::Ready(*number),
            },
        }
    }
}

/// The ports of a Service; `None` where only its metadata was read.
fn ports(service: &EdgeObject) -> Option<&ServicePorts> {
    match &service.says {
        Says::Ports(ports) => Some(ports),
        _ => None,
    }
}
