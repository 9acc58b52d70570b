//! Proxy entries in annotations: the upstreams of a piece of Caddyfile.
//!
//! The entry may hold credentials, so evidence names the host and never quotes the body.

use std::collections::BTreeSet;

use underpin_model::{GroupKind, ObjectKey, Relation, Target, canonical_group};

use super::hosts::{self, Trust};
use crate::{
    collector::Collector,
    host::{HostForm, service_hosts},
};

/// Annotations on Services and Ingresses that hold an entry.
const ENTRY_ANNOTATIONS: &[&str] = &["simple-container.com/caddyfile-entry", "underpin.dev/route"];

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
        let text = without_comments(field.text().unwrap_or_default());
        let mut seen = BTreeSet::new();
        for host in service_hosts(&text) {
            // The proxy lives in another namespace: a bare name would be looked up there.
            let Some(namespace) = host.namespace else {
                continue;
            };
            // A two-label name is an upstream only where no site can stand.
            if host.form != HostForm::Full && !is_upstream_position(&text, host.offset) {
                continue;
            }
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
