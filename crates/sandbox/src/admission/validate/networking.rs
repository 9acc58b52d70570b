//! Ingresses, IngressClasses, NetworkPolicies.

use serde_json::Value;

use super::{
    common::{self, cidr, is_strictly_within, required_texts},
    metadata, names,
};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{at, field, integer, list, present, text},
};

const SPEC: Path<'static> = Path::root("spec");
const PATH_TYPES: [&str; 3] = ["Exact", "ImplementationSpecific", "Prefix"];
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

pub(super) fn ingress(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let spec = field(new, "spec");
    let rules = list(spec, "rules");
    let backend = present(spec, "defaultBackend");
    if rules.is_empty() && backend.is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        causes.invalid(&SPEC, field(spec, "rules"), detail);
    }
    if let Some(found) = backend {
        self::backend(causes, &SPEC.child("defaultBackend"), found);
    }
    let path = SPEC.child("rules");
    for (at, rule) in rules.iter().enumerate() {
        self::rule(causes, &path.index(at), rule);
    }
    let path = SPEC.child("tls");
    for (at, tls) in list(spec, "tls").iter().enumerate() {
        let path = path.index(at);
        let hosts = path.child("hosts");
        for (at, host) in list(tls, "hosts")
            .iter()
            .filter_map(Value::as_str)
            .enumerate()
        {
            causes.invalid_each(&hosts.index(at), host, &host_problems(host));
        }
        common::reference(causes, &path, tls, "secretName", names::subdomain);
    }
    common::reference(causes, &SPEC, spec, "ingressClassName", names::subdomain);
    let annotation = text(at(new, "/metadata/annotations"), CLASS_ANNOTATION);
    if old.is_none() && !annotation.is_empty() && present(spec, "ingressClassName").is_some() {
        let path = Path::root("annotations");
        let detail = "can not be set when the class field is also set";
        causes.invalid(&path.child(CLASS_ANNOTATION), annotation, detail);
    }
}

fn host_problems(host: &str) -> Vec<String> {
    if host.contains('*') {
        names::wildcard_subdomain(host)
    } else {
        names::subdomain(host)
    }
}

fn rule(causes: &mut Causes, path: &Path<'_>, rule: &Value) {
    let host = text(rule, "host");
    if !host.is_empty() {
        let path = path.child("host");
        if host.parse::<std::net::IpAddr>().is_ok() {
            causes.invalid(&path, host, "must be a DNS name, not an IP address");
        }
        causes.invalid_each(&path, host, &host_problems(host));
    }
    let Some(http) = present(rule, "http") else {
        return;
    };
    let path = path.child("http");
    let path = path.child("paths");
    let paths = list(http, "paths");
    if paths.is_empty() {
        causes.required(&path, "");
    }
    for (at, found) in paths.iter().enumerate() {
        http_path(causes, &path.index(at), found);
    }
}

