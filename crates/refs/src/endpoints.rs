//! What a Service can be asked at, and what stands ready behind it.

use serde_json::Value;
use underpin_model::{Depth, Object, PortRef, Protocol};

/// The ports under which a Service is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServicePorts {
    /// These, by number and name.
    Listed(Vec<(u16, Option<String>)>),
    /// Whatever its pods listen at: it has no address of its own.
    OfItsPods,
    /// It stands for a name outside.
    External,
}

impl ServicePorts {
    /// Whether the port is there; `None` when it cannot be told from the Service.
    pub fn has(&self, port: &PortRef) -> Option<bool> {
        let Self::Listed(ports) = self else {
            return None;
        };
        Some(ports.iter().any(|(number, name)| match port {
            PortRef::Number(asked) => number == asked,
            PortRef::Name(asked) => name.as_deref() == Some(asked),
        }))
    }

    /// The number of a port.
    pub fn number(&self, port: &PortRef) -> Option<u16> {
        match (port, self) {
            (PortRef::Number(number), _) => Some(*number),
            (PortRef::Name(asked), Self::Listed(ports)) => ports
                .iter()
                .find(|(_, name)| name.as_deref() == Some(asked))
                .map(|(number, _)| *number),
            (PortRef::Name(_), _) => None,
        }
    }
}

/// The TCP ports of a Service; `None` for every other kind, and where only metadata was read.
pub fn service_ports(object: &Object) -> Option<ServicePorts> {
    if !object.key.kind.is("", "Service") || object.depth == Depth::Metadata {
        return None;
    }
    if object.text("/spec/type") == Some("ExternalName") {
        return Some(ServicePorts::External);
    }
    if object.text("/spec/clusterIP") == Some("None") {
        return Some(ServicePorts::OfItsPods);
    }
    let entries = object.at("/spec/ports").and_then(Value::as_array);
    let ports = entries.into_iter().flatten().filter_map(|entry| {
        let protocol = match entry.get("protocol").and_then(Value::as_str) {
            Some(name) => Protocol::from_name(name)?,
            None => Protocol::Tcp,
        };
        let number = u16::try_from(entry.get("port")?.as_u64()?).ok()?;
        let name = entry.get("name").and_then(Value::as_str);
        (protocol == Protocol::Tcp).then(|| (number, name.map(str::to_owned)))
    });
    Some(ServicePorts::Listed(ports.collect()))
}

/// Endpoints of a Service, of one object that lists some of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Name of the Service, beside the object.
    pub service: String,
    /// How many are ready.
    pub ready: usize,
}

/// What an EndpointSlice says; `None` for every other kind, for a slice that belongs to no Service
/// and where only metadata was read.
pub fn endpoints(object: &Object) -> Option<Endpoints> {
    if !object.key.kind.is("discovery.k8s.io", "EndpointSlice") || object.depth == Depth::Metadata {
        return None;
    }
    let service = object.label("kubernetes.io/service-name")?.to_owned();
    let entries = object.at("/endpoints").and_then(Value::as_array);
    // A condition that is not there is to be taken for ready (API reference, EndpointSlice v1).
    let is_ready = |entry: &&Value| {
        let ready = entry.pointer("/conditions/ready");
        ready.and_then(Value::as_bool).unwrap_or(true)
    };
    let ready = entries.into_iter().flatten().filter(is_ready).count();
    Some(Endpoints { service, ready })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::Origin;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    fn ports(spec: &Value) -> ServicePorts {
        service_ports(&object(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "web", "namespace": "wallet"}, "spec": spec})))
        .unwrap()
    }

    #[test]
    fn ports_are_found_by_number_and_name() {
        let listed = ports(&json!({"ports": [
            {"port": 80, "name": "http"}, {"port": 53, "name": "dns", "protocol": "UDP"}]}));
        assert_eq!(listed.has(&PortRef::Number(80)), Some(true));
        assert_eq!(listed.has(&PortRef::Name("http".into())), Some(true));
        assert_eq!(listed.number(&PortRef::Name("http".into())), Some(80));
        assert_eq!(listed.has(&PortRef::Number(53)), Some(false));
        for spec in [
            json!({"clusterIP": "None", "ports": [{"port": 80}]}),
            json!({"type": "ExternalName", "externalName": "x.example"}),
        ] {
            assert_eq!(ports(&spec).has(&PortRef::Number(80)), None);
        }
    }

    #[test]
    fn ready_endpoints_are_counted() {
        let slice = object(
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "web-x", "namespace": "wallet",
                "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"conditions": {"ready": true}}, {"conditions": {"ready": false}},
                {"conditions": {}}, {}]}),
        );
        let expect = Endpoints {
            service: "web".into(),
            ready: 3,
        };
        assert_eq!(endpoints(&slice), Some(expect));
    }
}
