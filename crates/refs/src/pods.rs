//! Where each workload kind keeps its pod template.

use std::collections::BTreeMap;

use serde_json::Value;
use underpin_model::{FieldPath, GroupKind, Object, ObjectKey, World, canonical_group};

/// The namespace of objects that name none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// How many controllers may stand above one another; deeper chains are cut.
const OWNER_DEPTH: usize = 8;

/// Where containers stand in a pod.
pub(crate) const CONTAINER_LISTS: &[&str] =
    &["initContainers", "containers", "ephemeralContainers"];

/// The dotted path of the pod template in a kind; empty where the object itself is one.
pub(crate) fn template_path(kind: &GroupKind) -> Option<&'static str> {
    let group = canonical_group(&kind.group, &kind.kind);
    Some(match (group, kind.kind.as_str()) {
        ("", "Pod") => "",
        ("", "PodTemplate") => "template",
        ("", "ReplicationController")
        | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job") => "spec.template",
        ("batch", "CronJob") => "spec.jobTemplate.spec.template",
        _ => return None,
    })
}

/// The pod template of a workload kind (Pod itself, Deployment, StatefulSet, DaemonSet,
/// ReplicaSet, ReplicationController, Job, CronJob, PodTemplate): its path, and the template with
/// `metadata` and `spec`. `None` for other kinds, and where the template was not read.
pub fn pod_template(object: &Object) -> Option<(FieldPath, &Value)> {
    let dotted = template_path(&object.key.kind)?;
    let mut path = FieldPath::root();
    let mut value: &Value = &object.value;
    for key in dotted.split('.').filter(|key| !key.is_empty()) {
        value = value.get(key)?;
        path = path.key(key);
    }
    value.is_object().then_some((path, value))
}

/// The labels that pods of this object carry. `None` if it bears no pods, or its template was not
/// read.
pub fn pod_labels(object: &Object) -> Option<BTreeMap<&str, &str>> {
    let (_, template) = pod_template(object)?;
    let labels = template
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    Some(
        labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect(),
    )
}

/// The path of a container of a workload's pods, by name, or of its image.
pub fn container_path(object: &Object, name: &str, image: bool) -> Option<FieldPath> {
    let (path, template) = pod_template(object)?;
    CONTAINER_LISTS.iter().find_map(|list| {
        let containers = template.get("spec")?.get(list)?.as_array()?;
        let is_meant = |one: &Value| one.get("name").and_then(Value::as_str) == Some(name);
        let path = path.key("spec").key(list);
        let path = path.index(containers.iter().position(is_meant)?);
        Some(if image { path.key("image") } else { path })
    })
}

/// Whether objects of the kind are pods or make pods.
pub fn bears_pods(kind: &GroupKind) -> bool {
    template_path(kind).is_some()
}

/// The namespace of an object, as the server would place it.
pub fn namespace_of(key: &ObjectKey) -> &str {
    key.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
}

/// What a pod or template belongs to: the topmost controller that bears pods; for a pod, also a
/// controller of another kind, such as an operator's own. The object itself where it has none. A namespace
/// that is not known stays open.
pub fn workload_of(object: &Object, world: &World) -> ObjectKey {
    let mut key = object.key.clone();
    let namespace = FieldPath::new("metadata.namespace");
    if object.unknown.around(&namespace).is_none() {
        key.namespace
            .get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
    }
    let mut at = Some(object);
    for _ in 0..OWNER_DEPTH {
        let Some(owners) = at.map(Object::owner_references) else {
            break;
        };
        let Some(owner) = owners.into_iter().find(|owner| owner.controller) else {
            break;
        };
        // A mirror pod is owned by its node, which is no workload.
        let is_node = owner.kind.is("", "Node");
        if is_node || (!key.kind.is("", "Pod") && !bears_pods(&owner.kind)) {
            break;
        }
        key = ObjectKey {
            kind: owner.kind,
            namespace: key.namespace,
            name: owner.name,
        };
        at = world.get(&key);
    }
    key
}
