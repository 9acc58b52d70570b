//! Custom kinds: those that are widely used by name, all others by the conventions of the API.

use underpin_model::{GroupKind, LabelSelector, Relation, builtin_kind};

use super::{
    hosts::{self, Trust},
    pod,
};
use crate::{
    collector::{Collector, Link},
    field::Field,
};

/// How deep the specification of an unknown kind is followed.
const MAXIMUM_DEPTH: usize = 24;

/// Secrets that a kind writes instead of reading them.
const WRITTEN_SECRETS: &[&str] = &["privateKeySecretRef", "writeConnectionSecretToRef"];

/// `secretKeyRef`, `configMapRef`, `serviceAccountName` and their like mean the same in every kind
/// that follows the API conventions. Kinds that Kubernetes ships are never judged by convention.
pub(crate) fn extract_by_convention(collector: &mut Collector<'_>) {
    let kind = &collector.object.key.kind;
    if !kind.group.contains('.') || builtin_kind(&kind.group, &kind.kind).is_some() {
        return;
    }
    if let Some(spec) = collector.spec() {
        by_convention(collector, &spec, 0);
    }
}

fn by_convention<'a>(collector: &mut Collector<'a>, field: &Field<'a>, depth: usize) {
    if depth > MAXIMUM_DEPTH {
        return;
    }
    for item in field.items() {
        by_convention(collector, &item, depth + 1);
    }
    for (key, value) in field.entries() {
        if !conventional(collector, key, &value) {
            by_convention(collector, &value, depth + 1);
        }
    }
    hosts::scan(collector, field, Trust::Text);
}

/// Whether the field means something by its name alone; it is then not followed further.
fn conventional<'a>(collector: &mut Collector<'a>, key: &str, value: &Field<'a>) -> bool {
    if WRITTEN_SECRETS.contains(&key) {
        return true;
    }
    let link = if matches!(key, "secretRef" | "secretKeyRef")
        || key.ends_with("SecretRef")
        || key.ends_with("SecretKeyRef")
        || key.ends_with("Secret")
    {
        Link::secret()
    } else if matches!(key, "configMapRef" | "configMapKeyRef") {
        Link::config_map()
    } else if key == "serviceAccountName" {
        if value.text() != Some("default") {
            named_if_plain(collector, value, &Link::service_account());
        }
        return true;
    } else if matches!(key, "storageClassName" | "storageClass") && value.text().is_some() {
        named_if_plain(collector, value, &Link::storage_class().guessed());
        return true;
    } else if key == "imagePullSecrets" {
        for item in value.items() {
            if let Some(name) = item.get("name") {
                named_if_plain(collector, &name, &Link::pull_secret());
            }
        }
        return true;
    } else if key == "persistentVolumeClaim" {
        if let Some(name) = value.get("claimName") {
            named_if_plain(collector, &name, &Link::claim());
        }
        return true;
    } else {
        return false;
    };
    let Some(name) = value.get("name") else {
        return false;
    };
    let link = link.optional_if(value.is_true("optional"));
    match value.get("namespace") {
        Some(_) => collector.elsewhere(value, &link),
        None => named_if_plain(collector, &name, &link),
    }
    true
}

/// A name that is no template, of something beside the object: a cluster-scoped object has
/// nothing beside it.
fn named_if_plain<'a>(collector: &mut Collector<'a>, name: &Field<'a>, link: &Link) {
    let is_plain = name.text().is_some_and(|text| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
    });
    let has_place = collector.own_namespace().is_some()
        || collector.is_namespaced(&link.kind) == Some(false)
        || collector.is_namespaced(&collector.object.key.kind) == Some(true);
    if is_plain && has_place {
        collector.named(name, None, link);
    }
}

/// Argo CD: the namespace that an application deploys to.
pub(crate) fn argo_application(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    let server = spec.text_at("destination.server");
    let in_cluster = server == Some("https://kubernetes.default.svc")
        || spec.text_at("destination.name") == Some("in-cluster");
    if in_cluster {
        collector.local(&spec, "destination.namespace", &Link::namespace());
    }
    let project = Link::new("argoproj.io", "AppProject", Relation::Class);
    collector.local(&spec, "project", &project);
}

/// Argo Rollouts: a Deployment with another strategy.
pub(crate) fn argo_rollout(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    if let Some(template) = spec.at("template.spec") {
        pod::pod_spec(collector, &template);
    }
    if let Some(workload) = spec.get("workloadRef") {
        let link = Link::new("apps", "Deployment", Relation::ScaleTarget);
        collector.typed(&workload, &link);
    }
    for service in [
        "strategy.blueGreen.activeService",
        "strategy.blueGreen.previewService",
        "strategy.canary.canaryService",
        "strategy.canary.stableService",
    ] {
        collector.local(&spec, service, &Link::service());
    }
}

const EXTERNAL_SECRETS: &str = "external-secrets.io";

pub(crate) fn external_secret(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    if let Some(store) = spec.get("secretStoreRef") {
        secret_store(collector, &store);
    }
    for list in ["data", "dataFrom"] {
        for entry in spec.each(list) {
            if let Some(store) = entry.at("sourceRef.storeRef") {
                secret_store(collector, &store);
            }
        }
    }
}

pub(crate) fn push_secret(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    for store in spec.each("secretStoreRefs") {
        secret_store(collector, &store);
    }
    collector.local(&spec, "selector.secret.name", &Link::secret());
}

