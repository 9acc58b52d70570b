//! Addresses and ports that a Service gets from the cluster.

use std::{collections::BTreeSet, net::Ipv4Addr};

use serde_json::{Map, Value, json};

use super::view::{list, text};
use crate::State;

/// Addresses of Services: this many of 10.96.0.0/16, the first ones left for well-known ones.
const ADDRESSES: u64 = 65_000;
const FIRST_ADDRESS: u64 = 20;
const NODE_PORTS: std::ops::Range<u64> = 30_000..32_768;
/// Draws before the search for something free goes on in order.
const DRAWS: usize = 16;

/// Gives a new Service what it needs.
pub(super) fn create(state: &mut State, service: &mut Value) {
    let Some(Value::Object(spec)) = service.get_mut("spec") else {
        return;
    };
    addresses(state, spec);
    node_ports(state, spec);
}

/// Leaves an updated Service what it has, and gives it what it needs now.
pub(super) fn update(state: &mut State, old: &Value, service: &mut Value) {
    let old = old.get("spec").cloned().unwrap_or_default();
    let Some(Value::Object(spec)) = service.get_mut("spec") else {
        return;
    };
    // Who changes the single address without the list means both.
    if spec.get("clusterIP") != old.get("clusterIP")
        && spec.get("clusterIPs") == old.get("clusterIPs")
        && let Some(address) = spec.get("clusterIP").cloned()
        && !is_empty(Some(&address))
    {
        spec.insert("clusterIPs".to_owned(), json!([address]));
    }
    if needs_address(&old) && needs_address_map(spec) {
        for name in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if let Some(value) = old.get(name)
                && is_empty(spec.get(name))
            {
                spec.insert(name.to_owned(), value.clone());
            }
        }
    }
    if text(&old, "type") != "ExternalName" && kind(spec) == "ExternalName" {
        for name in ["clusterIP", "clusterIPs"] {
            if spec.get(name) == old.get(name) {
                spec.remove(name);
            }
        }
        for name in ["ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"] {
            if spec.get(name) == old.get(name) {
                spec.remove(name);
            }
        }
    }
    carry_node_ports(&old, spec);
    if kind(spec) == "LoadBalancer" && text(&old, "type") == "LoadBalancer" {
        let was = old.get("healthCheckNodePort");
        if let (Some(port), None) = (was, spec.get("healthCheckNodePort")) {
            spec.insert("healthCheckNodePort".to_owned(), port.clone());
        }
    }
    if !matches!(kind(spec), "LoadBalancer" | "NodePort") {
        for name in [
            "externalTrafficPolicy",
            "allocateLoadBalancerNodePorts",
            "healthCheckNodePort",
        ] {
            if spec.get(name) == old.get(name) {
                spec.remove(name);
            }
        }
    }
    addresses(state, spec);
    node_ports(state, spec);
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn kind(spec: &Map<String, Value>) -> &str {
    spec.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn needs_address(spec: &Value) -> bool {
    matches!(
        text(spec, "type"),
        "ClusterIP" | "NodePort" | "LoadBalancer"
    )
}

fn needs_address_map(spec: &Map<String, Value>) -> bool {
    matches!(kind(spec), "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn addresses(state: &mut State, spec: &mut Map<String, Value>) {
    if !needs_address_map(spec) {
        return;
    }
    let mut single = spec
        .get("clusterIP")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if single.is_empty() && is_empty(spec.get("clusterIPs")) {
        single = free_address(state);
        spec.insert("clusterIP".to_owned(), json!(single));
    }
    if !single.is_empty() && is_empty(spec.get("clusterIPs")) {
        spec.insert("clusterIPs".to_owned(), json!([single]));
    }
    if is_empty(spec.get("ipFamilies")) {
        spec.insert("ipFamilies".to_owned(), json!(["IPv4"]));
    }
    if is_empty(spec.get("ipFamilyPolicy")) {
        spec.insert("ipFamilyPolicy".to_owned(), json!("SingleStack"));
    }
}

fn free_address(state: &mut State) -> String {
    let address = |number: u64| {
        let number = u32::try_from(FIRST_ADDRESS + number % ADDRESSES).unwrap_or_default();
        Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 96, 0, 0)) + number).to_string()
    };
    let mut number = state.random();
    for _ in 0..DRAWS {
        if !state.service_allocations.has_address(&address(number)) {
            return address(number);
        }
        number = state.random();
    }
    let mut all = (0..ADDRESSES).map(address);
    all.find(|address| !state.service_allocations.has_address(address))
        .unwrap_or_default()
}

/// A port keeps the node port that it had, if its new state names none.
fn carry_node_ports(old: &Value, spec: &mut Map<String, Value>) {
    let has_ports = matches!(kind(spec), "NodePort" | "LoadBalancer");
    let had_ports = matches!(text(old, "type"), "NodePort" | "LoadBalancer");
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        let number = |port: &Map<String, Value>, name: &str| port.get(name).and_then(Value::as_i64);
        let same = list(old, "ports")
            .iter()
            .filter_map(Value::as_object)
            .find(|before| {
                number(before, "port") == number(port, "port")
                    && before.get("protocol") == port.get("protocol")
            });
        let Some(before) = same.and_then(|before| number(before, "nodePort")) else {
            continue;
        };
        match number(port, "nodePort") {
            None if has_ports && had_ports => {
                port.insert("nodePort".to_owned(), json!(before));
            }
            Some(now) if !has_ports && had_ports && now == before => {
                port.remove("nodePort");
            }
            _ => {}
        }
    }
}

fn node_ports(state: &mut State, spec: &mut Map<String, Value>) {
    let wanted = match kind(spec) {
        "NodePort" => true,
        "LoadBalancer" => spec.get("allocateLoadBalancerNodePorts") != Some(&json!(false)),
        _ => false,
    };
    let needs_health_check = kind(spec) == "LoadBalancer"
        && spec.get("externalTrafficPolicy") == Some(&json!("Local"))
        && !spec.contains_key("healthCheckNodePort");
    if !wanted && !needs_health_check {
        return;
    }
    let mut given = BTreeSet::new();
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        if wanted && !port.contains_key("nodePort") {
            port.insert("nodePort".to_owned(), json!(free_port(state, &mut given)));
        }
    }
    if needs_health_check {
        let port = free_port(state, &mut given);
        spec.insert("healthCheckNodePort".to_owned(), json!(port));
    }
}

/// A port that no Service has, and that was not `given` in this request; it is then.
fn free_port(state: &mut State, given: &mut BTreeSet<u64>) -> u64 {
    let width = NODE_PORTS.end - NODE_PORTS.start;
    let is_free = |state: &State, port: u64| {
        !state.service_allocations.has_port(port) && !given.contains(&port)
    };
    let drawn = (0..DRAWS).find_map(|_| {
        let port = NODE_PORTS.start + state.random() % width;
        is_free(state, port).then_some(port)
    });
    let port = drawn
        .or_else(|| NODE_PORTS.into_iter().find(|port| is_free(state, *port)))
        .unwrap_or(NODE_PORTS.start);
    given.insert(port);
    port
}
