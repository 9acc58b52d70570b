//! Extensions of the API itself: CustomResourceDefinitions and APIServices.

use crate::collector::{Collector, Link};

/// A definition whose versions are converted by a webhook: without the Service, no instance can
/// be read or written.
pub(crate) fn definition(collector: &mut Collector<'_>) {
    let Some(conversion) = collector.root().at("spec.conversion") else {
        return;
    };
    if conversion.text_at("strategy") != Some("Webhook") {
        return;
    }
    for field in [
        "webhook.clientConfig.service",
        "webhookClientConfig.service",
    ] {
        if let Some(service) = conversion.at(field) {
            collector.elsewhere(&service, &Link::service());
        }
    }
}

/// An aggregated API: without the Service, the whole group fails.
pub(crate) fn api_service(collector: &mut Collector<'_>) {
    if let Some(service) = collector.root().at("spec.service") {
        collector.elsewhere(&service, &Link::service());
    }
}
