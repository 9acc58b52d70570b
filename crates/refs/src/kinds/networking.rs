//! Ingresses, their classes, and NetworkPolicies.

use underpin_model::Relation;

use super::{
    hosts::{self, Trust},
    selectors,
};
use crate::{
    collector::{Collector, Link},
    field::Field,
};

/// Annotations of ingress-nginx that name a Secret as `name` or `namespace/name`.
const NGINX_SECRETS: &[&str] = &[
    "nginx.ingress.kubernetes.io/auth-secret",
    "nginx.ingress.kubernetes.io/auth-tls-secret",
    "nginx.ingress.kubernetes.io/proxy-ssl-secret",
];

/// Annotations of ingress-nginx that hold the address of a service asked on every request.
pub(crate) const NGINX_ADDRESSES: &[&str] = &[
    "nginx.ingress.kubernetes.io/auth-url",
    "nginx.ingress.kubernetes.io/mirror-target",
];

/// Ingress in `networking.k8s.io/v1`, and in the `v1beta1` of old servers.
pub(crate) fn ingress(collector: &mut Collector<'_>) {
    ingress_annotations(collector);
    let Some(spec) = collector.spec() else { return };
    for field in ["defaultBackend", "backend"] {
        if let Some(found) = spec.get(field) {
            backend(collector, &found);
        }
    }
    for rule in spec.each("rules") {
        for path in rule.each("http.paths") {
            if let Some(found) = path.get("backend") {
                backend(collector, &found);
            }
        }
    }
    for tls in spec.each("tls") {
        collector.local(&tls, "secretName", &Link::secret());
    }
    collector.local(&spec, "ingressClassName", &class());
}

fn class() -> Link {
    Link::new("networking.k8s.io", "IngressClass", Relation::Class)
}

fn backend<'a>(collector: &mut Collector<'a>, backend: &Field<'a>) {
    collector.local(backend, "service.name", &Link::service());
    collector.local(backend, "serviceName", &Link::service());
    if let Some(resource) = backend.get("resource") {
        collector.typed(&resource, &Link::service());
    }
}

fn ingress_annotations(collector: &mut Collector<'_>) {
    // Controllers that read the old annotation do not look for the class itself.
    if let Some(field) = collector.annotation("kubernetes.io/ingress.class") {
        collector.named(&field, None, &class().optional());
    }
    for (annotation, kind) in [
        ("cert-manager.io/issuer", "Issuer"),
        ("cert-manager.io/cluster-issuer", "ClusterIssuer"),
    ] {
        if let Some(field) = collector.annotation(annotation) {
            super::cert_manager::issuer_named(collector, &field, kind);
        }
    }
    for annotation in NGINX_SECRETS {
        let Some(field) = collector.annotation(annotation) else {
            continue;
        };
        let text = field.text().unwrap_or_default();
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        collector.named_as(field.path.clone(), name, namespace, &Link::secret());
    }
    if let Some(field) = collector.annotation("nginx.ingress.kubernetes.io/default-backend") {
        collector.named(&field, None, &Link::service());
    }
    for annotation in NGINX_ADDRESSES {
        if let Some(field) = collector.annotation(annotation) {
            hosts::scan(collector, &field, Trust::Value);
        }
    }
}

pub(crate) fn ingress_class(collector: &mut Collector<'_>) {
    let parameters = collector.root().at("spec.parameters");
    if let Some(parameters) = parameters.filter(|field| field.get("kind").is_some()) {
        collector.typed(&parameters, &Link::new("", "", Relation::Class));
    }
}

pub(crate) fn network_policy(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    if let Some(selector) = spec.get("podSelector") {
        let namespace = collector.own_namespace();
        selectors::pods(collector, &selector, namespace);
    }
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.each(rules) {
            for found in rule.each(peers) {
                peer(collector, &found);
            }
        }
    }
}

/// A peer: pods of this namespace, or of the namespaces selected.
fn peer<'a>(collector: &mut Collector<'a>, peer: &Field<'a>) {
    let others = peer.get("namespaceSelector");
    let names = others
        .as_ref()
        .map(|selector| selectors::namespaces(collector, selector));
    let Some(selector) = peer.get("podSelector") else {
        return;
    };
    match names.as_deref() {
        None => {
            let namespace = collector.own_namespace();
            selectors::pods(collector, &selector, namespace);
        }
        Some([]) => selectors::pods(collector, &selector, None),
        Some(names) => {
            for name in names {
                selectors::pods(collector, &selector, Some(name));
            }
        }
    }
}