fn secret_store<'a>(collector: &mut Collector<'a>, store: &Field<'a>) {
    let Some(name) = store.get("name") else {
        return;
    };
    if store.text_at("kind") == Some("ClusterSecretStore") {
        let link = Link::new(EXTERNAL_SECRETS, "ClusterSecretStore", Relation::Class);
        collector.cluster_named(name.path.clone(), name.text().unwrap_or_default(), &link);
    } else {
        let link = Link::new(EXTERNAL_SECRETS, "SecretStore", Relation::Class);
        collector.named(&name, None, &link);
    }
}

/// Flux: the source of a Kustomization or HelmRelease, what it depends on, and the values it reads.
pub(crate) fn flux_source(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    let source = Link::new("source.toolkit.fluxcd.io", "GitRepository", Relation::Class);
    for field in ["sourceRef", "chart.spec.sourceRef", "chartRef"] {
        if let Some(found) = spec.at(field) {
            collector.typed(&found, &source);
        }
    }
    collector.local(&spec, "targetNamespace", &Link::namespace());
    let sources = spec
        .each("valuesFrom")
        .chain(spec.each("postBuild.substituteFrom"));
    for found in sources {
        let link = match found.text_at("kind") {
            Some("Secret") => Link::secret(),
            Some("ConfigMap") => Link::config_map(),
            _ => continue,
        };
        let link = link.optional_if(found.is_true("optional"));
        collector.local(&found, "name", &link);
    }
}

pub(crate) fn service_monitor(collector: &mut Collector<'_>) {
    monitor(collector, &GroupKind::core("Service"));
}

pub(crate) fn pod_monitor(collector: &mut Collector<'_>) {
    monitor(collector, &GroupKind::core("Pod"));
}

/// Prometheus operator: what is scraped, here, in the namespaces named, or anywhere.
fn monitor(collector: &mut Collector<'_>, kind: &GroupKind) {
    let Some(spec) = collector.spec() else { return };
    let names: Vec<_> = spec.each("namespaceSelector.matchNames").collect();
    for name in &names {
        collector.named(name, None, &Link::namespace());
    }
    let Some(field) = spec.get("selector") else {
        return;
    };
    let Some(selector) = LabelSelector::from_structured(field.value) else {
        return;
    };
    let anywhere = spec
        .get("namespaceSelector")
        .is_some_and(|namespaces| namespaces.is_true("any"));
    if anywhere {
        collector.selects(&field, kind.clone(), None, selector);
    } else if names.is_empty() {
        let namespace = collector.own_namespace();
        collector.selects(&field, kind.clone(), namespace, selector);
    } else {
        for name in names.iter().filter_map(Field::text) {
            collector.selects(&field, kind.clone(), Some(name), selector.clone());
        }
    }
}

pub(crate) fn istio_destination_rule(collector: &mut Collector<'_>) {
    if let Some(host) = collector.root().at("spec.host") {
        istio_host(collector, &host);
    }
}

pub(crate) fn istio_virtual_service(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    for gateway in spec.each("gateways") {
        let link = Link::new("networking.istio.io", "Gateway", Relation::Class);
        match gateway.text().map(|text| text.split_once('/').ok_or(text)) {
            Some(Ok((namespace, name))) => {
                collector.named_as(gateway.path.clone(), name, Some(namespace), &link);
            }
            Some(Err(name)) if name != "mesh" => collector.named(&gateway, None, &link),
            _ => {}
        }
    }
    for protocol in ["http", "tcp", "tls"] {
        for entry in spec.each(protocol) {
            let mirror = entry.at("mirror.host");
            let routes = entry
                .each("route")
                .filter_map(|route| route.at("destination.host"));
            for host in routes.chain(mirror) {
                istio_host(collector, &host);
            }
        }
    }
}

/// A bare name is a Service beside the object; a longer one is found by the scan of the spec.
fn istio_host<'a>(collector: &mut Collector<'a>, host: &Field<'a>) {
    if host.text().is_some_and(|text| !text.contains(['.', '*'])) {
        collector.named(host, None, &Link::service());
    } else {
        hosts::scan(collector, host, Trust::Value);
    }
}

/// Traefik IngressRoute and IngressRouteTCP: services, middlewares, TLS.
pub(crate) fn traefik_route(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    let group = collector.object.key.kind.group.clone();
    for route in spec.each("routes") {
        for service in route.each("services") {
            let link = match service.text_at("kind") {
                Some("TraefikService") => Link::new(&group, "TraefikService", Relation::Service),
                _ => Link::service(),
            };
            traefik_named(collector, &service, &link);
        }
        for middleware in route.each("middlewares") {
            let link = Link::new(&group, "Middleware", Relation::Class);
            traefik_named(collector, &middleware, &link);
        }
    }
    collector.local(&spec, "tls.secretName", &Link::secret());
}

/// Names such as `auth@file` come from another provider than Kubernetes.
fn traefik_named<'a>(collector: &mut Collector<'a>, field: &Field<'a>, link: &Link) {
    if field
        .text_at("name")
        .is_some_and(|name| !name.contains('@'))
    {
        collector.elsewhere_or_here(field, link);
    }
}

/// CloudNativePG: backups, poolers and databases belong to a cluster that they name.
pub(crate) fn cnpg_member(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    let link = Link::new("postgresql.cnpg.io", "Cluster", Relation::Class);
    collector.local(&spec, "cluster.name", &link);
}
