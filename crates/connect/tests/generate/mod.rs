//! Random clusters of a few namespaces, pods and policies of all kinds.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::struct_excessive_bools,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use serde_json::{Value, json};

/// Addresses outside of the clusters.
pub(crate) const OUTSIDE: [&str; 4] = ["192.0.2.1", "192.0.2.130", "2001:db8::1", "10.0.1.5"];

const BLOCKS: [(&str, &[&str]); 9] = [
    ("10.0.0.0/24", &["10.0.0.2/31"]),
    ("10.0.0.0/30", &[]),
    ("192.0.2.0/24", &["192.0.2.128/25"]),
    ("0.0.0.0/0", &["10.0.0.0/8", "192.0.2.1/32"]),
    ("0.0.0.0/0", &[]),
    ("::/0", &["fd00::/8"]),
    ("::/0", &[]),
    ("fd00::/126", &[]),
    ("2001:db8::/32", &["2001:db8::/127"]),
];

/// What is special about a cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Cluster-wide policies may share a priority.
    pub(crate) ties: bool,
    /// Pods have addresses of both families.
    pub(crate) dual_stack: bool,
    /// Pods have addresses of IPv6 alone.
    ipv6: bool,
    /// Some namespaces are on networks of their own.
    pub(crate) networks: bool,
}

impl Kind {
    /// By the lowest bits of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self {
            ties: seed.is_multiple_of(8) && seed & 8 != 0,
            dual_stack: seed % 8 == 1,
            ipv6: seed % 8 == 2 || seed % 8 == 3,
            networks: seed % 8 == 4 || seed & 0x70 == 0x70,
        }
    }
}

impl Kind {
    /// The same with all pods on one network.
    pub(crate) fn on_one_network(self) -> Self {
        Self {
            networks: false,
            ..self
        }
    }
}

