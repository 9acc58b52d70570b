//! What is served from outside: backends of Ingresses, Gateway API and Traefik routes, and
//! upstreams of proxy entries.

use underpin_model::{
    Confidence, Consumer, FieldPath, Object, PortRef, Protocol, Strength, Supplier, World,
    canonical_group,
};

use super::{
    NeedOptions,
    directory::Directory,
    found::Found,
    key::Hint,
    sighting::{Surroundings, Trust},
    value::sightings,
};
use crate::{
    field::Field,
    ingress_backend::{ingress_backends, port_ref},
    kinds::{caddy, networking::NGINX_ADDRESSES},
    pods::namespace_of,
};

/// The needs of whatever serves routes.
pub(super) fn read(
    world: &World,
    directory: &Directory<'_>,
    options: &NeedOptions,
    found: &mut Found,
) {
    for object in world.objects() {
        let mut routes = Routes { object, found };
        for upstream in caddy::upstreams(object) {
            let confidence = match upstream.strength {
                Strength::Required => Confidence::Certain,
                _ => Confidence::Likely,
            };
            let port = Some(PortRef::Number(upstream.port));
            let to = (upstream.namespace.as_str(), upstream.service.as_str());
            routes.add(to, (Protocol::Tcp, port), confidence, upstream.path);
        }
        for backend in ingress_backends(object) {
            let to = (namespace_of(&object.key), backend.service.as_str());
            let port = (Protocol::Tcp, Some(backend.port));
            routes.add(to, port, Confidence::Certain, backend.path);
        }
        let kind = &object.key.kind;
        let group = canonical_group(&kind.group, &kind.kind);
        match (group, kind.kind.as_str()) {
            ("networking.k8s.io", "Ingress") => {
                asked_services(object, directory, options, routes.found);
            }
            ("gateway.networking.k8s.io", "UDPRoute") => routes.of_gateway(Protocol::Udp),
            ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TCPRoute" | "TLSRoute") => {
                routes.of_gateway(Protocol::Tcp);
            }
            ("traefik.io" | "traefik.containo.us", "IngressRoute" | "IngressRouteTCP") => {
                routes.of_traefik(Protocol::Tcp);
            }
            ("traefik.io" | "traefik.containo.us", "IngressRouteUDP") => {
                routes.of_traefik(Protocol::Udp);
            }
            _ => {}
        }
    }
}

/// The addresses in annotations of ingress-nginx, which are asked on every request.
fn asked_services(
    object: &Object,
    directory: &Directory<'_>,
    options: &NeedOptions,
    found: &mut Found,
) {
    let around = Surroundings {
        directory,
        namespace: namespace_of(&object.key),
        cluster_domain: options.cluster_domain.as_deref(),
        trust: Trust::Value,
        hint: Hint::Nothing,
        is_secret: false,
    };
    for annotation in NGINX_ADDRESSES {
        let Some(text) = object.annotation(annotation) else {
            continue;
        };
        for sighting in sightings(&around, text, None) {
            let path = FieldPath::new("metadata.annotations").key(annotation);
            let evidence = object.evidence(path, format!("asks {}", sighting.display()));
            let port = sighting.port_ref();
            let to = (sighting.to, sighting.protocol, port);
            found.add(
                &Consumer::IngressController,
                to,
                sighting.confidence,
                evidence,
            );
        }
    }
}

struct Routes<'a> {
    object: &'a Object,
    found: &'a mut Found,
}

impl Routes<'_> {
    fn add(
        &mut self,
        (namespace, name): (&str, &str),
        (protocol, port): (Protocol, Option<PortRef>),
        confidence: Confidence,
        path: FieldPath,
    ) {
        let to = Supplier::Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        let note = format!("forwards to Service {namespace}/{name}");
        let evidence = self.object.evidence(path, note);
        let consumer = Consumer::IngressController;
        self.found
            .add(&consumer, (to, protocol, port), confidence, evidence);
    }

    /// A Service that is named with its port, here or in another namespace.
    fn service(&mut self, field: &Field<'_>, protocol: Protocol) {
        let is_service = matches!(field.text_at("kind"), None | Some("Service"))
            && matches!(field.text_at("group"), None | Some("core"));
        let Some(name) = field
            .text_at("name")
            .filter(|name| is_service && !name.contains('@'))
        else {
            return;
        };
        let own = namespace_of(&self.object.key);
        let namespace = field.text_at("namespace").unwrap_or(own).to_owned();
        let port = field.get("port").and_then(|port| port_ref(port.value));
        let path = field.path.clone();
        self.add(
            (&namespace, name),
            (protocol, port),
            Confidence::Certain,
            path,
        );
    }

    fn of_gateway(&mut self, protocol: Protocol) {
        for rule in Field::root(self.object).each("spec.rules") {
            for backend in rule.each("backendRefs") {
                self.service(&backend, protocol);
                self.mirrors(&backend, protocol);
            }
            self.mirrors(&rule, protocol);
        }
    }

    fn mirrors(&mut self, holder: &Field<'_>, protocol: Protocol) {
        for filter in holder.each("filters") {
            if let Some(mirror) = filter.at("requestMirror.backendRef") {
                self.service(&mirror, protocol);
            }
        }
    }

    fn of_traefik(&mut self, protocol: Protocol) {
        for route in Field::root(self.object).each("spec.routes") {
            for service in route.each("services") {
                self.service(&service, protocol);
            }
        }
    }
}
