//! What an engine knows by name, and what it says of two ends over all ports.

use underpin_model::{ObjectKey, PortRef, Protocol};

use crate::{
    answer::Flow, engine::Engine, inventory::namespace_of, question::Endpoint, reason::Reason,
};

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfferedPort {
    /// Over which protocol.
    pub protocol: Protocol,
    /// Its number.
    pub port: PortRef,
    /// Its name, if it has one.
    pub name: Option<String>,
}

impl Engine {
    /// The Services of the world by namespace and name, sorted.
    pub fn services(&self) -> impl Iterator<Item = (&str, &str)> {
        let services = self.inventory.services.keys();
        services.map(|(namespace, name)| (namespace.as_str(), name.as_str()))
    }

    /// The ports of a Service in their order; none for one that is not known.
    pub fn service_ports(&self, namespace: &str, name: &str) -> Vec<OfferedPort> {
        let id = (namespace.to_owned(), name.to_owned());
        let service = self.inventory.services.get(&id);
        let ports = service.into_iter().flat_map(|service| &service.ports);
        ports
            .map(|port| OfferedPort {
                protocol: port.protocol,
                port: PortRef::Number(port.port),
                name: port.name.clone(),
            })
            .collect()
    }

    /// Every namespace that is declared or holds a workload or a Service, sorted.
    pub fn namespaces(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.inventory.declared_namespaces().collect();
        names.extend(self.workloads().map(namespace_of));
        names.extend(self.services().map(|(namespace, _)| namespace));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The workloads of a namespace, sorted.
    pub fn workloads_of<'e>(&'e self, namespace: &'e str) -> impl Iterator<Item = &'e ObjectKey> {
        self.workloads()
            .filter(move |key| namespace_of(key) == namespace)
    }

    /// What every policy says of connections between two ends over all ports of a protocol: the
    /// verdict is unknown where it depends on the port.
    pub fn explain(
        &self,
        from: &Endpoint,
        to: &Endpoint,
        protocol: Protocol,
    ) -> Result<Vec<Flow>, Reason> {
        let (sources, destinations) = (self.ends(from)?, self.ends(to)?);
        let mut flows = Vec::new();
        for source in &sources {
            for destination in &destinations {
                flows.push(self.traced_flow(source, destination, protocol, None));
            }
        }
        Ok(flows)
    }
}
