//! Claims find volumes, and what becomes of volumes.

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::Cluster;
use crate::object;

const CLAIMS: &str = "/api/v1/namespaces/a/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";

fn claim(name: &str, class: Option<&str>) -> Value {
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    });
    if let Some(class) = class {
        claim["spec"]["storageClassName"] = json!(class);
    }
    claim
}

fn volume(name: &str, size: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": size},
            "hostPath": {"path": "/data"},
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "",
        },
    })
}

impl Cluster {
    #[track_caller]
    fn phase(&mut self, path: &str) -> String {
        object::text(&self.get(path), "/status/phase").to_owned()
    }
}

#[test]
fn the_reclaim_policy_decides_over_the_volume() {
    for (policy, left) in [("Delete", 404), ("Retain", 200)] {
        let mut cluster = Cluster::new();
        cluster.namespace("a");
        cluster.post(CLAIMS, &claim("data", None));
        cluster.settle();
        let bound = cluster.get(&format!("{CLAIMS}/data"));
        assert_eq!(bound["status"]["phase"], "Bound", "{bound:#}");
        let path = format!("{VOLUMES}/{}", object::text(&bound, "/spec/volumeName"));
        assert_eq!(cluster.phase(&path), "Bound");
        cluster.patch(
            &path,
            &json!({"spec": {"persistentVolumeReclaimPolicy": policy}}),
        );
        cluster.delete(&format!("{CLAIMS}/data"), &[]);
        cluster.settle();
        assert_eq!(cluster.code(&format!("{CLAIMS}/data")), 404);
        assert_eq!(cluster.code(&path), left, "{policy}");
        if left == 200 {
            assert_eq!(cluster.phase(&path), "Released");
        }
    }
}

#[test]
fn the_smallest_volume_that_will_do_is_taken() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    for (name, size) in [("big", "9Gi"), ("small", "1Gi"), ("tiny", "1Mi")] {
        cluster.post(VOLUMES, &volume(name, size));
    }
    cluster.settle();
    cluster.post(CLAIMS, &claim("data", Some("")));
    cluster.settle();
    assert_eq!(
        cluster.get(&format!("{CLAIMS}/data"))["spec"]["volumeName"],
        "small"
    );
    assert_eq!(cluster.phase(&format!("{VOLUMES}/big")), "Available");
}

#[test]
fn a_released_volume_binds_again_only_to_whom_it_is_pointed_at() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.namespace("b");
    cluster.post(VOLUMES, &volume("v", "1Gi"));
    cluster.post(CLAIMS, &claim("data", Some("")));
    cluster.settle();
    cluster.delete(&format!("{CLAIMS}/data"), &[]);
    cluster.settle();
    let others = "/api/v1/namespaces/b/persistentvolumeclaims";
    cluster.post(others, &claim("data", Some("")));
    cluster.post(CLAIMS, &claim("data", Some("")));
    cluster.settle();
    assert_eq!(cluster.phase(&format!("{VOLUMES}/v")), "Released");
    assert_eq!(cluster.phase(&format!("{CLAIMS}/data")), "Pending");
    let reference = json!({
        "namespace": "b", "name": "data", "uid": null, "resourceVersion": null,
    });
    cluster.patch(
        &format!("{VOLUMES}/v"),
        &json!({"spec": {"claimRef": reference}}),
    );
    cluster.settle();
    assert_eq!(cluster.phase(&format!("{others}/data")), "Bound");
    assert_eq!(cluster.phase(&format!("{VOLUMES}/v")), "Bound");
    assert_eq!(cluster.phase(&format!("{CLAIMS}/data")), "Pending");
}

#[test]
fn a_claim_in_use_stays_until_its_pod_is_gone() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(CLAIMS, &claim("data", None));
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {
            "containers": [{"name": "main", "image": "example.com/main:1"}],
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    });
    cluster.post("/api/v1/namespaces/a/pods", &pod);
    cluster.settle();
    assert_eq!(cluster.phase("/api/v1/namespaces/a/pods/p"), "Running");
    cluster.delete(&format!("{CLAIMS}/data"), &[]);
    cluster.settle();
    assert_eq!(cluster.code(&format!("{CLAIMS}/data")), 200);
    cluster.delete("/api/v1/namespaces/a/pods/p", &[]);
    cluster.settle();
    assert_eq!(cluster.code(&format!("{CLAIMS}/data")), 404);
    assert_eq!(
        cluster.names(&GroupKind::core("PersistentVolume"), ""),
        [""; 0]
    );
}

#[test]
fn a_class_may_wait_for_the_first_pod() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "late"},
        "provisioner": "example.com/disks", "volumeBindingMode": "WaitForFirstConsumer",
    });
    cluster.post("/apis/storage.k8s.io/v1/storageclasses", &class);
    cluster.post(CLAIMS, &claim("data", Some("late")));
    cluster.settle();
    assert_eq!(cluster.phase(&format!("{CLAIMS}/data")), "Pending");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {
            "containers": [{"name": "main", "image": "example.com/main:1"}],
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    });
    cluster.post("/api/v1/namespaces/a/pods", &pod);
    cluster.settle();
    assert_eq!(cluster.phase(&format!("{CLAIMS}/data")), "Bound");
    assert_eq!(cluster.phase("/api/v1/namespaces/a/pods/p"), "Running");
}

#[test]
fn a_claim_loses_a_volume_that_is_forced_away() {
    let mut cluster = Cluster::new();
    cluster.namespace("a");
    cluster.post(VOLUMES, &volume("v", "1Gi"));
    cluster.post(CLAIMS, &claim("data", Some("")));
    cluster.settle();
    cluster.delete(&format!("{VOLUMES}/v"), &[]);
    cluster.settle();
    // The finalizer keeps a bound volume.
    assert_eq!(cluster.phase(&format!("{VOLUMES}/v")), "Bound");
    cluster.patch(
        &format!("{VOLUMES}/v"),
        &json!({"metadata": {"finalizers": null}}),
    );
    cluster.settle();
    assert_eq!(cluster.code(&format!("{VOLUMES}/v")), 404);
    assert_eq!(cluster.phase(&format!("{CLAIMS}/data")), "Lost");
}
