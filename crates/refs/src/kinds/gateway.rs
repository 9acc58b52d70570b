//! Gateway API: gateways, and the routes that hang on them.

use underpin_model::Relation;

use crate::{
    collector::{Collector, Link},
    field::Field,
};

const GROUP: &str = "gateway.networking.k8s.io";

/// HTTPRoute, GRPCRoute, TCPRoute, TLSRoute, UDPRoute.
pub(crate) fn route(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    let gateway = Link::new(GROUP, "Gateway", Relation::Class);
    for parent in spec.each("parentRefs") {
        collector.typed(&parent, &gateway);
    }
    for rule in spec.each("rules") {
        for backend in rule.each("backendRefs") {
            collector.typed(&backend, &Link::service());
            filters(collector, &backend);
        }
        filters(collector, &rule);
    }
}

fn filters<'a>(collector: &mut Collector<'a>, holder: &Field<'a>) {
    for filter in holder.each("filters") {
        if let Some(mirror) = filter.at("requestMirror.backendRef") {
            collector.typed(&mirror, &Link::service().optional());
        }
        let extension = filter.get("extensionRef");
        if let Some(extension) = extension.filter(|field| field.get("kind").is_some()) {
            collector.typed(&extension, &Link::new("", "", Relation::Class));
        }
    }
}

pub(crate) fn gateway(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    let class = Link::new(GROUP, "GatewayClass", Relation::Class);
    if let Some(name) = spec.get("gatewayClassName").and_then(|name| {
        let text = name.text()?;
        Some((name.path.clone(), text))
    }) {
        collector.cluster_named(name.0, name.1, &class);
    }
    for listener in spec.each("listeners") {
        for certificate in listener.each("tls.certificateRefs") {
            collector.typed(&certificate, &Link::secret());
        }
    }
}
