//! The core group: pods, services, volumes.

use serde_json::{Map, Value, json};

use super::{set_missing, text};

/// Images are pulled always if they are the latest, by name or by saying nothing.
pub(super) fn container(map: &mut Map<String, Value>) {
    let policy = if is_latest(text(map, "image")) {
        "Always"
    } else {
        "IfNotPresent"
    };
    set_missing(map, "imagePullPolicy", || json!(policy));
}

fn is_latest(image: &str) -> bool {
    if image.is_empty() || image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    match last.rsplit_once(':') {
        Some((_, tag)) => tag == "latest",
        None => true,
    }
}

/// A volume of no kind is an empty directory.
pub(super) fn volume(map: &mut Map<String, Value>) {
    let has_source = map
        .iter()
        .any(|(name, value)| name != "name" && !value.is_null());
    if !has_source {
        map.insert("emptyDir".to_owned(), json!({}));
    }
}

/// A pod itself, not a template: requests follow limits, the host's network its ports.
pub(super) fn pod(map: &mut Map<String, Value>) {
    let Some(Value::Object(spec)) = map.get_mut("spec") else {
        return;
    };
    set_missing(spec, "enableServiceLinks", || json!(true));
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            requests_from_limits(container);
            if host_network {
                host_ports(container);
            }
        }
    }
}

fn requests_from_limits(container: &mut Value) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else {
        return;
    };
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else {
        return;
    };
    let requests = crate::object::child(resources, "requests");
    for (name, amount) in limits {
        requests.entry(name).or_insert(amount);
    }
}

fn host_ports(container: &mut Value) {
    let ports = container.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(number) = port.get("containerPort").cloned() {
            set_missing(port, "hostPort", || number);
        }
    }
}

/// Selector and labels come from the template's labels.
pub(super) fn replication_controller(map: &mut Map<String, Value>) {
    let labels = map
        .get("spec")
        .and_then(|spec| spec.pointer("/template/metadata/labels"))
        .cloned();
    let Some(labels) = labels else { return };
    if let Some(Value::Object(spec)) = map.get_mut("spec") {
        set_missing(spec, "selector", || labels.clone());
    }
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        set_missing(metadata, "labels", || labels);
    }
}

/// Allocatable is the capacity.
pub(super) fn node_status(map: &mut Map<String, Value>) {
    if let Some(capacity) = map.get("capacity").cloned() {
        set_missing(map, "allocatable", || capacity);
    }
}

/// A container's default is its maximum, its default request the default or the minimum.
pub(super) fn limit_range_item(map: &mut Map<String, Value>) {
    if text(map, "type") != "Container" {
        return;
    }
    for (from, to) in [
        ("max", "default"),
        ("default", "defaultRequest"),
        ("min", "defaultRequest"),
    ] {
        let Some(Value::Object(amounts)) = map.get(from).cloned() else {
            continue;
        };
        let target = crate::object::child(map, to);
        for (name, amount) in amounts {
            target.entry(name).or_insert(amount);
        }
    }
}

/// What depends on a service's type and affinity.
pub(super) fn service(map: &mut Map<String, Value>) {
    set_missing(map, "sessionAffinity", || json!("None"));
    set_missing(map, "type", || json!("ClusterIP"));
    if text(map, "sessionAffinity") == "None" {
        map.remove("sessionAffinityConfig");
    } else if text(map, "sessionAffinity") == "ClientIP" {
        let config = map.get("sessionAffinityConfig");
        let timeout = config.and_then(|config| config.pointer("/clientIP/timeoutSeconds"));
        if timeout.is_none() {
            let config = json!({"clientIP": {"timeoutSeconds": 10_800}});
            map.insert("sessionAffinityConfig".to_owned(), config);
        }
    }
    let ports = map.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        let number = port.get("port").cloned().unwrap_or(json!(0));
        if port.get("targetPort") == Some(&json!(0)) {
            port.remove("targetPort");
        }
        set_missing(port, "targetPort", || number);
    }
    let kind = text(map, "type").to_owned();
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        set_missing(map, "externalTrafficPolicy", || json!("Cluster"));
    }
    if matches!(kind.as_str(), "ClusterIP" | "NodePort" | "LoadBalancer") {
        set_missing(map, "internalTrafficPolicy", || json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        set_missing(map, "allocateLoadBalancerNodePorts", || json!(true));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_images() {
        for (image, expected) in [
            ("nginx", true),
            ("nginx:latest", true),
            ("nginx:1.2", false),
            ("registry:5000/nginx", true),
            ("registry:5000/nginx:1", false),
            ("nginx@sha256:0", false),
            ("", false),
        ] {
            assert_eq!(is_latest(image), expected, "{image}");
        }
    }
}
