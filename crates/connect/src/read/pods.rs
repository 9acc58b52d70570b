//! Pods and the templates they are made from.

use std::{net::IpAddr, sync::Arc};

use serde_json::Value;
use underpin_model::{FieldPath, Object, Protocol, UnknownPart, canonical_group};
use underpin_refs::{bears_pods, pod_template};

use super::reader::field;
use crate::{
    gap::Gap,
    labels::{Labels, Tri},
    policy::NamedPorts,
    profile::Profile,
    reason::Reason,
};

/// What a pod, or the template of pods, says of itself.
#[derive(Debug)]
pub(crate) struct PodFields {
    pub(crate) labels: Labels,
    pub(crate) ports: NamedPorts,
    pub(crate) host_network: Tri,
    /// The pod's addresses, where it has any already.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) node: Option<String>,
    /// Whether it asks OVN-Kubernetes to open ports of its own on the cluster's default network.
    pub(crate) opens_ports: bool,
}

/// The annotation by which a pod on a network of its own opens ports on the cluster's default one.
const OPEN_DEFAULT_PORTS: &str = "k8s.ovn.org/open-default-ports";

/// The fields of a pod or workload. `None` for what bears no pods, and for what was not read.
pub(crate) fn pod_fields(object: &Object, profile: Profile) -> Option<PodFields> {
    let Some((path, template)) = pod_template(object) else {
        return unknown_fields(object);
    };
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let mut labels = labels_of(object, &path.key("metadata"), template.get("metadata"));
    let path = path.key("spec");
    let mut ports = named_ports(spec);
    ports.open |= has_unknown_ports(object, &path);
    if profile == Profile::Documented {
        add_controllers_labels(object, &mut labels);
    }
    Some(PodFields {
        labels,
        ports,
        host_network: host_network(object, &path, spec),
        addresses: addresses(template),
        node: field(spec, "nodeName")
            .and_then(Value::as_str)
            .map(str::to_owned),
        opens_ports: template
            .pointer("/metadata/annotations")
            .and_then(|annotations| field(annotations, OPEN_DEFAULT_PORTS))
            .is_some(),
    })
}

/// The addresses of a pod out of the network of pods: one of the host network has none there.
pub(crate) fn pod_addresses(pod: &Object) -> Vec<IpAddr> {
    let spec = pod.at("/spec").unwrap_or(&Value::Null);
    match host_network(pod, &FieldPath::new("spec"), spec) {
        Tri::No => addresses(&pod.value),
        Tri::Maybe | Tri::Yes => Vec::new(),
    }
}

fn host_network(object: &Object, path: &FieldPath, spec: &Value) -> Tri {
    match field(spec, "hostNetwork") {
        None if object.unknown.around(&path.key("hostNetwork")).is_some() => Tri::Maybe,
        value => (value.and_then(Value::as_bool) == Some(true)).into(),
    }
}

/// The fields of pods of which the template is not known, and nothing with it.
fn unknown_fields(object: &Object) -> Option<PodFields> {
    let path = FieldPath::new("spec");
    let part = object.unknown.inside(&path);
    let part = part.or_else(|| object.unknown.around(&path))?;
    bears_pods(&object.key.kind).then(|| PodFields {
        labels: Labels {
            open: true,
            why: Some(because(object, part)),
            ..Labels::default()
        },
        ports: NamedPorts {
            known: Vec::new(),
            open: true,
        },
        host_network: Tri::Maybe,
        addresses: Vec::new(),
        node: None,
        opens_ports: false,
    })
}

fn because(object: &Object, part: &UnknownPart) -> Arc<Reason> {
    Arc::new(Gap::later(part).reason(&object.key))
}

/// Whether ports of containers, or which containers there are, is not known.
fn has_unknown_ports(object: &Object, spec: &FieldPath) -> bool {
    let lists = ["containers", "initContainers"].map(|list| spec.key(list));
    let is_about_ports = |part: &UnknownPart, list: &FieldPath| {
        let Some(rest) = part.path.as_str().strip_prefix(list.as_str()) else {
            return false;
        };
        let field = rest.trim_start_matches(|c: char| c == '[' || c.is_ascii_digit());
        let field = field.strip_prefix("].").unwrap_or_default();
        field.is_empty() || field.starts_with("ports") || field == "restartPolicy"
    };
    let inside = |list| object.unknown.iter().any(|part| is_about_ports(part, list));
    lists.iter().any(inside)
        || (!object.unknown.is_empty() && object.unknown.around(spec).is_some())
}

