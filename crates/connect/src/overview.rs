//! What an engine knows by name, and what it says of two ends over all ports.

use underpin_model::Protocol;

use crate::{answer::Flow, engine::Engine, question::Endpoint, reason::Reason};

impl Engine {
    /// The Services of the world by namespace and name, sorted.
    pub fn services(&self) -> impl Iterator<Item = (&str, &str)> {
        let services = self.inventory.services.keys();
        services.map(|(namespace, name)| (namespace.as_str(), name.as_str()))
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
