//! Services, Endpoints and EndpointSlices.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use serde_json::Value;

use super::{
    common::{self, one_of},
    metadata, names,
};
use crate::{
    State,
    admission::{
        causes::{Causes, Verbatim},
        path::Path,
        view::{field, integer, list, present, text},
    },
};

const SPEC: Path<'static> = Path::root("spec");
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];
/// Ports of nodes that Services may have.
const NODE_PORTS: std::ops::Range<i64> = 30_000..32_768;
const KUBELET_PORT: i64 = 10_250;
/// The longest affinity: a day, in seconds.
const AFFINITY_LIMIT: i64 = 86_400;

pub(super) fn service(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    let spec = field(new, "spec");
    if let Some(old) = old {
        address_update(causes, field(old, "spec"), spec);
    }
    let headless = is_headless(spec);
    let kind = text(spec, "type");
    let ports = list(spec, "ports");
    if ports.is_empty() && !headless && kind != "ExternalName" {
        causes.required(&SPEC.child("ports"), "");
    }
    by_type(causes, spec, kind, headless);
    let path = SPEC.child("ports");
    let mut seen = BTreeSet::new();
    for (at, port) in ports.iter().enumerate() {
        service_port(causes, &path.index(at), port, ports.len() > 1, &mut seen);
    }
    metadata::labels(causes, &SPEC.child("selector"), field(spec, "selector"));
    affinity(causes, spec);
    if kind != "ExternalName" {
        addresses(causes, spec, headless);
    }
    let path = SPEC.child("externalIPs");
    for (at, address) in list(spec, "externalIPs")
        .iter()
        .filter_map(Value::as_str)
        .enumerate()
    {
        address_for_all(causes, &path.index(at), address);
    }
    one_of(causes, &SPEC, spec, "type", &TYPES);
    repeated_ports(causes, spec, kind);
    traffic(causes, spec, kind);
}

/// Whether the cluster can give what a Service asks for: addresses and node ports that are in
/// range, and no other Service's.
pub(super) fn allocation(causes: &mut Causes, state: &State, old: Option<&Value>, new: &Value) {
    let spec = field(new, "spec");
    let was = field(old.unwrap_or(&Value::Null), "spec");
    let address = text(spec, "clusterIP");
    if text(spec, "type") != "ExternalName" && address != text(was, "clusterIP") {
        let path = SPEC.child("clusterIPs");
        let refuse = |causes: &mut Causes, why: &str| {
            let detail = format!("failed to allocate IP {address}: {why}");
            causes.invalid(&path, field(spec, "clusterIPs"), &detail);
        };
        match address.parse::<Ipv4Addr>().map(|address| address.octets()) {
            // The Service has no such address yet: it is another's.
            Ok([10, 96, ..]) if state.service_allocations.has_address(address) => {
                refuse(causes, "provided IP is already allocated");
            }
            Ok([10, 96, ..]) => {}
            Ok(_) => {
                let range = "The range of valid IPs is 10.96.0.0/16";
                let why = format!("the provided IP ({address}) is not in the valid range. {range}");
                refuse(causes, &why);
            }
            Err(_) => {}
        }
    }
    node_ports(causes, state, spec, was);
}

fn node_ports(causes: &mut Causes, state: &State, spec: &Value, was: &Value) {
    let ports_of = |spec: &Value| -> BTreeSet<i64> {
        let ports = list(spec, "ports").iter();
        ports.filter_map(|port| integer(port, "nodePort")).collect()
    };
    let (had, path) = (ports_of(was), SPEC.child("ports"));
    for (at, port) in list(spec, "ports").iter().enumerate() {
        let Some(number) = integer(port, "nodePort").filter(|number| !had.contains(number)) else {
            continue;
        };
        let port_path = path.index(at);
        let node_port = port_path.child("nodePort");
        if !NODE_PORTS.contains(&number) {
            let detail = "provided port is not in the valid range. The range of valid ports is \
                          30000-32767";
            causes.invalid(&node_port, &number, detail);
        } else if u64::try_from(number).is_ok_and(|port| state.service_allocations.has_port(port)) {
            causes.invalid(&node_port, &number, "provided port is already allocated");
        }
    }
}