/// Numbers drawn from a seed (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below the bound")
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<T: Clone>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())].clone()
    }

    fn list(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> Value) -> Value {
        let length = self.below(most) + 1;
        (0..length).map(|_| make(self)).collect()
    }

    pub(crate) fn cluster(&mut self, kind: Kind) -> Vec<Value> {
        let mut objects: Vec<Value> = ["n0", "n1", "n2"]
            .iter()
            .map(|name| self.namespace(name))
            .collect();
        for at in 0..6 {
            objects.push(self.pod(at, kind));
        }
        for at in 0..self.below(6) {
            objects.push(self.network_policy(at));
        }
        for at in 0..self.below(4) {
            let priority = if kind.ties { self.below(2) } else { at };
            objects.push(self.admin_policy(at, priority));
        }
        if self.one_in(2) {
            objects.push(self.baseline());
        }
        if kind.networks {
            self.put_on_networks(&mut objects);
        }
        objects
    }

    /// Networks of OVN-Kubernetes: some namespaces ask for one, and those that do have exactly one.
    fn put_on_networks(&mut self, objects: &mut Vec<Value>) {
        let layer = |role: &str, topology: &str| {
            let mut network = json!({"topology": topology});
            network[topology.to_lowercase()] = json!({"role": role});
            network
        };
        let mut shared = Vec::new();
        for name in ["n0", "n1", "n2"] {
            if self.one_in(3) {
                continue;
            }
            let is_own = self.one_in(2);
            let mut namespaces = objects.iter_mut();
            let namespace = namespaces
                .find(|one| one["kind"] == "Namespace" && one["metadata"]["name"] == name);
            let labels = &mut namespace.expect("a namespace")["metadata"]["labels"];
            labels["k8s.ovn.org/primary-user-defined-network"] = "".into();
            if is_own {
                let topology = self.pick(&["Layer2", "Layer3"]);
                objects.push(json!({
                    "apiVersion": "k8s.ovn.org/v1", "kind": "UserDefinedNetwork",
                    "metadata": {"name": "own", "namespace": name}, "spec": layer("Primary", topology),
                }));
            } else {
                shared.push(name);
            }
            if self.one_in(3) {
                objects.push(json!({
                    "apiVersion": "k8s.ovn.org/v1", "kind": "UserDefinedNetwork",
                    "metadata": {"name": "more", "namespace": name}, "spec": layer("Secondary", "Layer2"),
                }));
            }
        }
        let selector = json!({"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": shared},
        ]});
        if !shared.is_empty() {
            objects.push(json!({
                "apiVersion": "k8s.ovn.org/v1", "kind": "ClusterUserDefinedNetwork",
                "metadata": {"name": "shared"},
                "spec": {"namespaceSelector": selector, "network": layer("Primary", "Layer2")},
            }));
        }
    }

    pub(crate) fn namespace(&mut self, name: &str) -> Value {
        let mut labels = json!({});
        for (key, values) in [("team", ["red", "blue"]), ("env", ["p", "q"])] {
            if !self.one_in(3) {
                labels[key] = self.pick(&values).into();
            }
        }
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    }

    fn pod(&mut self, at: usize, kind: Kind) -> Value {
        let mut labels = json!({});
        for (key, values) in [("app", ["a", "b"]), ("tier", ["x", "y"])] {
            if !self.one_in(4) {
                labels[key] = self.pick(&values).into();
            }
        }
        let mut ports = Vec::new();
        for name in ["http", "dns"] {
            if !self.one_in(3) {
                let mut port = json!({"name": name, "containerPort": self.pick(&[53, 80, 81])});
                if !self.one_in(2) {
                    port["protocol"] = self.pick(&["TCP", "UDP", "SCTP"]).into();
                }
                ports.push(port);
            }
        }
        let (v4, v6) = (
            json!({"ip": format!("10.0.0.{at}")}),
            json!({"ip": format!("fd00::{at}")}),
        );
        let addresses = if kind.dual_stack {
            vec![v4, v6]
        } else if kind.ipv6 {
            vec![v6]
        } else {
            vec![v4]
        };
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("p{at}"), "namespace": format!("n{}", at % 3), "labels": labels,
            },
            "spec": {"containers": [{"name": "c", "image": "i", "ports": ports}]},
            "status": {"podIPs": addresses},
        })
    }

    fn selector(&mut self, keys: &[(&str, [&str; 2])]) -> Value {
        let mut selector = json!({});
        let (key, values) = self.pick(keys);
        match self.below(6) {
            0 => {}
            1 | 2 => selector["matchLabels"] = json!({key: self.pick(&values)}),
            3 => {
                let values = self.list(2, |random| random.pick(&values).into());
                let operator = self.pick(&["In", "NotIn"]);
                selector["matchExpressions"] =
                    json!([{"key": key, "operator": operator, "values": values}]);
            }
            4 => {
                let operator = self.pick(&["Exists", "DoesNotExist"]);
                selector["matchExpressions"] = json!([{"key": key, "operator": operator}]);
            }
            _ => {
                let (other, [value, _]) = self.pick(keys);
                selector["matchLabels"] = json!({key: self.pick(&values)});
                selector["matchExpressions"] =
                    json!([{"key": other, "operator": "NotIn", "values": [value]}]);
            }
        }
        selector
    }

    fn pods(&mut self) -> Value {
        self.selector(&[("app", ["a", "b"]), ("tier", ["x", "y"])])
    }

    fn namespaces(&mut self) -> Value {
        self.selector(&[
            ("team", ["red", "blue"]),
            ("env", ["p", "q"]),
            ("kubernetes.io/metadata.name", ["n1", "n2"]),
        ])
    }

    fn network_policy(&mut self, at: usize) -> Value {
        let mut spec = json!({"podSelector": self.pods()});
        match self.below(4) {
            0 => spec["policyTypes"] = json!(["Ingress"]),
            1 => spec["policyTypes"] = json!(["Egress"]),
            2 => spec["policyTypes"] = json!(["Ingress", "Egress"]),
            _ => {}
        }
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            if self.one_in(4) {
                continue;
            }
            let rules = (0..self.below(3)).map(|_| {
                let mut rule = json!({});
                if !self.one_in(4) {
                    rule[peers] = self.list(2, Self::network_peer);
                }
                if !self.one_in(3) {
                    rule["ports"] = self.list(2, Self::network_port);
                }
                rule
            });
            spec[direction] = rules.collect();
        }
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": format!("np{at}"), "namespace": self.pick(&["n0", "n1", "n2"])},
            "spec": spec,
        })
    }

    fn network_peer(&mut self) -> Value {
        match self.below(4) {
            0 => json!({"podSelector": self.pods()}),
            1 => json!({"namespaceSelector": self.namespaces()}),
            2 => json!({"namespaceSelector": self.namespaces(), "podSelector": self.pods()}),
            _ => {
                let (cidr, except) = self.pick(&BLOCKS);
                let mut block = json!({"cidr": cidr});
                if self.one_in(2) && !except.is_empty() {
                    block["except"] = json!(except);
                }
                json!({"ipBlock": block})
            }
        }
    }

    fn network_port(&mut self) -> Value {
        let mut port = json!({});
        if self.one_in(2) {
            port["protocol"] = self.pick(&["TCP", "UDP", "SCTP"]).into();
        }
        match self.below(5) {
            0 => {}
            1 | 2 => port["port"] = self.pick(&[53, 80, 81]).into(),
            3 => port["port"] = self.pick(&["http", "dns"]).into(),
            _ => {
                port["port"] = self.pick(&[53, 80]).into();
                port["endPort"] = self.pick(&[80, 90]).into();
            }
        }
        port
    }

    /// AdminNetworkPolicy, or ClusterNetworkPolicy of either tier.
    fn admin_policy(&mut self, at: usize, priority: usize) -> Value {
        let is_new = self.one_in(2);
        let mut spec = json!({"priority": priority, "subject": self.cluster_peer(false)});
        if is_new {
            spec["tier"] = self.pick(&["Admin", "Baseline"]).into();
        }
        self.cluster_rules(&mut spec, is_new, true);
        let (version, kind) = if is_new {
            ("v1alpha2", "ClusterNetworkPolicy")
        } else {
            ("v1alpha1", "AdminNetworkPolicy")
        };
        json!({
            "apiVersion": format!("policy.networking.k8s.io/{version}"), "kind": kind,
            "metadata": {"name": format!("a{at}")}, "spec": spec,
        })
    }

    fn baseline(&mut self) -> Value {
        let mut spec = json!({"subject": self.cluster_peer(false)});
        self.cluster_rules(&mut spec, false, false);
        json!({
            "apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "BaselineAdminNetworkPolicy",
            "metadata": {"name": "default"}, "spec": spec,
        })
    }

    fn cluster_rules(&mut self, spec: &mut Value, is_new: bool, may_pass: bool) {
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            let rules = (0..self.below(3)).map(|_| {
                let allow = if is_new { "Accept" } else { "Allow" };
                let actions: &[&str] = if may_pass {
                    &[allow, "Deny", "Pass"]
                } else {
                    &[allow, "Deny"]
                };
                let networks = direction == "egress" && self.one_in(3);
                let mut rule = json!({
                    "action": self.pick(actions),
                    peers: self.list(2, |random| random.cluster_peer(networks)),
                });
                match self.below(3) {
                    0 => {}
                    _ if is_new => rule["protocols"] = self.list(2, Self::protocol),
                    _ => rule["ports"] = self.list(2, Self::cluster_port),
                }
                rule
            });
            spec[direction] = rules.collect();
        }
    }

    fn cluster_peer(&mut self, networks: bool) -> Value {
        if networks {
            let blocks = self.list(2, |random| random.pick(&BLOCKS).0.into());
            return json!({"networks": blocks});
        }
        if self.one_in(2) {
            json!({"namespaces": self.namespaces()})
        } else {
            json!({"pods": {"namespaceSelector": self.namespaces(), "podSelector": self.pods()}})
        }
    }

    fn cluster_port(&mut self) -> Value {
        let protocol = self.pick(&["TCP", "UDP", "SCTP"]);
        match self.below(3) {
            0 => json!({"portNumber": {"protocol": protocol, "port": self.pick(&[53, 80, 81])}}),
            1 => {
                json!({"portRange": {"protocol": protocol, "start": self.pick(&[53, 80]), "end": 90}})
            }
            _ => json!({"namedPort": self.pick(&["http", "dns"])}),
        }
    }

    fn protocol(&mut self) -> Value {
        let protocol = self.pick(&["tcp", "udp", "sctp"]);
        match self.below(4) {
            0 => json!({protocol: {}}),
            1 => json!({protocol: {"destinationPort": {"number": self.pick(&[53, 80, 81])}}}),
            2 => json!({protocol: {"destinationPort": {"range": {"start": 53, "end": 80}}}}),
            _ => json!({"destinationNamedPort": self.pick(&["http", "dns"])}),
        }
    }
}
