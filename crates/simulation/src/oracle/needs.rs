//! What pods need, found by looking at their templates alone.

use serde_json::Value;

use super::snapshot::{Id, Snapshot, is_going, text};

/// Everything in a namespace that needs the object, by its pods' own words.
pub(super) fn needed_by(world: &Snapshot, object: &Id) -> Vec<Id> {
    world
        .iter()
        .filter(|(id, value)| {
            id.namespace == object.namespace
                && matches!(id.kind.as_str(), "Deployment" | "StatefulSet" | "Job")
                && !is_going(value)
                && template_needs(value, object)
        })
        .map(|(id, _)| id.clone())
        .collect()
}

fn template_needs(workload: &Value, object: &Id) -> bool {
    let Some(pod) = workload.pointer("/spec/template/spec") else {
        return false;
    };
    let volumes = list(pod, "/volumes");
    let containers = list(pod, "/containers");
    match object.kind.as_str() {
        "Secret" => volumes
            .iter()
            .any(|volume| text(volume, "/secret/secretName") == object.name),
        "PersistentVolumeClaim" => volumes
            .iter()
            .any(|volume| text(volume, "/persistentVolumeClaim/claimName") == object.name),
        "ConfigMap" => containers.iter().any(|container| {
            list(container, "/envFrom")
                .iter()
                .any(|source| text(source, "/configMapRef/name") == object.name)
        }),
        "ServiceAccount" => text(pod, "/serviceAccountName") == object.name,
        _ => false,
    }
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}