fn is_headless(spec: &Value) -> bool {
    matches!(list(spec, "clusterIPs"), [only] if only == "None")
}

fn by_type(causes: &mut Causes, spec: &Value, kind: &str, headless: bool) {
    let addresses = SPEC.child("clusterIPs");
    match kind {
        "LoadBalancer" | "NodePort" => {
            let path = SPEC.child("ports");
            for (at, port) in list(spec, "ports").iter().enumerate() {
                if kind == "LoadBalancer" && integer(port, "port") == Some(KUBELET_PORT) {
                    let detail = format!(
                        "may not expose port {KUBELET_PORT} externally since it is used by kubelet"
                    );
                    causes.invalid(&path.index(at), &KUBELET_PORT, &detail);
                }
            }
            if headless {
                let detail = format!("may not be set to 'None' for {kind} services");
                causes.invalid(&addresses.index(0), "None", &detail);
            }
        }
        "ExternalName" => {
            let detail = "may not be set for ExternalName services";
            for name in ["clusterIPs", "ipFamilies"] {
                if !list(spec, name).is_empty() {
                    causes.forbidden(&SPEC.child(name), detail);
                }
            }
            if present(spec, "ipFamilyPolicy").is_some() {
                causes.forbidden(&SPEC.child("ipFamilyPolicy"), detail);
            }
            let name = text(spec, "externalName");
            let name = name.strip_suffix('.').unwrap_or(name);
            let path = SPEC.child("externalName");
            if name.is_empty() {
                causes.required(&path, "");
            } else {
                causes.invalid_each(&path, name, &names::subdomain(name));
            }
        }
        _ => {}
    }
}

fn service_port<'v>(
    causes: &mut Causes,
    path: &Path<'_>,
    port: &'v Value,
    needs_name: bool,
    seen: &mut BTreeSet<&'v str>,
) {
    let name = text(port, "name");
    if !name.is_empty() {
        causes.invalid_each(&path.child("name"), name, &names::label(name));
        if !seen.insert(name) {
            causes.duplicate(&path.child("name"), name);
        }
    } else if needs_name {
        causes.required(&path.child("name"), "");
    }
    common::port_number(causes, path, port, "port");
    one_of(causes, path, port, "protocol", &PROTOCOLS);
    common::port(causes, &path.child("targetPort"), field(port, "targetPort"));
    let protocol = text(port, "appProtocol");
    if !protocol.is_empty() {
        let found = names::qualified(protocol);
        causes.invalid_each(&path.child("appProtocol"), protocol, &found);
    }
}

fn affinity(causes: &mut Causes, spec: &Value) {
    one_of(
        causes,
        &SPEC,
        spec,
        "sessionAffinity",
        &["ClientIP", "None"],
    );
    let path = SPEC.child("sessionAffinityConfig");
    let config = present(spec, "sessionAffinityConfig");
    match (text(spec, "sessionAffinity"), config) {
        ("ClientIP", Some(config)) => {
            let client = path.child("clientIP");
            let seconds = integer(field(config, "clientIP"), "timeoutSeconds").unwrap_or_default();
            if seconds <= 0 || seconds > AFFINITY_LIMIT {
                let detail = format!("must be greater than 0 and less than {AFFINITY_LIMIT}");
                causes.invalid(&client.child("timeoutSeconds"), &seconds, &detail);
            }
        }
        ("None", Some(_)) => {
            causes.forbidden(&path, "must not be set when session affinity is None");
        }
        _ => {}
    }
}

