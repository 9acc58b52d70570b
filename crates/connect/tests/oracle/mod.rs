//! A naive evaluator of one packet, straight from the specification and on the raw objects.
//!
//! It shares no code with the engine. Where Kubernetes leaves a choice, the choice is an argument.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::struct_excessive_bools,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use std::net::IpAddr;

use serde_json::Value;

/// Choices that the specification leaves open, and facts that no object tells.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choices {
    /// A NetworkPolicy's ipBlock counts for pods.
    pub(crate) blocks_count_for_pods: bool,
    /// A pod of the host network is its node to NetworkPolicies.
    pub(crate) host_pods_are_nodes: bool,
    /// Both ends are on one node.
    pub(crate) one_node: bool,
    /// Of policies with one priority, the last is asked first.
    pub(crate) last_first: bool,
    /// Pods with addresses of both families use the second.
    pub(crate) second_family: bool,
}

/// One end: a pod's object, or an address outside.
#[derive(Clone, Copy)]
pub(crate) enum Host<'a> {
    Pod(&'a Value),
    Outside(IpAddr),
}

/// One packet that opens a connection.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    pub(crate) from: Host<'a>,
    pub(crate) to: Host<'a>,
    pub(crate) protocol: &'a str,
    pub(crate) port: u16,
}

/// Whether a packet arrives.
pub(crate) fn passes(objects: &[Value], packet: Packet<'_>, choices: Choices) -> bool {
    let oracle = Oracle {
        objects,
        packet,
        choices,
    };
    if let (Host::Pod(from), Host::Pod(to)) = (packet.from, packet.to)
        && std::ptr::eq(from, to)
    {
        return true;
    }
    if let (Host::Pod(from), Host::Pod(to)) = (packet.from, packet.to)
        && oracle.network(from) != oracle.network(to)
    {
        return false;
    }
    oracle.passes_one("egress", packet.from, packet.to)
        && oracle.passes_one("ingress", packet.to, packet.from)
}

struct Oracle<'a> {
    objects: &'a [Value],
    packet: Packet<'a>,
    choices: Choices,
}

impl<'a> Oracle<'a> {
    fn passes_one(&self, direction: &str, subject: Host<'a>, other: Host<'a>) -> bool {
        let Host::Pod(pod) = subject else { return true };
        for tier in ["Admin", "", "Baseline"] {
            let verdict = if tier.is_empty() {
                self.network_policies(direction, pod, other)
            } else {
                self.cluster_policies(tier, direction, pod, other)
            };
            if let Some(verdict) = verdict {
                return verdict;
            }
        }
        true
    }

    fn network_policies(&self, direction: &str, pod: &Value, other: Host<'a>) -> Option<bool> {
        if is_host(pod) && self.choices.host_pods_are_nodes {
            return None;
        }
        let mut isolated = false;
        for policy in self
            .objects
            .iter()
            .filter(|object| object["kind"] == "NetworkPolicy")
        {
            let spec = &policy["spec"];
            let same = policy["metadata"]["namespace"] == pod["metadata"]["namespace"];
            if !same || !selects(&spec["podSelector"], &pod["metadata"]["labels"]) {
                continue;
            }
            let declared = spec["policyTypes"]
                .as_array()
                .filter(|types| !types.is_empty());
            let applies = match declared {
                Some(types) => types.iter().any(|name| {
                    name.as_str()
                        .is_some_and(|name| name.eq_ignore_ascii_case(direction))
                }),
                None => {
                    direction == "ingress"
                        || spec["egress"]
                            .as_array()
                            .is_some_and(|rules| !rules.is_empty())
                }
            };
            if !applies {
                continue;
            }
            isolated = true;
            for rule in spec[direction].as_array().into_iter().flatten() {
                if self.network_rule(rule, direction, policy, other) {
                    return Some(true);
                }
            }
        }
        if isolated && self.choices.one_node && matches!(other, Host::Pod(other) if is_host(other))
        {
            return Some(true);
        }
        isolated.then_some(false)
    }

    fn network_rule(&self, rule: &Value, direction: &str, policy: &Value, other: Host<'a>) -> bool {
        let peers = &rule[if direction == "ingress" { "from" } else { "to" }];
        let peers = peers.as_array().filter(|peers| !peers.is_empty());
        let ports = rule["ports"].as_array().filter(|ports| !ports.is_empty());
        let peer_ok = peers.is_none_or(|peers| {
            peers
                .iter()
                .any(|peer| self.network_peer(peer, policy, other))
        });
        let port_ok = ports.is_none_or(|ports| ports.iter().any(|port| self.network_port(port)));
        peer_ok && port_ok
    }

