//! What the API server calls: admission webhooks, aggregated APIs, conversion of custom resources.

use underpin_model::{
    Confidence, Consumer, Object, PortRef, Protocol, Supplier, World, canonical_group,
};

use super::{
    NeedOptions,
    directory::Directory,
    found::Found,
    key::Hint,
    sighting::{Surroundings, Trust},
    value::sightings,
};
use crate::field::Field;

/// The port of a Service that a webhook or an aggregated API names none of.
const DEFAULT_PORT: u16 = 443;

/// The needs of the API server.
pub(super) fn read(
    world: &World,
    directory: &Directory<'_>,
    options: &NeedOptions,
    found: &mut Found,
) {
    for object in world.objects() {
        let kind = &object.key.kind;
        let group = canonical_group(&kind.group, &kind.kind);
        let root = Field::root(object);
        let mut clients: Vec<Field<'_>> = Vec::new();
        match (group, kind.kind.as_str()) {
            (
                "admissionregistration.k8s.io",
                "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
            ) => {
                let webhooks = root.each("webhooks");
                clients.extend(webhooks.filter_map(|webhook| webhook.get("clientConfig")));
            }
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                for path in [
                    "spec.conversion.webhook.clientConfig",
                    "spec.conversion.webhookClientConfig",
                ] {
                    clients.extend(root.at(path));
                }
            }
            ("apiregistration.k8s.io", "APIService") => {
                if let Some(service) = root.at("spec.service") {
                    called(object, &service, found);
                }
            }
            _ => {}
        }
        for client in clients {
            if let Some(service) = client.get("service") {
                called(object, &service, found);
            }
            if let Some(url) = client.get("url") {
                called_by_url(object, &url, (directory, options), found);
            }
        }
    }
}

fn called(object: &Object, service: &Field<'_>, found: &mut Found) {
    let (Some(namespace), Some(name)) = (service.text_at("namespace"), service.text_at("name"))
    else {
        return;
    };
    let port = service.get("port").and_then(|port| port.port());
    let to = Supplier::Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let note = format!("is called at Service {namespace}/{name}");
    let evidence = object.evidence(service.path.clone(), note);
    let port = port.or(Some(PortRef::Number(DEFAULT_PORT)));
    let to = (to, Protocol::Tcp, port);
    found.add(&Consumer::ApiServer, to, Confidence::Certain, evidence);
}

fn called_by_url(
    object: &Object,
    url: &Field<'_>,
    (directory, options): (&Directory<'_>, &NeedOptions),
    found: &mut Found,
) {
    let around = Surroundings {
        directory,
        namespace: super::DEFAULT_NAMESPACE,
        cluster_domain: options.cluster_domain.as_deref(),
        trust: Trust::Value,
        hint: Hint::Nothing,
        is_secret: false,
    };
    for sighting in sightings(&around, url.text().unwrap_or_default(), None) {
        let note = format!("is called at {}", sighting.display());
        let evidence = object.evidence(url.path.clone(), note);
        let port = sighting.port_ref();
        let to = (sighting.to, sighting.protocol, port);
        found.add(&Consumer::ApiServer, to, Confidence::Certain, evidence);
    }
}
