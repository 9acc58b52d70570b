//! Proxy entries in annotations: the upstreams of a piece of Caddyfile.
//!
//! The entry may hold credentials, so evidence names the host and never quotes the body.

use std::collections::BTreeSet;

use underpin_model::{GroupKind, ObjectKey, Relation, Target, canonical_group};

use super::hosts::{self, Trust};
use crate::{collector::Collector, entry::ENTRY_ANNOTATIONS, entry_upstreams};

pub(crate) fn extract(collector: &mut Collector<'_>) {
    let kind = &collector.object.key.kind;
    let group = canonical_group(&kind.group, &kind.kind);
    if !matches!(
        (group, kind.kind.as_str()),
        ("", "Service") | ("networking.k8s.io", "Ingress")
    ) {
        return;
    }
    for annotation in ENTRY_ANNOTATIONS {
        let Some(field) = collector.annotation(annotation) else {
            continue;
        };
        let mut seen = BTreeSet::new();
        for host in entry_upstreams(field.text().unwrap_or_default()) {
            // The proxy lives in another namespace: a bare name would be looked up there.
            let Some(namespace) = host.namespace else {
                continue;
            };
            let service = ObjectKey::namespaced(
                GroupKind::core("Service"),
                namespace.to_ascii_lowercase(),
                host.name.to_ascii_lowercase(),
            );
            if seen.insert(service.clone()) {
                let strength = hosts::strength(&host, Trust::Value);
                let note = format!("proxies to {}", host.display());
                let target = Target::Object(service);
                collector.state(
                    field.path.clone(),
                    target,
                    Relation::Upstream,
                    strength,
                    note,
                );
            }
        }
    }
}