    fn network_peer(&self, peer: &Value, policy: &Value, other: Host<'a>) -> bool {
        if let Some(block) = peer.get("ipBlock") {
            let address = match other {
                Host::Outside(address) => address,
                Host::Pod(pod) if is_host(pod) => return false,
                Host::Pod(_) if !self.choices.blocks_count_for_pods => return false,
                Host::Pod(pod) => match self.address(pod) {
                    Some(address) => address,
                    None => return false,
                },
            };
            let excepted = block["except"].as_array().into_iter().flatten();
            return within(address, &block["cidr"])
                && !excepted.into_iter().any(|except| within(address, except));
        }
        let Host::Pod(pod) = other else { return false };
        if is_host(pod) && self.choices.host_pods_are_nodes {
            return false;
        }
        let namespace_ok = match peer.get("namespaceSelector") {
            Some(selector) => selects(selector, &self.namespace_labels(pod)),
            None => policy["metadata"]["namespace"] == pod["metadata"]["namespace"],
        };
        let pod_ok = peer
            .get("podSelector")
            .is_none_or(|selector| selects(selector, &pod["metadata"]["labels"]));
        namespace_ok && pod_ok
    }

    fn network_port(&self, entry: &Value) -> bool {
        let protocol = entry["protocol"].as_str().unwrap_or("TCP");
        if protocol != self.packet.protocol {
            return false;
        }
        let port = u64::from(self.packet.port);
        match &entry["port"] {
            Value::Null => true,
            Value::String(name) => self.named(name, Some(protocol)),
            first => {
                let last = if entry["endPort"].is_null() {
                    first
                } else {
                    &entry["endPort"]
                };
                first.as_u64().unwrap() <= port && port <= last.as_u64().unwrap()
            }
        }
    }

    /// Whether the destination has a port of this name with the packet's number.
    fn named(&self, name: &str, protocol: Option<&str>) -> bool {
        let Host::Pod(pod) = self.packet.to else {
            return false;
        };
        let containers = pod["spec"]["containers"].as_array().unwrap();
        containers
            .iter()
            .flat_map(|container| container["ports"].as_array().into_iter().flatten())
            .any(|port| {
                let own = port["protocol"].as_str().unwrap_or("TCP");
                port["name"] == name
                    && port["containerPort"] == self.packet.port
                    && own == self.packet.protocol
                    && protocol.is_none_or(|protocol| protocol == own)
            })
    }

    fn cluster_policies(
        &self,
        tier: &str,
        direction: &str,
        pod: &Value,
        other: Host<'a>,
    ) -> Option<bool> {
        if is_host(pod) {
            return None;
        }
        let of_tier = |object: &&Value| match object["kind"].as_str().unwrap() {
            "AdminNetworkPolicy" => tier == "Admin",
            "BaselineAdminNetworkPolicy" => tier == "Baseline",
            "ClusterNetworkPolicy" => object["spec"]["tier"] == tier,
            _ => false,
        };
        let mut policies: Vec<&Value> = self.objects.iter().filter(of_tier).collect();
        if self.choices.last_first {
            policies.reverse();
        }
        policies.sort_by_key(|policy| policy["spec"]["priority"].as_u64().unwrap_or(u64::MAX));
        for policy in policies {
            if !self.chosen(&policy["spec"]["subject"], Host::Pod(pod)) {
                continue;
            }
            for rule in policy["spec"][direction].as_array().into_iter().flatten() {
                let peers = &rule[if direction == "ingress" { "from" } else { "to" }];
                let mut peers = peers.as_array().unwrap().iter();
                if !peers.any(|peer| self.chosen(peer, other)) || !self.cluster_ports(rule) {
                    continue;
                }
                match rule["action"].as_str().unwrap() {
                    "Allow" | "Accept" => return Some(true),
                    "Deny" => return Some(false),
                    _ => return None,
                }
            }
        }
        None
    }

    /// Whether a subject or peer of a cluster-wide policy means this end.
    fn chosen(&self, peer: &Value, host: Host<'a>) -> bool {
        if let Some(networks) = peer.get("networks") {
            let address = match host {
                Host::Outside(address) => Some(address),
                Host::Pod(pod) => self.address(pod),
            };
            let mut networks = networks.as_array().unwrap().iter();
            return address.is_some_and(|address| networks.any(|block| within(address, block)));
        }
        let Host::Pod(pod) = host else { return false };
        if is_host(pod) {
            return false;
        }
        let namespace = self.namespace_labels(pod);
        match peer.get("namespaces") {
            Some(selector) => selects(selector, &namespace),
            None => {
                selects(&peer["pods"]["namespaceSelector"], &namespace)
                    && selects(&peer["pods"]["podSelector"], &pod["metadata"]["labels"])
            }
        }
    }

