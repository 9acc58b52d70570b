//! What is there in a fresh cluster.

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::{Writer, client, namespace, scheduler, volumes};
use crate::{State, access, object};

const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
/// Name, value and description of the priorities that Kubernetes reserves.
const PRIORITIES: [(&str, i64, &str); 2] = [
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another \
         node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
];
/// The default class, whose volumes are made of nothing.
const CLASS: &str = "standard";
const PROVISIONER: &str = "sandbox.underpin.dev/volumes";
/// Where the API server answers, inside the cluster and outside.
const SERVER_ADDRESS: &str = "192.0.2.1";
const SERVER_PORT: u16 = 6443;
/// What every node has besides its slots.
const NODE_CPU: &str = "16";
const NODE_MEMORY: &str = "64Gi";
const NODE_DISK: &str = "100Gi";

/// Puts it all there.
pub(super) fn run(state: &mut State) {
    for name in NAMESPACES {
        create(state, &GroupKind::core("Namespace"), namespace::fresh(name));
    }
    access::bootstrap(state);
    for (name, value, description) in PRIORITIES {
        let kind = GroupKind::new("scheduling.k8s.io", "PriorityClass");
        let class = json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": description,
        });
        create(state, &kind, class);
    }
    let class = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {volumes::DEFAULT_CLASS: "true"}},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    });
    create(state, &volumes::classes(), class);
    server(state);
    let config = state.config.clone();
    for (index, (name, slots)) in config.nodes.iter().enumerate() {
        node(state, name, *slots, index);
    }
}

fn create(state: &mut State, kind: &GroupKind, value: Value) {
    // The cluster is empty: nothing is in the way.
    drop(client::create(state, Writer::ApiServer, kind, value));
}

/// The Service through which pods reach the API server.
fn server(state: &mut State) {
    let label = json!({"component": "apiserver", "provider": "kubernetes"});
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": label},
        "spec": {
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ports": [{
                "name": "https", "port": 443, "protocol": "TCP", "targetPort": SERVER_PORT,
            }],
        },
    });
    create(state, &GroupKind::core("Service"), service);
    let port = json!({"name": "https", "port": SERVER_PORT, "protocol": "TCP"});
    let endpoints = json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [{"addresses": [{"ip": SERVER_ADDRESS}], "ports": [port]}],
    });
    create(state, &GroupKind::core("Endpoints"), endpoints);
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [SERVER_ADDRESS], "conditions": {"ready": true}}],
        "ports": [port],
    });
    create(
        state,
        &GroupKind::new("discovery.k8s.io", "EndpointSlice"),
        slice,
    );
}

fn node(state: &mut State, name: &str, slots: u32, index: usize) {
    let resources = json!({
        "cpu": NODE_CPU,
        "memory": NODE_MEMORY,
        "ephemeral-storage": NODE_DISK,
        "pods": slots.to_string(),
    });
    let now = object::seconds(state.now);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        })
    };
    let conditions = json!([
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        condition(
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
        ),
        condition(
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        condition(
            "Ready",
            "True",
            "KubeletReady",
            "kubelet is posting ready status"
        ),
    ]);
    // Addresses for documentation: nothing listens there.
    let address = format!("198.51.100.{}", index % 250 + 1);
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
            },
        },
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": resources,
            "capacity": resources,
            "conditions": conditions,
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "", "machineID": "", "systemUUID": "",
                "containerRuntimeVersion": "sandbox://1",
                "kernelVersion": "6.1.0",
                "kubeProxyVersion": "v1.33.0",
                "kubeletVersion": "v1.33.0",
                "operatingSystem": "linux",
                "osImage": "Underpin sandbox",
            },
        },
    });
    create(state, &scheduler::nodes(), node);
}