fn http_path(causes: &mut Causes, path: &Path<'_>, found: &Value) {
    let Some(kind) = present(found, "pathType").and_then(Value::as_str) else {
        causes.required(&path.child("pathType"), "pathType must be specified");
        return;
    };
    let target = text(found, "path");
    let at = path.child("path");
    match kind {
        "Exact" | "Prefix" => {
            if !target.starts_with('/') {
                causes.invalid(&at, target, "must be an absolute path");
            }
            for part in ["//", "/./", "/../", "%2f", "%2F"] {
                if target.contains(part) {
                    causes.invalid(&at, target, &format!("must not contain '{part}'"));
                }
            }
            for end in ["/..", "/."] {
                if target.ends_with(end) {
                    causes.invalid(&at, target, &format!("cannot end with '{end}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !target.is_empty() && !target.starts_with('/') {
                causes.invalid(&at, target, "must be an absolute path");
            }
        }
        other => causes.not_supported(&path.child("pathType"), other, &PATH_TYPES),
    }
    backend(causes, &path.child("backend"), field(found, "backend"));
}

fn backend(causes: &mut Causes, path: &Path<'_>, backend: &Value) {
    match (present(backend, "resource"), present(backend, "service")) {
        (Some(_), Some(_)) => {
            causes.invalid(path, "", "cannot set both resource and service backends");
        }
        (Some(resource), None) => {
            let path = path.child("resource");
            for name in ["kind", "name"] {
                if text(resource, name).is_empty() {
                    causes.required(&path.child(name), &format!("{name} is required"));
                }
            }
        }
        (None, Some(service)) => service_backend(causes, path, service),
        (None, None) => causes.invalid(path, "", "resource or service backend is required"),
    }
}

fn service_backend(causes: &mut Causes, path: &Path<'_>, service: &Value) {
    let service_path = path.child("service");
    let name = text(service, "name");
    if name.is_empty() {
        causes.required(&service_path.child("name"), "");
    } else {
        causes.invalid_each(&service_path.child("name"), name, &names::label_1035(name));
    }
    let port = field(service, "port");
    let name = text(port, "name");
    let number = integer(port, "number").unwrap_or_default();
    let port_path = service_path.child("port");
    match (name.is_empty(), number == 0) {
        (false, false) => causes.invalid(path, "", "cannot set both port name & port number"),
        (false, true) => {
            causes.invalid_each(&port_path.child("name"), name, &names::port_name(name));
        }
        (true, false) => common::port_number(causes, &port_path, port, "number"),
        (true, true) => causes.required(path, "port name or number is required"),
    }
}

pub(super) fn ingress_class(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let spec = field(new, "spec");
    let path = SPEC.child("controller");
    let controller = text(spec, "controller");
    if let Some(old) = old {
        let fields = (at(old, "/spec/controller"), field(spec, "controller"));
        causes.immutable(&path, Some(fields.0), Some(fields.1));
    }
    match controller.split_once('/') {
        _ if controller.is_empty() => causes.required(&path, ""),
        Some((host, rest)) if !host.is_empty() && !rest.is_empty() => {
            causes.invalid_each(&path, host, &names::subdomain(host));
        }
        _ => {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            causes.invalid(&path, controller, detail);
        }
    }
    if let Some(parameters) = present(spec, "parameters") {
        required_texts(
            causes,
            &SPEC.child("parameters"),
            parameters,
            &["kind", "name"],
        );
    }
}

pub(super) fn network_policy(causes: &mut Causes, new: &Value) {
    const TYPES: [&str; 2] = ["Ingress", "Egress"];
    let spec = field(new, "spec");
    metadata::selector(
        causes,
        &SPEC.child("podSelector"),
        field(spec, "podSelector"),
    );
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        let path = SPEC.child(direction);
        for (at, rule) in list(spec, direction).iter().enumerate() {
            let path = path.index(at);
            let ports = path.child("ports");
            for (at, port) in list(rule, "ports").iter().enumerate() {
                policy_port(causes, &ports.index(at), port);
            }
            let peers_path = path.child(peers);
            for (at, peer) in list(rule, peers).iter().enumerate() {
                policy_peer(causes, &peers_path.index(at), peer);
            }
        }
    }
    let path = SPEC.child("policyTypes");
    let types = list(spec, "policyTypes");
    if types.len() > TYPES.len() {
        let detail = "may not specify more than two policyTypes";
        causes.invalid(&path, field(spec, "policyTypes"), detail);
        return;
    }
    for (at, found) in types.iter().enumerate() {
        if !found.as_str().is_some_and(|found| TYPES.contains(&found)) {
            causes.not_supported(&path.index(at), found, &TYPES);
        }
    }
}

fn policy_port(causes: &mut Causes, path: &Path<'_>, port: &Value) {
    common::one_of_if_set(causes, path, port, "protocol", &["TCP", "UDP", "SCTP"]);
    let first = present(port, "port");
    if let Some(number) = first {
        common::port(causes, &path.child("port"), number);
    }
    let Some(last) = integer(port, "endPort") else {
        return;
    };
    let path = path.child("endPort");
    match first {
        None => causes.invalid(
            &path,
            &last,
            "may not be specified when `port` is not specified",
        ),
        Some(Value::String(_)) => {
            causes.invalid(
                &path,
                &last,
                "may not be specified when `port` is non-numeric",
            );
        }
        Some(first) if first.as_i64().is_some_and(|first| last < first) => {
            causes.invalid(&path, &last, "must be greater than or equal to `port`");
        }
        Some(_) => {
            for detail in names::port_number(last) {
                causes.invalid(&path, &last, &detail);
            }
        }
    }
}

fn policy_peer(causes: &mut Causes, path: &Path<'_>, peer: &Value) {
    let mut selectors = 0;
    for name in ["podSelector", "namespaceSelector"] {
        if let Some(selector) = present(peer, name) {
            selectors += 1;
            metadata::selector(causes, &path.child(name), selector);
        }
    }
    let block = present(peer, "ipBlock");
    if let Some(block) = block {
        ip_block(causes, &path.child("ipBlock"), block);
    }
    match (selectors, block) {
        (0, None) => causes.required(path, "must specify a peer"),
        (1.., Some(_)) => {
            causes.forbidden(path, "may not specify both ipBlock and another peer");
        }
        _ => {}
    }
}

fn ip_block(causes: &mut Causes, path: &Path<'_>, block: &Value) {
    const WRONG: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    let network = text(block, "cidr");
    if network.is_empty() {
        causes.required(&path.child("cidr"), "");
        return;
    }
    let Some(outer) = cidr(network) else {
        causes.invalid(&path.child("cidr"), network, WRONG);
        return;
    };
    let path = path.child("except");
    for (at, except) in list(block, "except")
        .iter()
        .filter_map(Value::as_str)
        .enumerate()
    {
        match cidr(except) {
            None => causes.invalid(&path.index(at), except, WRONG),
            Some(inner) if !is_strictly_within(inner, outer) => {
                causes.invalid(&path.index(at), except, "must be a strict subset of `cidr`");
            }
            Some(_) => {}
        }
    }
}