    fn cluster_ports(&self, rule: &Value) -> bool {
        let port = u64::from(self.packet.port);
        let old = rule["ports"].as_array().filter(|ports| !ports.is_empty());
        let new = rule["protocols"]
            .as_array()
            .filter(|ports| !ports.is_empty());
        if let Some(ports) = old {
            return ports.iter().any(|entry| {
                if let Some(name) = entry["namedPort"].as_str() {
                    return self.named(name, None);
                }
                let (number, range) = (&entry["portNumber"], &entry["portRange"]);
                let (first, last, of) = if number.is_null() {
                    (&range["start"], &range["end"], &range["protocol"])
                } else {
                    (&number["port"], &number["port"], &number["protocol"])
                };
                of.as_str().unwrap_or("TCP") == self.packet.protocol
                    && first.as_u64().unwrap() <= port
                    && port <= last.as_u64().unwrap()
            });
        }
        new.is_none_or(|protocols| {
            protocols.iter().any(|entry| {
                if let Some(name) = entry["destinationNamedPort"].as_str() {
                    return self.named(name, None);
                }
                let Some(of) = entry.get(self.packet.protocol.to_lowercase()) else {
                    return false;
                };
                let wanted = &of["destinationPort"];
                if wanted.is_null() {
                    return true;
                }
                wanted["number"] == port
                    || (wanted["range"]["start"]
                        .as_u64()
                        .is_some_and(|start| start <= port)
                        && wanted["range"]["end"]
                            .as_u64()
                            .is_some_and(|end| port <= end))
            })
        })
    }

    /// The primary network of a pod by OVN-Kubernetes' documents: that of its namespace, if this has the
    /// label; null is the cluster's default one.
    fn network(&self, pod: &Value) -> Value {
        let labels = self.namespace_labels(pod);
        if labels
            .get("k8s.ovn.org/primary-user-defined-network")
            .is_none()
        {
            return Value::Null;
        }
        let is_primary = |network: &Value| {
            let layer = network["topology"].as_str().unwrap().to_lowercase();
            network[layer]["role"] == "Primary"
        };
        let mut networks = self.objects.iter().filter(|object| {
            let spec = &object["spec"];
            match object["kind"].as_str() {
                Some("UserDefinedNetwork") => {
                    is_primary(spec)
                        && object["metadata"]["namespace"] == pod["metadata"]["namespace"]
                }
                Some("ClusterUserDefinedNetwork") => {
                    is_primary(&spec["network"]) && selects(&spec["namespaceSelector"], &labels)
                }
                _ => false,
            }
        });
        let network = networks.next();
        assert!(networks.next().is_none(), "a namespace has one network");
        match network {
            Some(network) => network["metadata"].clone(),
            // Whichever it will be.
            None => serde_json::json!({"of": pod["metadata"]["namespace"]}),
        }
    }

    fn namespace_labels(&self, pod: &Value) -> Value {
        let name = &pod["metadata"]["namespace"];
        let declared = self
            .objects
            .iter()
            .find(|object| object["kind"] == "Namespace" && object["metadata"]["name"] == *name);
        let mut labels = declared.map_or(Value::Null, |found| found["metadata"]["labels"].clone());
        if labels.is_null() {
            labels = serde_json::json!({});
        }
        labels["kubernetes.io/metadata.name"] = name.clone();
        labels
    }

    fn address(&self, pod: &Value) -> Option<IpAddr> {
        let addresses = pod["status"]["podIPs"].as_array()?;
        let index = usize::from(self.choices.second_family && addresses.len() > 1);
        addresses.get(index)?["ip"].as_str()?.parse().ok()
    }
}

fn is_host(pod: &Value) -> bool {
    pod["spec"]["hostNetwork"] == true
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector["matchLabels"].as_object();
    let mut wanted = wanted.into_iter().flatten();
    let expressions = selector["matchExpressions"].as_array();
    let mut expressions = expressions.into_iter().flatten();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
        && expressions.all(|expression| {
            let have = labels.get(expression["key"].as_str().unwrap());
            let listed = || {
                let values = expression["values"].as_array().unwrap();
                have.is_some_and(|have| values.contains(have))
            };
            match expression["operator"].as_str().unwrap() {
                "In" => listed(),
                "NotIn" => !listed(),
                "Exists" => have.is_some(),
                "DoesNotExist" => have.is_none(),
                other => panic!("{other}"),
            }
        })
}

/// Whether an address is in a block, bit by bit.
fn within(address: IpAddr, block: &Value) -> bool {
    let (base, length) = block.as_str().unwrap().split_once('/').unwrap();
    let length: usize = length.parse().unwrap();
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let (own, base) = (octets(address), octets(base.parse().unwrap()));
    own.len() == base.len()
        && (0..length).all(|bit| {
            let mask = 0x80_u8 >> (bit % 8);
            own[bit / 8] & mask == base[bit / 8] & mask
        })
}
