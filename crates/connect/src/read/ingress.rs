//! What Ingresses, Gateways' routes and OpenShift's Routes forward to.

use serde_json::Value;
use underpin_model::{FieldPath, GroupKind, Object, Protocol};

use super::reader::field;

/// A Service that connections from outside are forwarded to.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) path: FieldPath,
    pub(crate) protocol: Protocol,
    /// The Service's namespace, where it is another.
    pub(crate) namespace: Option<String>,
    pub(crate) service: String,
    pub(crate) port: BackendPort,
}

/// Which of the Service's ports.
#[derive(Debug)]
pub(crate) enum BackendPort {
    /// By number or name.
    Of(Value),
    /// Those with this name, or to this port of the pods.
    To(Value),
    /// Every one.
    All,
}

/// The group of Gateways.
const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// Reads what an object forwards to.
pub(crate) type Read = fn(&Object) -> Vec<Backend>;

/// The kinds that say what connections from outside are forwarded to, with their readers.
pub(crate) fn entrances() -> impl Iterator<Item = (GroupKind, Read)> {
    let kinds: [(&str, &str, Read); 8] = [
        ("networking.k8s.io", "Ingress", of_ingress),
        ("extensions", "Ingress", of_ingress),
        (GATEWAY_GROUP, "GRPCRoute", of_gateway_route),
        (GATEWAY_GROUP, "HTTPRoute", of_gateway_route),
        (GATEWAY_GROUP, "TCPRoute", of_gateway_route),
        (GATEWAY_GROUP, "TLSRoute", of_gateway_route),
        (GATEWAY_GROUP, "UDPRoute", of_gateway_route),
        ("route.openshift.io", "Route", of_route),
    ];
    let kinds = kinds.into_iter();
    kinds.map(|(group, kind, read)| (GroupKind::new(group, kind), read))
}

/// The backends of an Ingress, in `networking.k8s.io/v1` and in the `v1beta1` of old servers.
fn of_ingress(object: &Object) -> Vec<Backend> {
    let spec = object.at("/spec").unwrap_or(&Value::Null);
    let root = FieldPath::new("spec");
    let mut found = Vec::new();
    for key in ["defaultBackend", "backend"] {
        if let Some(value) = field(spec, key) {
            found.extend(backend(value, root.key(key)));
        }
    }
    for (at, rule) in items(spec, "rules") {
        for (index, path) in rule
            .get("http")
            .into_iter()
            .flat_map(|http| items(http, "paths"))
        {
            let place = root.key("rules").index(at).key("http").key("paths");
            if let Some(value) = field(path, "backend") {
                found.extend(backend(value, place.index(index).key("backend")));
            }
        }
    }
    found
}

fn items<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = (usize, &'v Value)> {
    let list = field(value, key).and_then(Value::as_array);
    list.into_iter().flatten().enumerate()
}

fn backend(value: &Value, path: FieldPath) -> Option<Backend> {
    let (service, port) = match field(value, "service") {
        Some(service) => {
            let port = field(service, "port")?;
            let port = field(port, "number").or_else(|| field(port, "name"));
            (field(service, "name"), port)
        }
        None => (field(value, "serviceName"), field(value, "servicePort")),
    };
    Some(Backend {
        path,
        protocol: Protocol::Tcp,
        namespace: None,
        service: service?.as_str()?.to_owned(),
        port: BackendPort::Of(port?.clone()),
    })
}

/// The backends of a route of Gateways.
fn of_gateway_route(object: &Object) -> Vec<Backend> {
    let protocol = match object.key.kind.kind.as_str() {
        "UDPRoute" => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    let spec = object.at("/spec").unwrap_or(&Value::Null);
    let root = FieldPath::new("spec").key("rules");
    let mut found = Vec::new();
    for (at, rule) in items(spec, "rules") {
        for (index, reference) in items(rule, "backendRefs") {
            let text = |key| field(reference, key).and_then(Value::as_str);
            let is_service = text("kind").unwrap_or("Service") == "Service"
                && text("group").unwrap_or_default().is_empty();
            let (Some(service), Some(port), true) =
                (text("name"), field(reference, "port"), is_service)
            else {
                continue;
            };
            found.push(Backend {
                path: root.index(at).key("backendRefs").index(index),
                protocol,
                namespace: text("namespace").map(str::to_owned),
                service: service.to_owned(),
                port: BackendPort::Of(port.clone()),
            });
        }
    }
    found
}

/// The backends of OpenShift's Route.
fn of_route(object: &Object) -> Vec<Backend> {
    let spec = object.at("/spec").unwrap_or(&Value::Null);
    let root = FieldPath::new("spec");
    let first = field(spec, "to").map(|to| (root.key("to"), to));
    let others = items(spec, "alternateBackends")
        .map(|(at, to)| (root.key("alternateBackends").index(at), to));
    let port = spec
        .pointer("/port/targetPort")
        .filter(|port| !port.is_null());
    let found = first.into_iter().chain(others).filter_map(|(path, to)| {
        Some(Backend {
            path,
            protocol: Protocol::Tcp,
            namespace: None,
            service: field(to, "name")?.as_str()?.to_owned(),
            port: port.map_or(BackendPort::All, |port| BackendPort::To(port.clone())),
        })
    });
    found.collect()
}
