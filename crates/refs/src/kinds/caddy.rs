//! Proxy entries in annotations: the upstreams of a piece of Caddyfile.
//!
//! The entry may hold credentials, so evidence names the host and never quotes the body.

use std::collections::BTreeSet;

use underpin_model::{
    FieldPath, GroupKind, Object, ObjectKey, Relation, Strength, Target, canonical_group,
};

use super::hosts::{self, Trust};
use crate::{collector::Collector, entry::ENTRY_ANNOTATIONS, entry_upstreams};

/// An upstream of an entry.
pub(crate) struct Upstream {
    /// The annotation that holds the entry.
    pub(crate) path: FieldPath,
    pub(crate) namespace: String,
    pub(crate) service: String,
    /// The port; of its scheme where none is written.
    pub(crate) port: u16,
    pub(crate) strength: Strength,
    /// Host and port, and nothing around them.
    pub(crate) display: String,
}

pub(crate) fn extract(collector: &mut Collector<'_>) {
    let mut seen = BTreeSet::new();
    for upstream in upstreams(collector.object) {
        let service = ObjectKey::namespaced(
            GroupKind::core("Service"),
            upstream.namespace,
            upstream.service,
        );
        if seen.insert((upstream.path.clone(), service.clone())) {
            let note = format!("proxies to {}", upstream.display);
            let target = Target::Object(service);
            collector.state(
                upstream.path,
                target,
                Relation::Upstream,
                upstream.strength,
                note,
            );
        }
    }
}

/// The upstreams of the entries on a Service or an Ingress.
pub(crate) fn upstreams(object: &Object) -> Vec<Upstream> {
    let kind = &object.key.kind;
    let group = canonical_group(&kind.group, &kind.kind);
    let mut found = Vec::new();
    if !matches!(
        (group, kind.kind.as_str()),
        ("", "Service") | ("networking.k8s.io", "Ingress")
    ) {
        return found;
    }
    for annotation in ENTRY_ANNOTATIONS {
        let Some(entry) = object.annotation(annotation) else {
            continue;
        };
        let path = FieldPath::new("metadata.annotations").key(annotation);
        for host in entry_upstreams(entry) {
            // The proxy lives in another namespace: a bare name would be looked up there.
            let Some(namespace) = host.namespace else {
                continue;
            };
            let is_tls = entry[..host.offset].ends_with("https://");
            found.push(Upstream {
                path: path.clone(),
                namespace: namespace.to_ascii_lowercase(),
                service: host.name.to_ascii_lowercase(),
                port: host.port.unwrap_or(if is_tls { 443 } else { 80 }),
                strength: hosts::strength(&host, Trust::Value),
                display: host.display(),
            });
        }
    }
    found
}
