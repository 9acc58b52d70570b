//! The host names under which the outside reaches a cluster, by the object that serves them.

use underpin_model::{Object, canonical_group};

use crate::field::Field;

/// The host names that a route serves: of an Ingress, a Gateway or its routes, a virtual service or
/// an ingress route. Sorted, each once. `None` for objects that are no routes.
pub fn served_hosts(object: &Object) -> Option<Vec<String>> {
    let kind = &object.key.kind;
    let group = canonical_group(&kind.group, &kind.kind);
    let root = Field::root(object);
    let mut hosts: Vec<String> = match (group, kind.kind.as_str()) {
        ("networking.k8s.io", "Ingress") => texts(root.each("spec.rules"), "host"),
        ("gateway.networking.k8s.io", "Gateway") => texts(root.each("spec.listeners"), "hostname"),
        (
            "gateway.networking.k8s.io",
            "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute" | "UDPRoute",
        ) => words(root.each("spec.hostnames")),
        ("networking.istio.io", "VirtualService") => words(root.each("spec.hosts")),
        ("traefik.io" | "traefik.containo.us", "IngressRoute" | "IngressRouteTCP") => root
            .each("spec.routes")
            .filter_map(|route| route.text_at("match"))
            .flat_map(hosts_of_matcher)
            .collect(),
        _ => return None,
    };
    hosts.sort();
    hosts.dedup();
    Some(hosts)
}

fn texts<'a>(items: impl Iterator<Item = Field<'a>>, key: &str) -> Vec<String> {
    items
        .filter_map(|item| item.text_at(key).map(str::to_owned))
        .collect()
}

fn words<'a>(items: impl Iterator<Item = Field<'a>>) -> Vec<String> {
    items
        .filter_map(|item| item.text().map(str::to_owned))
        .collect()
}

/// The quoted names in ``Host(`a`, `b`)`` and ``HostSNI(`a`)``.
fn hosts_of_matcher(matcher: &str) -> Vec<String> {
    let mut hosts = Vec::new();
    for name in ["Host(", "HostSNI("] {
        for rest in matcher.split(name).skip(1) {
            let arguments = rest.split(')').next().unwrap_or_default();
            let quoted = arguments.split(['`', '"']).skip(1).step_by(2);
            hosts.extend(quoted.map(str::to_owned));
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traefik_matchers_name_their_hosts() {
        for (matcher, expect) in [
            ("Host(`a.example`) && PathPrefix(`/x`)", &["a.example"][..]),
            (
                "Host(`a.example`, `b.example`)",
                &["a.example", "b.example"],
            ),
            ("Host(`a`) || Host(\"b\")", &["a", "b"]),
            ("HostSNI(`*`)", &["*"]),
            ("PathPrefix(`/x`)", &[]),
            ("Host(", &[]),
            ("Host(`open", &["open"]),
        ] {
            assert_eq!(hosts_of_matcher(matcher), expect, "{matcher}");
        }
    }
}
