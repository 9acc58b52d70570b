//! EndpointSlices: the addresses of the pods that a Service selects, in pieces.
//!
//! Source: kube-controller-manager's endpoint slice controller.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};
use underpin_model::GroupKind;

use super::{
    Writer, client,
    endpoints::{Member, members, services},
    owned,
};
use crate::{State, lifecycle::Key, object};

const MANAGER: &str = "endpointslice-controller.k8s.io";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Addresses in one slice.
const SLICE_LIMIT: usize = 100;

fn slices() -> GroupKind {
    GroupKind::new("discovery.k8s.io", "EndpointSlice")
}

/// Writes the slices of a Service. Those of one that is gone are garbage.
pub(super) fn run(state: &mut State, key: &Key) {
    let Some(service) = client::get(state, key) else {
        return;
    };
    if object::is_deleting(&service) {
        return;
    }
    let Some(members) = members(state, &service) else {
        return;
    };
    let mut old: Vec<Arc<Value>> = owned::owned(state, object::uid(&service), &slices());
    old.retain(|slice| owned::labels(slice).get(MANAGED_BY) == Some(&MANAGER));
    for (ports, endpoints) in pieces(&members) {
        // A slice of these ports is changed rather than replaced.
        let place = old
            .iter()
            .position(|slice| ports_of(slice) == ports)
            .or((!old.is_empty()).then_some(0));
        let labels = labels(&service);
        if let Some(place) = place {
            let mut changed = old.remove(place).as_ref().clone();
            if let Some(root) = changed.as_object_mut() {
                root.insert("endpoints".to_owned(), json!(endpoints));
                root.insert("ports".to_owned(), json!(ports));
                object::child(root, "metadata").insert("labels".to_owned(), labels);
            }
            client::update(state, Writer::ControllerManager, &slices(), changed);
        } else {
            let slice = json!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "generateName": format!("{}-", key.name),
                    "namespace": key.namespace,
                    "labels": labels,
                    "ownerReferences": [owned::reference(&services(), &service)],
                },
                "addressType": "IPv4",
                "endpoints": endpoints,
                "ports": ports,
            });
            // Refused only while the namespace goes.
            drop(client::create(
                state,
                Writer::ControllerManager,
                &slices(),
                slice,
            ));
        }
    }
    for surplus in old {
        let key = Key::of(&slices(), &surplus);
        client::delete(state, &key, object::uid(&surplus), None, None);
    }
}

fn ports_of(slice: &Value) -> Vec<Value> {
    let ports = slice.get("ports").and_then(Value::as_array);
    ports.cloned().unwrap_or_default()
}

fn labels(service: &Value) -> Value {
    let mut labels = service
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    labels.insert(MANAGED_BY.to_owned(), json!(MANAGER));
    labels.insert(SERVICE_NAME.to_owned(), json!(object::name(service)));
    if object::text(service, "/spec/clusterIP") == "None" {
        labels.insert("service.kubernetes.io/headless".to_owned(), json!(""));
    }
    Value::Object(labels)
}

/// Ports and endpoints of each slice that there is to be; one without endpoints if there are none.
fn pieces(members: &[Member]) -> Vec<(Vec<Value>, Vec<Value>)> {
    let mut by_ports: BTreeMap<String, (&[Value], Vec<Value>)> = BTreeMap::new();
    for member in members {
        let mut endpoint = Map::new();
        endpoint.insert("addresses".to_owned(), json!([member.address]));
        let conditions = json!({
            "ready": member.ready,
            "serving": member.ready,
            "terminating": member.terminating,
        });
        endpoint.insert("conditions".to_owned(), conditions);
        endpoint.insert("targetRef".to_owned(), member.pod.clone());
        if !member.node.is_empty() {
            endpoint.insert("nodeName".to_owned(), json!(member.node));
        }
        if !member.hostname.is_empty() {
            endpoint.insert("hostname".to_owned(), json!(member.hostname));
        }
        by_ports
            .entry(json!(member.ports).to_string())
            .or_insert_with(|| (&member.ports, Vec::new()))
            .1
            .push(Value::Object(endpoint));
    }
    if by_ports.is_empty() {
        return vec![(Vec::new(), Vec::new())];
    }
    let pieces = by_ports.into_values().flat_map(|(ports, endpoints)| {
        let ports: Vec<Value> = ports
            .iter()
            .map(|port| {
                // A port without a name has an empty one here.
                let mut port = port.clone();
                if let Some(port) = port.as_object_mut() {
                    port.entry("name").or_insert_with(|| json!(""));
                }
                port
            })
            .collect();
        let chunks: Vec<_> = endpoints
            .chunks(SLICE_LIMIT)
            .map(|chunk| (ports.clone(), chunk.to_vec()))
            .collect();
        chunks
    });
    pieces.collect()
}
