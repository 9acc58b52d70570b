//! Pod templates: volumes, environment, identity, classes, and Service names in text.

use underpin_model::Relation;

use super::hosts::{self, Trust};
use crate::{
    collector::{Collector, Link},
    field::Field,
    pods::{CONTAINER_LISTS, pod_template},
};

/// The ServiceAccount that every namespace has and every pod gets; naming it says nothing.
const DEFAULT_ACCOUNT: &str = "default";

/// The ConfigMap that every namespace has and every pod's token volume mounts.
const CLUSTER_AUTHORITY: &str = "kube-root-ca.crt";

/// Volume sources with a `secretRef` beside the pod.
const SECRET_REF_SOURCES: &[&str] = &[
    "cephfs",
    "cinder",
    "flexVolume",
    "iscsi",
    "rbd",
    "scaleIO",
    "storageos",
];

/// Every workload kind: what its pod template says.
pub(crate) fn workload(collector: &mut Collector<'_>) {
    let Some((path, value)) = pod_template(collector.object) else {
        return;
    };
    let template = Field { value, path };
    if let Some(spec) = template.get("spec") {
        pod_spec(collector, &spec);
    }
}

/// A pod's `spec`, wherever it stands.
pub(crate) fn pod_spec<'a>(collector: &mut Collector<'a>, spec: &Field<'a>) {
    for volume in spec.each("volumes") {
        volume_source(collector, &volume);
    }
    for list in CONTAINER_LISTS {
        for container in spec.each(list) {
            container_references(collector, &container);
        }
    }
    identity(collector, spec);
    let class = |group, kind| Link::new(group, kind, Relation::Class);
    let priority = class("scheduling.k8s.io", "PriorityClass");
    collector.local(spec, "priorityClassName", &priority);
    let runtime = class("node.k8s.io", "RuntimeClass");
    collector.local(spec, "runtimeClassName", &runtime);
}

fn identity<'a>(collector: &mut Collector<'a>, spec: &Field<'a>) {
    let account = spec
        .get("serviceAccountName")
        .filter(|account| account.text().is_some())
        .or_else(|| spec.get("serviceAccount"));
    if let Some(account) = account.filter(|account| account.text() != Some(DEFAULT_ACCOUNT)) {
        collector.named(&account, None, &Link::service_account());
    }
    for pull_secret in spec.each("imagePullSecrets") {
        collector.local(&pull_secret, "name", &Link::pull_secret());
    }
}

fn volume_source<'a>(collector: &mut Collector<'a>, volume: &Field<'a>) {
    if let Some(source) = volume.get("configMap") {
        named_source(collector, &source, "name", Link::config_map());
    }
    if let Some(source) = volume.get("secret") {
        named_source(collector, &source, "secretName", Link::secret());
    }
    for source in volume.each("projected.sources") {
        if let Some(source) = source.get("configMap") {
            named_source(collector, &source, "name", Link::config_map());
        }
        if let Some(source) = source.get("secret") {
            named_source(collector, &source, "name", Link::secret());
        }
    }
    collector.local(volume, "persistentVolumeClaim.claimName", &Link::claim());
    collector.local(
        volume,
        "ephemeral.volumeClaimTemplate.spec.storageClassName",
        &Link::storage_class(),
    );
    for source in SECRET_REF_SOURCES {
        collector.local(volume, &format!("{source}.secretRef.name"), &Link::secret());
    }
    collector.local(volume, "azureFile.secretName", &Link::secret());
    collector.local(volume, "csi.nodePublishSecretRef.name", &Link::secret());
    let provider = Link::new(
        "secrets-store.csi.x-k8s.io",
        "SecretProviderClass",
        Relation::Secret,
    );
    collector.local(
        volume,
        "csi.volumeAttributes.secretProviderClass",
        &provider,
    );
    let endpoints = Link::new("", "Endpoints", Relation::Service);
    collector.local(volume, "glusterfs.endpoints", &endpoints);
}

fn container_references<'a>(collector: &mut Collector<'a>, container: &Field<'a>) {
    for variable in container.each("env") {
        if let Some(source) = variable.at("valueFrom.configMapKeyRef") {
            named_source(collector, &source, "name", Link::config_map());
        }
        if let Some(source) = variable.at("valueFrom.secretKeyRef") {
            named_source(collector, &source, "name", Link::secret());
        }
        if let Some(value) = variable.get("value") {
            hosts::scan(collector, &value, Trust::Value);
        }
    }
    for source in container.each("envFrom") {
        if let Some(source) = source.get("configMapRef") {
            named_source(collector, &source, "name", Link::config_map());
        }
        if let Some(source) = source.get("secretRef") {
            named_source(collector, &source, "name", Link::secret());
        }
    }
    for list in ["command", "args"] {
        for word in container.each(list) {
            hosts::scan(collector, &word, Trust::Value);
        }
    }
}

/// A source such as `{name: app, optional: true}`.
fn named_source<'a>(collector: &mut Collector<'a>, source: &Field<'a>, name: &str, link: Link) {
    let link = link.optional_if(source.is_true("optional"));
    let is_everywhere =
        link.kind.is("", "ConfigMap") && source.text_at(name) == Some(CLUSTER_AUTHORITY);
    if !is_everywhere {
        collector.local(source, name, &link);
    }
}
