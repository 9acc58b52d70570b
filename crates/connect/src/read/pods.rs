//! Pods and the templates they are made from.

use std::net::IpAddr;

use serde_json::Value;
use underpin_model::{Object, Protocol, canonical_group};
use underpin_refs::pod_template;

use super::reader::field;
use crate::{labels::Labels, policy::NamedPorts, profile::Profile};

/// What a pod, or the template of pods, says of itself.
#[derive(Debug)]
pub(crate) struct PodFields {
    pub(crate) labels: Labels,
    pub(crate) ports: NamedPorts,
    pub(crate) host_network: bool,
    /// The pod's addresses, where it has any already.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) node: Option<String>,
}

/// The fields of a pod or workload. `None` for what bears no pods, and for what was not read.
pub(crate) fn pod_fields(object: &Object, profile: Profile) -> Option<PodFields> {
    let (_, template) = pod_template(object)?;
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let mut labels = labels_of(template.get("metadata"));
    if profile == Profile::Documented {
        add_controllers_labels(object, &mut labels);
    }
    Some(PodFields {
        labels,
        ports: named_ports(spec),
        host_network: spec.get("hostNetwork").and_then(Value::as_bool) == Some(true),
        addresses: addresses(template),
        node: field(spec, "nodeName")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

/// The name of an owner that lacks what an owner must have, such as its kind: the server would
/// refuse it.
pub(crate) fn incomplete_owner(object: &Object) -> Option<&str> {
    object.text("/metadata/ownerReferences/0/name")
}

/// The labels in an object's metadata. What is no text has a value that is not known.
pub(crate) fn labels_of(metadata: Option<&Value>) -> Labels {
    let mut labels = Labels::default();
    match metadata.and_then(|metadata| field(metadata, "labels")) {
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
        labels.possible.remove("job-name");
        let name = object.key.name.clone();
        labels.known.entry("job-name".to_owned()).or_insert(name);
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