fn addresses(causes: &mut Causes, spec: &Value, headless: bool) {
    const POLICIES: [&str; 3] = ["PreferDualStack", "RequireDualStack", "SingleStack"];
    let path = SPEC.child("clusterIPs");
    let single = text(spec, "clusterIP");
    let all = list(spec, "clusterIPs");
    let shown = field(spec, "clusterIPs");
    match (single.is_empty(), all) {
        (false, []) => causes.required(&path, ""),
        (false, [first, ..]) if first != single => {
            causes.invalid(&path, shown, "first value must match `clusterIP`");
        }
        (true, [_, ..]) => {
            causes.invalid(
                &path,
                shown,
                "must be empty when `clusterIP` is not specified",
            );
        }
        _ => {}
    }
    let families = SPEC.child("ipFamilies");
    for (at, family) in list(spec, "ipFamilies").iter().enumerate() {
        if !matches!(family.as_str(), Some("IPv4" | "IPv6")) {
            causes.not_supported(&families.index(at), family, &["IPv4", "IPv6"]);
        }
    }
    common::one_of_if_set(causes, &SPEC, spec, "ipFamilyPolicy", &POLICIES);
    if headless {
        return;
    }
    for (at, address) in all.iter().filter_map(Value::as_str).enumerate() {
        causes.invalid_each(&path.index(at), address, &names::ip_address(address));
    }
    if all.len() > 2 {
        causes.invalid(&path, shown, "may only hold up to 2 values");
    }
}

/// The first address stays as long as there is one.
fn address_update(causes: &mut Causes, old: &Value, new: &Value) {
    let is_name = |spec: &Value| text(spec, "type") == "ExternalName";
    if is_name(old) || is_name(new) {
        return;
    }
    let path = SPEC.child("clusterIPs");
    let (before, after) = (list(old, "clusterIPs"), list(new, "clusterIPs"));
    match (before.first(), after.first()) {
        (Some(_), None) => {
            let detail = "primary clusterIP can not be unset";
            causes.invalid(&path.index(0), field(new, "clusterIPs"), detail);
        }
        (Some(was), Some(is)) if was != is => {
            let detail = "may not change once set";
            causes.invalid(&path.index(0), field(new, "clusterIPs"), detail);
        }
        _ => {}
    }
}

