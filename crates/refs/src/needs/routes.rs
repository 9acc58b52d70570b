//! What is served from outside: backends of Ingresses and routes, and upstreams of proxy entries.

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
    entrance::{BackendPort, entrance_backends},
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
        for backend in entrance_backends(object) {
            let to = (backend.namespace.as_str(), backend.service.as_str());
            let port = match backend.port {
                BackendPort::Of(port) => Some(port),
                // Which ones those are, the Service says: any of its ports may be meant.
                BackendPort::To(_) | BackendPort::All => None,
            };
            let port = (backend.protocol, port);
            routes.add(to, port, Confidence::Certain, backend.path);
        }
        let kind = &object.key.kind;
        let group = canonical_group(&kind.group, &kind.kind);
        if (group, kind.kind.as_str()) == ("networking.k8s.io", "Ingress") {
            asked_services(object, directory, options, routes.found);
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
}
