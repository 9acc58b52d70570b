//! Proxy entries in annotations: the upstreams of a piece of Caddyfile.
//!
//! The entry may hold credentials, so evidence names the host and never quotes the body.

use std::collections::BTreeSet;

use underpin_model::{
    FieldPath, GroupKind, Object, ObjectKey, Relation, Strength, Target, canonical_group,
};

use super::hosts::{self, Trust};
use crate::{
    collector::Collector,
    host::{HostForm, service_hosts},
};

/// Annotations on Services and Ingresses that hold an entry.
const ENTRY_ANNOTATIONS: &[&str] = &["simple-container.com/caddyfile-entry", "underpin.dev/route"];

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
        let text = without_comments(entry);
        for host in service_hosts(&text) {
            // The proxy lives in another namespace: a bare name would be looked up there.
            let Some(namespace) = host.namespace else {
                continue;
            };
            // A two-label name is an upstream only where no site can stand.
            if host.form != HostForm::Full && !is_upstream_position(&text, host.offset) {
                continue;
            }
            let is_tls = text[..host.offset].ends_with("https://");
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

/// The entry with comments blanked, offsets unchanged. A comment begins with `#` at the start of
/// a word.
fn without_comments(entry: &str) -> String {
    let mut at_word_start = true;
    let mut in_comment = false;
    entry
        .chars()
        .map(|c| {
            if c == '\n' {
                in_comment = false;
            } else if c == '#' && at_word_start {
                in_comment = true;
            }
            at_word_start = c.is_whitespace();
            if in_comment && c.is_ascii() { ' ' } else { c }
        })
        .collect()
}

/// Directives whose arguments are addresses of upstreams.
const UPSTREAM_DIRECTIVES: &[&str] = &["forward_auth", "php_fastcgi", "reverse_proxy", "to"];

fn is_upstream_position(entry: &str, offset: usize) -> bool {
    let before = entry.get(..offset).unwrap_or_default();
    let line = before.rsplit(['\n', '{']).next().unwrap_or_default();
    let directive = line.split_whitespace().next().unwrap_or_default();
    UPSTREAM_DIRECTIVES.contains(&directive)
}
