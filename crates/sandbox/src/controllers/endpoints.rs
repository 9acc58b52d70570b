//! Endpoints: the addresses of the pods that a Service selects.
//!
//! Source: kube-controller-manager's endpoints controller.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use underpin_model::{GroupKind, LabelSelector};

use super::{
    Controller, Delay, Writer, client, enqueue, owned,
    pods::{self, has_ended, is_ready},
};
use crate::{State, lifecycle::Key, object, state::Change};

/// Label of what this controller writes (newer servers; older ones have none).
const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";

/// Services.
pub(super) fn services() -> GroupKind {
    GroupKind::core("Service")
}

fn endpoints() -> GroupKind {
    GroupKind::core("Endpoints")
}

/// Asks for a look at a changed Service, and at those that select a changed pod.
pub(super) fn observe(state: &mut State, change: &Change) {
    for controller in [Controller::Endpoints, Controller::EndpointSlices] {
        for key in services_of(state, change) {
            enqueue(state, controller, key, Delay::Reaction);
        }
    }
}

fn services_of(state: &State, change: &Change) -> Vec<Key> {
    if change.kind == services() {
        return vec![Key::of(&change.kind, &change.object)];
    }
    if change.kind == endpoints() && (change.deleted || change.before.is_some()) {
        let key = Key::new(
            services(),
            object::namespace(&change.object),
            object::name(&change.object),
        );
        return vec![key];
    }
    if change.kind != pods::pods() {
        return Vec::new();
    }
    let looks = |pod: &Value| {
        let metadata = pod.pointer("/metadata/labels").cloned();
        let address = pod.pointer("/status/podIP").cloned();
        (
            metadata,
            address,
            is_ready(pod),
            has_ended(pod),
            object::is_deleting(pod),
        )
    };
    let before = change.before.as_deref();
    if !change.deleted && before.map(looks) == Some(looks(&change.object)) {
        return Vec::new();
    }
    let all = client::list(state, &services(), object::namespace(&change.object));
    let selected = all.iter().filter(|service| {
        selector(service).is_some_and(|selector| {
            let now = owned::labels(&change.object);
            let then = before.map(owned::labels);
            selector.matches(&now) || then.is_some_and(|then| selector.matches(&then))
        })
    });
    selected
        .map(|service| Key::of(&services(), service))
        .collect()
}

/// The selector of a Service; `None` if it has none: then others write its endpoints.
fn selector(service: &Value) -> Option<LabelSelector> {
    let selector = LabelSelector::from_map(service.pointer("/spec/selector")?)?;
    let external = object::text(service, "/spec/type") == "ExternalName";
    (!selector.0.is_empty() && !external).then_some(selector)
}

/// One pod behind a Service.
pub(super) struct Member {
    pub(super) address: String,
    pub(super) node: String,
    pub(super) pod: Value,
    pub(super) hostname: String,
    pub(super) ready: bool,
    pub(super) terminating: bool,
    /// Ports in the order of the Service's, those that the pod does not have left out.
    pub(super) ports: Vec<Value>,
}

/// The pods behind a Service that have an address; `None` if it selects none on principle.
pub(super) fn members(state: &State, service: &Value) -> Option<Vec<Member>> {
    let selector = selector(service)?;
    let unready = service.pointer("/spec/publishNotReadyAddresses") == Some(&json!(true));
    let found = client::list(state, &pods::pods(), object::namespace(service));
    let selected = found.iter().filter(|pod| {
        selector.matches(&owned::labels(pod))
            && !has_ended(pod)
            && !object::text(pod, "/status/podIP").is_empty()
    });
    let name = object::name(service);
    let members = selected.map(|pod| Member {
        address: object::text(pod, "/status/podIP").to_owned(),
        node: pods::node(pod).to_owned(),
        pod: json!({
            "kind": "Pod",
            "name": object::name(pod),
            "namespace": object::namespace(pod),
            "uid": object::uid(pod),
        }),
        hostname: if object::text(pod, "/spec/subdomain") == name {
            object::text(pod, "/spec/hostname").to_owned()
        } else {
            String::new()
        },
        ready: unready || (is_ready(pod) && !object::is_deleting(pod)),
        terminating: object::is_deleting(pod),
        ports: ports(service, pod),
    });
    Some(members.collect())
}

fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    let list = service.pointer("/spec/ports").and_then(Value::as_array);
    let ports = list.into_iter().flatten().filter_map(|port| {
        let number = target_port(port, pod)?;
        let mut found = Map::new();
        if let Some(name) = port.get("name") {
            found.insert("name".to_owned(), name.clone());
        }
        found.insert("port".to_owned(), json!(number));
        let protocol = match object::text(port, "/protocol") {
            "" => "TCP",
            protocol => protocol,
        };
        found.insert("protocol".to_owned(), json!(protocol));
        if let Some(application) = port.get("appProtocol") {
            found.insert("appProtocol".to_owned(), application.clone());
        }
        Some(Value::Object(found))
    });
    ports.collect()
}

/// The number of the pod's port that a Service's port leads to.
fn target_port(port: &Value, pod: &Value) -> Option<i64> {
    let name = match port.get("targetPort") {
        None | Some(Value::Null) => return owned::integer(port, "/port"),
        Some(Value::Number(number)) => return number.as_i64().filter(|number| *number > 0),
        Some(Value::String(name)) => name,
        Some(_) => return None,
    };
    let protocol = |value: &Value| match object::text(value, "/protocol") {
        "" => "TCP".to_owned(),
        protocol => protocol.to_owned(),
    };
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    containers
        .into_iter()
        .flatten()
        .filter_map(|container| container.get("ports")?.as_array())
        .flatten()
        .find(|found| object::text(found, "/name") == name && protocol(found) == protocol(port))
        .and_then(|found| owned::integer(found, "/containerPort"))
}

/// Writes the Endpoints of a Service, or deletes those of one that is gone.
pub(super) fn run(state: &mut State, key: &Key) {
    let own = Key::new(endpoints(), &key.namespace, &key.name);
    let current = client::get(state, &own);
    let Some(service) = client::get(state, key) else {
        if let Some(current) = current {
            client::delete(state, &own, object::uid(&current), None, None);
        }
        return;
    };
    let Some(members) = members(state, &service) else {
        return;
    };
    let subsets = subsets(&members);
    let mut labels = service
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    labels.insert(MANAGED_BY.to_owned(), json!("endpoint-controller"));
    if object::text(&service, "/spec/clusterIP") == "None" {
        labels.insert("service.kubernetes.io/headless".to_owned(), json!(""));
    }
    let Some(current) = current else {
        let mut fresh = json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": key.name, "namespace": key.namespace, "labels": labels},
        });
        set_subsets(&mut fresh, subsets);
        // Refused only while the namespace goes.
        drop(client::create(
            state,
            Writer::ControllerManager,
            &endpoints(),
            fresh,
        ));
        return;
    };
    let mut changed = current.as_ref().clone();
    set_subsets(&mut changed, subsets);
    if let Some(metadata) = object::metadata(&mut changed) {
        metadata.insert("labels".to_owned(), Value::Object(labels));
    }
    client::update(state, Writer::ControllerManager, &endpoints(), changed);
}

fn set_subsets(value: &mut Value, subsets: Vec<Value>) {
    if let Some(root) = value.as_object_mut() {
        if subsets.is_empty() {
            root.remove("subsets");
        } else {
            root.insert("subsets".to_owned(), Value::Array(subsets));
        }
    }
}

/// Members by the ports that they have.
fn subsets(members: &[Member]) -> Vec<Value> {
    /// Addresses that are ready, addresses that are not, and their ports.
    type Subset<'m> = (Vec<Value>, Vec<Value>, &'m [Value]);
    let mut by_ports: BTreeMap<String, Subset> = BTreeMap::new();
    for member in members {
        let mut address = json!({"ip": member.address, "targetRef": member.pod});
        if !member.node.is_empty() {
            address["nodeName"] = json!(member.node);
        }
        if !member.hostname.is_empty() {
            address["hostname"] = json!(member.hostname);
        }
        let key = json!(member.ports).to_string();
        let subset = by_ports
            .entry(key)
            .or_insert_with(|| (Vec::new(), Vec::new(), &member.ports));
        if member.ready {
            subset.0.push(address);
        } else if !member.terminating {
            subset.1.push(address);
        }
    }
    let subsets = by_ports
        .into_values()
        .filter(|(ready, unready, _)| !ready.is_empty() || !unready.is_empty())
        .map(|(ready, unready, ports)| {
            let mut subset = Map::new();
            for (field, mut addresses) in [("addresses", ready), ("notReadyAddresses", unready)] {
                addresses.sort_by_cached_key(|address| object::text(address, "/ip").to_owned());
                if !addresses.is_empty() {
                    subset.insert(field.to_owned(), Value::Array(addresses));
                }
            }
            let mut ports = ports.to_vec();
            ports.sort_by_cached_key(|port| object::text(port, "/name").to_owned());
            if !ports.is_empty() {
                subset.insert("ports".to_owned(), Value::Array(ports));
            }
            Value::Object(subset)
        });
    subsets.collect()
}
