use std::collections::BTreeMap;

use serde_json::{Value, json};
use underpin_model::GroupKind;

use super::*;
use crate::{Config, State};

/// Two minutes and five seconds after the objects here were created.
const NOW: &str = "2026-01-01T00:02:05Z";

/// Cells by column.
fn cells(kind: &Kind, mut object: Value) -> BTreeMap<String, Value> {
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let items = [Arc::new(object)];
    let table = table_with(kind, &items, NOW.parse().unwrap(), Include::Metadata);
    let columns = table["columnDefinitions"].as_array().unwrap();
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(columns.len(), cells.len());
    let names = columns
        .iter()
        .map(|column| object::text(column, "/name").to_owned());
    names.zip(cells.iter().cloned()).collect()
}

#[track_caller]
fn check(group: &str, kind: &str, object: Value, expect: &[(&str, Value)]) {
    let state = State::new(Config::default());
    let kind = state
        .kinds
        .of(&GroupKind::new(group, kind))
        .expect("built in");
    let cells = cells(kind, object);
    for (column, expect) in expect {
        assert_eq!(cells.get(*column), Some(expect), "{column}");
    }
}

#[test]
fn every_built_in_kind_has_a_name_and_cells_for_an_empty_object() {
    let state = State::new(Config::default());
    for kind in state.kinds.all().filter(|kind| !kind.is_review) {
        let cells = cells(kind, json!({"metadata": {"name": "x"}}));
        assert_eq!(cells["Name"].as_str().map(|name| &name[..1]), Some("x"));
        assert!(cells.values().all(|cell| !cell.is_null()), "{cells:?}");
    }
}

#[test]
fn pods_tell_what_keeps_them() {
    let pod = |status: Value| {
        json!({
            "metadata": {"name": "web"}, "status": status,
            "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{}]},
        })
    };
    let running = json!({
        "phase": "Running", "podIP": "10.0.0.1",
        "containerStatuses": [
            {"ready": true, "state": {"running": {}}, "restartCount": 2},
            {"ready": false, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        ],
    });
    let expect = [
        ("Ready", json!("1/2")),
        ("Status", json!("CrashLoopBackOff")),
        ("Restarts", json!("2")),
        ("Age", json!("2m5s")),
        ("IP", json!("10.0.0.1")),
        ("Node", json!("<none>")),
    ];
    check("", "Pod", pod(running), &expect);
    let pending = pod(json!({"phase": "Pending"}));
    check("", "Pod", pending.clone(), &[("Status", json!("Pending"))]);
    let mut deleting = pending;
    deleting["metadata"]["deletionTimestamp"] = json!(NOW);
    check("", "Pod", deleting, &[("Status", json!("Terminating"))]);
    let initializing = pod(json!({"phase": "Pending", "initContainerStatuses": [
        {"state": {"terminated": {"exitCode": 1}}},
    ]}));
    check(
        "",
        "Pod",
        initializing,
        &[("Status", json!("Init:ExitCode:1"))],
    );
    let waiting = pod(json!({"phase": "Pending", "initContainerStatuses": [
        {"state": {"waiting": {"reason": "PodInitializing"}}},
    ]}));
    check("", "Pod", waiting, &[("Status", json!("Init:0/1"))]);
}

#[test]
fn workloads_and_services_read_as_usual() {
    let deployment = json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {"spec": {"containers": [{"name": "a", "image": "i:1"}]}},
        },
        "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1},
    });
    let expect = [
        ("Ready", json!("1/3")),
        ("Up-to-date", json!(2)),
        ("Available", json!(1)),
        ("Images", json!("i:1")),
        ("Selector", json!("app=web")),
    ];
    check("apps", "Deployment", deployment, &expect);
    let service = json!({
        "metadata": {"name": "web"},
        "spec": {
            "type": "LoadBalancer", "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"],
            "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}],
        },
    });
    let expect = [
        ("Cluster-IP", json!("10.96.0.7")),
        ("External-IP", json!("<pending>")),
        ("Port(s)", json!("80:30080/TCP")),
        ("Selector", json!("<none>")),
    ];
    check("", "Service", service, &expect);
    let volume = json!({
        "metadata": {"name": "pv"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": "apps", "name": "data"},
        },
        "status": {"phase": "Bound"},
    });
    let expect = [
        ("Capacity", json!("1Gi")),
        ("Access Modes", json!("RWO,RWX")),
        ("Claim", json!("apps/data")),
        ("Status", json!("Bound")),
    ];
    check("", "PersistentVolume", volume, &expect);
}

#[test]
fn long_lists_are_cut_short_and_counted() {
    let addresses: Vec<Value> = (1..=5)
        .map(|n| json!({"ip": format!("10.0.0.{n}")}))
        .collect();
    let endpoints = json!({
        "metadata": {"name": "web"},
        "subsets": [{"addresses": addresses, "ports": [{"port": 80}]}],
    });
    let expect = json!("10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 2 more...");
    check("", "Endpoints", endpoints, &[("Endpoints", expect)]);
}

#[test]
fn custom_resources_have_the_columns_of_their_definition() {
    let state = State::new(Config::default());
    let like = state.kinds.of(&GroupKind::new("", "ConfigMap")).unwrap();
    let definition = json!({"spec": {"versions": [{
        "name": "v1", "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Wrong", "type": "integer", "jsonPath": ".spec.host"},
            {"name": "Host", "type": "string", "jsonPath": ".spec.host", "priority": 1},
            {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
            {"name": "Absent", "type": "string", "jsonPath": ".spec.absent"},
        ],
    }]}});
    let kind = Kind {
        definition: Some(Arc::new(definition)),
        ..like.as_ref().clone()
    };
    let object = json!({"metadata": {"name": "w"}, "spec": {"size": 3, "host": "a.example"}});
    let expect = BTreeMap::from([
        ("Name".to_owned(), json!("w")),
        ("Size".to_owned(), json!(3)),
        ("Wrong".to_owned(), Value::Null),
        ("Host".to_owned(), json!("a.example")),
        ("Since".to_owned(), json!("2m5s")),
        ("Absent".to_owned(), Value::Null),
    ]);
    assert_eq!(cells(&kind, object), expect);
}
