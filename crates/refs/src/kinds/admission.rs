//! Admission webhooks and policies.

use underpin_model::Relation;

use super::{
    hosts::{self, Trust},
    selectors,
};
use crate::collector::{Collector, Link};

const GROUP: &str = "admissionregistration.k8s.io";

/// Mutating and validating webhook configurations. A webhook whose failures are ignored works
/// without its Service; `v1beta1` ignores failures by default, `v1` does not.
pub(crate) fn webhooks(collector: &mut Collector<'_>) {
    let default = match collector.object.version.as_str() {
        "v1beta1" => "Ignore",
        _ => "Fail",
    };
    for webhook in collector.root().each("webhooks") {
        let ignores = webhook.text_at("failurePolicy").unwrap_or(default) == "Ignore";
        if let Some(service) = webhook.at("clientConfig.service") {
            collector.elsewhere(&service, &Link::service().optional_if(ignores));
        }
        if let Some(url) = webhook.at("clientConfig.url") {
            hosts::scan(collector, &url, Trust::Value);
        }
        if let Some(selector) = webhook.get("namespaceSelector") {
            selectors::namespaces(collector, &selector);
        }
    }
}

pub(crate) fn validating_binding(collector: &mut Collector<'_>) {
    policy_binding(collector, "ValidatingAdmissionPolicy");
}

pub(crate) fn mutating_binding(collector: &mut Collector<'_>) {
    policy_binding(collector, "MutatingAdmissionPolicy");
}

fn policy_binding(collector: &mut Collector<'_>, kind: &str) {
    let Some(spec) = collector.spec() else { return };
    collector.local(
        &spec,
        "policyName",
        &Link::new(GROUP, kind, Relation::Class),
    );
    if let Some(selector) = spec.at("matchResources.namespaceSelector") {
        selectors::namespaces(collector, &selector);
    }
}
