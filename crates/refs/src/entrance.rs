//! What connections from outside are forwarded to: backends of Ingresses, of Gateways' and Traefik's
//! routes, and of OpenShift's Routes.

use underpin_model::{FieldPath, Object, PortRef, Protocol, canonical_group};

use crate::{field::Field, ingress, pods::namespace_of};

/// A Service that connections from outside are forwarded to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The field that says so.
    pub path: FieldPath,
    /// Over which protocol.
    pub protocol: Protocol,
    /// The Service's namespace.
    pub namespace: String,
    /// The Service.
    pub service: String,
    /// Which of its ports.
    pub port: BackendPort,
}

/// Which of a Service's ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendPort {
    /// This one.
    Of(PortRef),
    /// Those of this name, or that lead to this port of the pods.
    To(PortRef),
    /// Every one.
    All,
}

/// What an object forwards connections from outside to; nothing for kinds that forward none.
pub fn entrance_backends(object: &Object) -> Vec<Backend> {
    let mut found = Found {
        own: namespace_of(&object.key),
        backends: Vec::new(),
    };
    let Some(spec) = Field::root(object).get("spec") else {
        return Vec::new();
    };
    let kind = &object.key.kind;
    let group = canonical_group(&kind.group, &kind.kind);
    match (group, kind.kind.as_str()) {
        ("networking.k8s.io", "Ingress") => found.of_ingress(&spec),
        ("gateway.networking.k8s.io", "UDPRoute") => found.of_gateway_route(&spec, Protocol::Udp),
        ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TCPRoute" | "TLSRoute") => {
            found.of_gateway_route(&spec, Protocol::Tcp);
        }
        ("traefik.io" | "traefik.containo.us", "IngressRoute" | "IngressRouteTCP") => {
            found.of_traefik_route(&spec, Protocol::Tcp);
        }
        ("traefik.io" | "traefik.containo.us", "IngressRouteUDP") => {
            found.of_traefik_route(&spec, Protocol::Udp);
        }
        ("route.openshift.io", "Route") => found.of_openshift_route(&spec),
        _ => {}
    }
    found.backends
}

struct Found<'a> {
    /// The namespace of the object.
    own: &'a str,
    backends: Vec<Backend>,
}

impl Found<'_> {
    /// In `networking.k8s.io/v1` and in the `v1beta1` of old servers.
    fn of_ingress(&mut self, spec: &Field<'_>) {
        let defaults = ["defaultBackend", "backend"].into_iter();
        let defaults = defaults.filter_map(|key| spec.get(key));
        let paths = spec.each("rules").flat_map(|rule| rule.each("http.paths"));
        let ruled = paths.filter_map(|path| path.get("backend"));
        let own = self.own;
        let found = defaults.chain(ruled);
        self.backends
            .extend(found.filter_map(|one| ingress_backend(&one, own)));
    }

    fn of_gateway_route(&mut self, spec: &Field<'_>, protocol: Protocol) {
        for rule in spec.each("rules") {
            for backend in rule.each("backendRefs") {
                self.service(&backend, protocol);
                self.mirrors(&backend, protocol);
            }
            self.mirrors(&rule, protocol);
        }
    }

    /// What gets a copy of every request.
    fn mirrors(&mut self, holder: &Field<'_>, protocol: Protocol) {
        for filter in holder.each("filters") {
            if let Some(mirror) = filter.at("requestMirror.backendRef") {
                self.service(&mirror, protocol);
            }
        }
    }

    fn of_traefik_route(&mut self, spec: &Field<'_>, protocol: Protocol) {
        for route in spec.each("routes") {
            for service in route.each("services") {
                self.service(&service, protocol);
            }
        }
    }

    /// A Service that is named with its port, here or in another namespace.
    fn service(&mut self, field: &Field<'_>, protocol: Protocol) {
        let is_service = matches!(field.text_at("kind"), None | Some("Service"))
            && matches!(field.text_at("group"), None | Some("" | "core"));
        // A name with `@` is of another provider of Traefik.
        let name = field.text_at("name").filter(|name| !name.contains('@'));
        let (Some(name), true) = (name, is_service) else {
            return;
        };
        let port = field.get("port").and_then(|port| port.port());
        self.backends.push(Backend {
            path: field.path.clone(),
            protocol,
            namespace: field.text_at("namespace").unwrap_or(self.own).to_owned(),
            service: name.to_owned(),
            port: port.map_or(BackendPort::All, BackendPort::Of),
        });
    }

    fn of_openshift_route(&mut self, spec: &Field<'_>) {
        let port = spec.at("port.targetPort");
        let port = port.and_then(|port| port.port());
        let port = port.map_or(BackendPort::All, BackendPort::To);
        let others = spec.each("alternateBackends");
        for to in spec.get("to").into_iter().chain(others) {
            let Some(service) = to.text_at("name") else {
                continue;
            };
            self.backends.push(Backend {
                path: to.path.clone(),
                protocol: Protocol::Tcp,
                namespace: self.own.to_owned(),
                service: service.to_owned(),
                port: port.clone(),
            });
        }
    }
}

fn ingress_backend(field: &Field<'_>, own: &str) -> Option<Backend> {
    let backend = ingress::backend(field).ok()?;
    Some(Backend {
        path: backend.at,
        protocol: Protocol::Tcp,
        namespace: own.to_owned(),
        service: backend.service,
        port: BackendPort::Of(backend.port),
    })
}
