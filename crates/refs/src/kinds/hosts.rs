//! DNS names of Services in values.

use std::collections::BTreeSet;

use underpin_model::{GroupKind, ObjectKey, Relation, Strength, Target};

use crate::{
    collector::Collector,
    field::Field,
    host::{HostForm, ServiceHost, service_hosts},
};

/// How much a name in a text is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// A value that a process is started with, or an address field.
    Value,
    /// Free text, where a name may be an example or a leftover.
    Text,
}

/// States a reference for every Service that the text at `field` names, once each.
pub(crate) fn scan<'a>(collector: &mut Collector<'a>, field: &Field<'a>, trust: Trust) {
    let Some(text) = field.text() else { return };
    let mut seen = BTreeSet::new();
    for host in service_hosts(text) {
        let strength = strength(&host, trust);
        let namespace = host.namespace.or(collector.own_namespace());
        let Some(namespace) = namespace.map(str::to_ascii_lowercase) else {
            continue;
        };
        let service = ObjectKey::namespaced(
            GroupKind::core("Service"),
            namespace,
            host.name.to_ascii_lowercase(),
        );
        if seen.insert((service.clone(), strength)) {
            let note = format!("names {}", host.display());
            let target = Target::Object(service);
            collector.state(field.path.clone(), target, Relation::Host, strength, note);
        }
    }
}

/// Only the form that ends in `svc`, alone or with a cluster's domain, is certain.
pub(crate) fn strength(host: &ServiceHost<'_>, trust: Trust) -> Strength {
    if trust == Trust::Value && host.form == HostForm::Full && host.is_cluster_domain() {
        Strength::Required
    } else {
        Strength::Guessed
    }
}
