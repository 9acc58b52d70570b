//! What every object says by its metadata and kind: its namespace, its owners, its definition.

use underpin_model::{
    FieldPath, GroupKind, ObjectKey, Relation, Strength, Target, builtin_kind, canonical_group,
};

use crate::collector::{Collector, Link};

/// Groups served by an aggregated API server, whose kinds have no CustomResourceDefinition.
const AGGREGATED_GROUPS: &[&str] = &[
    "custom.metrics.k8s.io",
    "external.metrics.k8s.io",
    "metrics.k8s.io",
    "subresources.kubevirt.io",
];

pub(crate) fn extract(collector: &mut Collector<'_>) {
    containment(collector);
    owners(collector);
    definition(collector);
    cert_manager_injection(collector);
}

fn containment(collector: &mut Collector<'_>) {
    let key = &collector.object.key;
    let Some(namespace) = key.namespace.clone() else {
        return;
    };
    if collector.is_namespaced(&key.kind) == Some(false) {
        return;
    }
    let note = format!("lies in namespace {namespace}");
    collector.state(
        FieldPath::new("metadata.namespace"),
        Target::Object(ObjectKey::of_namespace(namespace)),
        Relation::Contained,
        Strength::Required,
        note,
    );
}

fn owners(collector: &mut Collector<'_>) {
    let root = collector.root();
    for owner in root.each("metadata.ownerReferences") {
        let (Some(version), Some(kind), Some(name)) = (
            owner.text_at("apiVersion"),
            owner.text_at("kind"),
            owner.get("name"),
        ) else {
            continue;
        };
        let group = version.split_once('/').map_or("", |(group, _)| group);
        collector.named(&name, None, &Link::new(group, kind, Relation::Owned));
    }
}

/// An object of a kind that Kubernetes does not ship exists by grace of its definition, as far as
/// the world knows the kind's plural.
fn definition(collector: &mut Collector<'_>) {
    let kind: &GroupKind = &collector.object.key.kind;
    let is_custom = kind.group.contains('.')
        && builtin_kind(&kind.group, &kind.kind).is_none()
        && canonical_group(&kind.group, &kind.kind) == kind.group
        && !AGGREGATED_GROUPS.contains(&kind.group.as_str());
    let Some(plural) = collector.plural(kind).filter(|_| is_custom) else {
        return;
    };
    let name = format!("{plural}.{}", kind.group);
    let link = Link::new(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        Relation::InstanceOf,
    );
    collector.named_as(FieldPath::new("kind"), &name, None, &link);
}

/// `cert-manager.io/inject-ca-from: namespace/certificate` on webhooks, CRDs and APIServices:
/// without the certificate, the authority bundle is not renewed.
fn cert_manager_injection(collector: &mut Collector<'_>) {
    for (annotation, group, kind) in [
        (
            "cert-manager.io/inject-ca-from",
            "cert-manager.io",
            "Certificate",
        ),
        ("cert-manager.io/inject-ca-from-secret", "", "Secret"),
    ] {
        let Some(field) = collector.annotation(annotation) else {
            continue;
        };
        let parts = field.text().and_then(|text| text.split_once('/'));
        if let Some((namespace, name)) = parts {
            let link = Link::new(group, kind, Relation::Secret);
            collector.named_as(field.path.clone(), name, Some(namespace), &link);
        }
    }
}