/// The name of an owner that lacks what an owner must have, such as its kind: the server would
/// refuse it.
pub(crate) fn incomplete_owner(object: &Object) -> Option<&str> {
    object.text("/metadata/ownerReferences/0/name")
}

/// The labels in an object's metadata, which is at `path`. What is no text has a value that is not known.
pub(crate) fn labels_of(object: &Object, path: &FieldPath, metadata: Option<&Value>) -> Labels {
    let mut labels = Labels::default();
    let value = metadata.and_then(|metadata| field(metadata, "labels"));
    if !object.unknown.is_empty() {
        let path = path.key("labels");
        let further = object.unknown.around(&path);
        let further = further.filter(|part| value.is_none() || part.path == path);
        labels.open = further.is_some();
        let part = further.or_else(|| object.unknown.inside(&path));
        labels.why = part.map(|part| because(object, part));
    }
    match value {
        Some(Value::Object(entries)) => {
            for (key, value) in entries {
                match value.as_str() {
                    Some(text) => {
                        labels.known.insert(key.clone(), text.to_owned());
                    }
                    None => {
                        labels.possible.insert(key.clone());
                    }
                }
            }
        }
        Some(_) => labels.open = true,
        None => {}
    }
    labels
}

/// Labels that controllers add to the pods they make, with values that no template tells.
fn add_controllers_labels(object: &Object, labels: &mut Labels) {
    let kind = &object.key.kind;
    let added: &[&str] = match (canonical_group(&kind.group, &kind.kind), kind.kind.as_str()) {
        ("apps", "Deployment") => &["pod-template-hash"],
        ("apps", "DaemonSet") => &["controller-revision-hash", "pod-template-generation"],
        ("apps", "StatefulSet") => &[
            "apps.kubernetes.io/pod-index",
            "controller-revision-hash",
            "statefulset.kubernetes.io/pod-name",
        ],
        ("batch", "Job" | "CronJob") => &[
            "batch.kubernetes.io/controller-uid",
            "batch.kubernetes.io/job-completion-index",
            "batch.kubernetes.io/job-name",
            "controller-uid",
            "job-name",
        ],
        _ => return,
    };
    for key in added {
        if !labels.known.contains_key(*key) {
            labels.possible.insert((*key).to_owned());
        }
    }
    if kind.kind == "Job" {
        for key in ["batch.kubernetes.io/job-name", "job-name"] {
            labels.possible.remove(key);
            let name = object.key.name.clone();
            labels.known.entry(key.to_owned()).or_insert(name);
        }
    }
}

/// The ports that containers name, of those that run while the pod serves: init containers only
/// if they are sidecars.
fn named_ports(spec: &Value) -> NamedPorts {
    let list = |key| {
        let containers = field(spec, key).and_then(Value::as_array);
        containers.into_iter().flatten()
    };
    let is_sidecar = |container: &&Value| {
        container.get("restartPolicy").and_then(Value::as_str) == Some("Always")
    };
    let containers = list("containers").chain(list("initContainers").filter(is_sidecar));
    let mut ports = NamedPorts {
        known: Vec::new(),
        open: field(spec, "containers").is_some_and(|containers| !containers.is_array()),
    };
    for container in containers {
        match field(container, "ports") {
            Some(Value::Array(entries)) => {
                ports.known.extend(entries.iter().filter_map(named_port));
            }
            Some(_) => ports.open = true,
            None => {}
        }
    }
    ports.known.sort();
    ports.known.dedup();
    ports
}

fn named_port(entry: &Value) -> Option<(String, Protocol, u16)> {
    let name = field(entry, "name")?.as_str()?;
    let protocol = match field(entry, "protocol") {
        Some(protocol) => Protocol::from_name(protocol.as_str()?)?,
        None => Protocol::Tcp,
    };
    let number = u16::try_from(field(entry, "containerPort")?.as_u64()?).ok()?;
    Some((name.to_owned(), protocol, number))
}

fn addresses(pod: &Value) -> Vec<IpAddr> {
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    // Others may have the addresses of a pod that has ended.
    if matches!(phase, Some("Succeeded" | "Failed")) {
        return Vec::new();
    }
    let many = pod.pointer("/status/podIPs").and_then(Value::as_array);
    let many = many
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.get("ip"));
    let one = pod.pointer("/status/podIP");
    let mut addresses: Vec<IpAddr> = many
        .chain(one)
        .filter_map(|value| value.as_str()?.parse().ok())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}