fn repeated_ports(causes: &mut Causes, spec: &Value, kind: &str) {
    let path = SPEC.child("ports");
    let (mut node_ports, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for (at, port) in list(spec, "ports").iter().enumerate() {
        let path = path.index(at);
        let protocol = text(port, "protocol");
        if let Some(number) = integer(port, "nodePort").filter(|number| *number != 0) {
            if kind == "ClusterIP" {
                let detail = "may not be used when `type` is 'ClusterIP'";
                causes.forbidden(&path.child("nodePort"), detail);
            }
            if !node_ports.insert((protocol, number)) {
                causes.duplicate(&path.child("nodePort"), &number);
            }
        }
        let number = integer(port, "port").unwrap_or_default();
        if !ports.insert((protocol, number)) {
            // The server's inner form, of which only these two are set.
            causes.duplicate(&path, &Verbatim(format!(
                "{{\"Name\":\"\",\"Protocol\":\"{protocol}\",\"AppProtocol\":null,\"Port\":{number},\"TargetPort\":0,\"NodePort\":0}}"
            )));
        }
    }
}

fn traffic(causes: &mut Causes, spec: &Value, kind: &str) {
    const POLICIES: [&str; 2] = ["Cluster", "Local"];
    let outside = matches!(kind, "LoadBalancer" | "NodePort");
    let path = SPEC.child("externalTrafficPolicy");
    let policy = text(spec, "externalTrafficPolicy");
    if !policy.is_empty() {
        let external = !list(spec, "externalIPs").is_empty();
        let is_reachable = outside || (kind == "ClusterIP" && external);
        if !is_reachable {
            let detail = "may only be set for externally-accessible services";
            causes.invalid(&path, policy, detail);
        } else if !matches!(policy, "Cluster" | "Local") {
            causes.not_supported(&path, policy, &["Cluster", "Local"]);
        }
    } else if outside {
        causes.required(&path, "");
    }
    common::one_of_if_set(causes, &SPEC, spec, "internalTrafficPolicy", &POLICIES);
    let check = integer(spec, "healthCheckNodePort").unwrap_or_default();
    if check != 0 && !(kind == "LoadBalancer" && policy == "Local") {
        let detail =
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        causes.invalid(&SPEC.child("healthCheckNodePort"), &check, detail);
    }
}

/// An address that is nobody's own.
fn address_for_all(causes: &mut Causes, path: &Path<'_>, text: &str) {
    let found = names::ip_address(text);
    causes.invalid_each(path, text, &found);
    let Ok(address) = text.parse::<IpAddr>() else {
        return;
    };
    let is_link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    };
    let is_link_local_multicast = match address {
        IpAddr::V4(address) => address.octets()[..3] == [224, 0, 0],
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    };
    for (is_so, detail) in [
        (
            address.is_unspecified(),
            "may not be unspecified (0.0.0.0 or ::)",
        ),
        (
            address.is_loopback(),
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            is_link_local,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            is_link_local_multicast,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    ] {
        if is_so {
            causes.invalid(path, text, detail);
        }
    }
}

pub(super) fn endpoints(causes: &mut Causes, new: &Value) {
    let path = Path::root("subsets");
    for (at, subset) in list(new, "subsets").iter().enumerate() {
        const LISTS: [&str; 2] = ["addresses", "notReadyAddresses"];
        let path = path.index(at);
        if LISTS.iter().all(|name| list(subset, name).is_empty()) {
            causes.required(&path, "must specify `addresses` or `notReadyAddresses`");
        }
        for name in LISTS {
            let path = path.child(name);
            for (at, address) in list(subset, name).iter().enumerate() {
                let path = path.index(at);
                address_for_all(causes, &path.child("ip"), text(address, "ip"));
                common::reference(causes, &path, address, "hostname", names::label);
                common::reference(causes, &path, address, "nodeName", names::subdomain);
            }
        }
        let ports = list(subset, "ports");
        let path = path.child("ports");
        for (at, port) in ports.iter().enumerate() {
            let path = path.index(at);
            let name = text(port, "name");
            if name.is_empty() && ports.len() > 1 {
                causes.required(&path.child("name"), "");
            }
            common::reference(causes, &path, port, "name", names::label);
            common::port_number(causes, &path, port, "port");
            one_of(causes, &path, port, "protocol", &PROTOCOLS);
        }
    }
}

pub(super) fn endpoint_slice(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    const TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
    const ADDRESSES: usize = 100;
    let kind = text(new, "addressType");
    if kind.is_empty() {
        causes.required(&Path::root("addressType"), "");
    } else if !TYPES.contains(&kind) {
        causes.not_supported(&Path::root("addressType"), kind, &TYPES);
    }
    let path = Path::root("endpoints");
    for (at, endpoint) in list(new, "endpoints").iter().enumerate() {
        let path = path.index(at);
        let addresses = path.child("addresses");
        let all = list(endpoint, "addresses");
        if all.is_empty() {
            causes.required(&addresses, "must contain at least 1 address");
        } else if all.len() > ADDRESSES {
            causes.too_many(&addresses, all.len(), ADDRESSES);
        }
        for (at, address) in all.iter().filter_map(Value::as_str).enumerate() {
            let path = addresses.index(at);
            match (kind, address.parse::<IpAddr>()) {
                ("IPv4", Ok(IpAddr::V4(_))) | ("IPv6", Ok(IpAddr::V6(_))) => {
                    address_for_all(causes, &path, address);
                }
                ("IPv4", _) => causes.invalid(&path, address, "must be a valid IPv4 address"),
                ("IPv6", _) => causes.invalid(&path, address, "must be a valid IPv6 address"),
                _ => causes.invalid_each(&path, address, &names::subdomain(address)),
            }
        }
        common::reference(causes, &path, endpoint, "nodeName", names::subdomain);
        common::reference(causes, &path, endpoint, "hostname", names::label);
    }
    let path = Path::root("ports");
    let ports = list(new, "ports");
    for (at, port) in ports.iter().enumerate() {
        let path = path.index(at);
        common::reference(causes, &path, port, "name", names::label);
        one_of(causes, &path, port, "protocol", &PROTOCOLS);
    }
    causes.duplicates(&path, "name", ports.iter().map(|port| text(port, "name")));
    if let Some(old) = old {
        let path = Path::root("addressType");
        causes.immutable(&path, old.get("addressType"), new.get("addressType"));
    }
}
