//! The core group apart from pods and storage: Service, ServiceAccount, ConfigMap.

use underpin_model::{GroupKind, LabelSelector};

use super::hosts::{self, Trust};
use crate::collector::{Collector, Link};

pub(crate) fn service(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    if let Some(field) = spec.get("selector") {
        // Without any label a Service selects nothing; its endpoints are made by hand.
        let selector = LabelSelector::from_map(field.value).filter(|map| !map.0.is_empty());
        if let Some(selector) = selector {
            let namespace = collector.own_namespace();
            collector.selects(&field, GroupKind::core("Pod"), namespace, selector);
        }
    }
    if let Some(name) = spec.get("externalName") {
        hosts::scan(collector, &name, Trust::Value);
    }
}

pub(crate) fn service_account(collector: &mut Collector<'_>) {
    let root = collector.root();
    for secret in root.each("secrets") {
        // Old servers list the token that they make again when it is missing.
        collector.local(&secret, "name", &Link::secret().optional());
    }
    for secret in root.each("imagePullSecrets") {
        collector.local(&secret, "name", &Link::pull_secret());
    }
}

pub(crate) fn config_map(collector: &mut Collector<'_>) {
    let Some(data) = collector.root().get("data") else {
        return;
    };
    for (_, value) in data.entries() {
        hosts::scan(collector, &value, Trust::Text);
    }
}
