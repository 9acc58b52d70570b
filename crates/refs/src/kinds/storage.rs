//! Volumes, claims, their classes and snapshots.

use underpin_model::Relation;

use crate::{
    collector::{Collector, Link},
    field::Field,
};

/// Secrets of a CSI volume, each `{name, namespace}`.
const CSI_SECRETS: &[&str] = &[
    "controllerExpandSecretRef",
    "controllerPublishSecretRef",
    "nodeExpandSecretRef",
    "nodePublishSecretRef",
    "nodeStageSecretRef",
];

/// Other volume sources with a `secretRef` of `{name, namespace}`.
const SECRET_REF_SOURCES: &[&str] = &[
    "cephfs",
    "cinder",
    "flexVolume",
    "iscsi",
    "rbd",
    "scaleIO",
    "storageos",
];

/// Parameters of in-tree provisioners that name a Secret, with the one that names its namespace.
const SECRET_PARAMETERS: &[(&str, &str)] = &[
    ("adminSecretName", "adminSecretNamespace"),
    ("secretName", "secretNamespace"),
    ("userSecretName", "userSecretNamespace"),
];

pub(crate) fn persistent_volume(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    if let Some(claim) = spec.get("claimRef") {
        // A volume outlives its claim, or is reclaimed; it does not break.
        let link = Link::new("", "PersistentVolumeClaim", Relation::Volume).optional();
        collector.elsewhere(&claim, &link);
    }
    // Statically made volumes carry class names for which there is no class.
    collector.local(&spec, "storageClassName", &Link::storage_class().optional());
    let claimed_in = spec.text_at("claimRef.namespace");
    for secret in CSI_SECRETS {
        if let Some(found) = spec.at(&format!("csi.{secret}")) {
            collector.elsewhere(&found, &Link::secret());
        }
    }
    for source in SECRET_REF_SOURCES {
        if let Some(found) = spec.at(&format!("{source}.secretRef")) {
            volume_secret(collector, &found, "name", "namespace", claimed_in);
        }
    }
    if let Some(found) = spec.get("azureFile") {
        volume_secret(
            collector,
            &found,
            "secretName",
            "secretNamespace",
            claimed_in,
        );
    }
}

/// A Secret that is looked for in the claim's namespace when the volume names none.
fn volume_secret<'a>(
    collector: &mut Collector<'a>,
    field: &Field<'a>,
    name: &str,
    namespace: &str,
    claimed_in: Option<&str>,
) {
    let namespace = field.text_at(namespace).or(claimed_in);
    if let (Some(name), Some(namespace)) = (field.get(name), namespace) {
        collector.named(&name, Some(namespace), &Link::secret());
    }
}

pub(crate) fn persistent_volume_claim(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    let is_bound = spec.text_at("volumeName").is_some();
    let volume = Link::new("", "PersistentVolume", Relation::Volume);
    collector.local(&spec, "volumeName", &volume);
    // Class and source matter until the claim is bound; afterwards only growth asks the class.
    let class = Link::storage_class().optional_if(is_bound);
    collector.local(&spec, "storageClassName", &class);
    let source = spec.get("dataSourceRef").or_else(|| spec.get("dataSource"));
    if let Some(source) = source {
        collector.typed(&source, &Link::claim().optional_if(is_bound));
    }
}

/// StorageClass and VolumeSnapshotClass: parameters that name Secrets. A name or namespace with a
/// placeholder such as `${pvc.namespace}` names none in particular.
pub(crate) fn secret_parameters(collector: &mut Collector<'_>) {
    let Some(parameters) = collector.root().get("parameters") else {
        return;
    };
    for (key, name) in parameters.entries() {
        let namespace_key = key
            .strip_suffix("secret-name")
            .map(|prefix| format!("{prefix}secret-namespace"))
            .or_else(|| {
                let row = SECRET_PARAMETERS.iter().find(|(name, _)| *name == key)?;
                Some(row.1.to_owned())
            });
        let namespace = namespace_key.and_then(|key| parameters.get(&key));
        let namespace = namespace.as_ref().and_then(Field::text);
        let (Some(text), Some(namespace)) = (name.text(), namespace) else {
            continue;
        };
        if !text.contains('$') && !namespace.contains('$') {
            collector.named(&name, Some(namespace), &Link::secret());
        }
    }
}

pub(crate) fn volume_attachment(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    let volume = Link::new("", "PersistentVolume", Relation::Volume).optional();
    collector.local(&spec, "source.persistentVolumeName", &volume);
}

pub(crate) fn volume_snapshot(collector: &mut Collector<'_>) {
    let Some(spec) = collector.spec() else { return };
    // A snapshot once taken outlives the claim that it was taken of.
    let taken = collector
        .object
        .at("/status/readyToUse")
        .and_then(serde_json::Value::as_bool);
    let claim = Link::claim().optional_if(taken == Some(true));
    collector.local(&spec, "source.persistentVolumeClaimName", &claim);
    if let Some(class) = spec.get("volumeSnapshotClassName") {
        let text = class.text().unwrap_or_default();
        let link = Link::new(
            "snapshot.storage.k8s.io",
            "VolumeSnapshotClass",
            Relation::Class,
        );
        collector.cluster_named(class.path.clone(), text, &link);
    }
}
