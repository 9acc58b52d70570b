//! Worlds of policies as large clusters have them: per namespace one that denies all ingress, and
//! per workload one that allows two peers out of other namespaces.

use serde_json::{Value, json};
use underpin_model::{Depth, Object, Origin, World};

/// The first of the ports on which workloads listen.
pub(super) const PORT: u16 = 8_000;

/// How large a world is.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) workloads: u32,
    pub(super) namespaces: u32,
    /// Workloads that have a policy of their own.
    pub(super) allowing: u32,
}

impl Shape {
    pub(super) fn policies(self) -> u32 {
        self.namespaces + self.allowing
    }
}

pub(super) fn world(shape: Shape) -> World {
    let mut world = World::default();
    let mut insert = |value: Value| {
        if let Some(object) = Object::from_value(value, Depth::Full, Origin::Live) {
            world.insert(object);
        }
    };
    let mut random = Random(1);
    for at in 0..shape.namespaces {
        let name = format!("ns{at}");
        insert(json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"team": format!("t{}", at % 7)}},
        }));
        insert(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "default-deny", "namespace": name},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }));
    }
    for at in 0..shape.workloads {
        let (name, namespace) = (format!("w{at}"), format!("ns{}", at % shape.namespaces));
        let port = u32::from(PORT) + at % 50;
        insert(deployment(&name, &namespace, at, port));
        if at < shape.allowing {
            insert(allowing(&name, &namespace, port, shape, &mut random));
        }
    }
    world
}

fn deployment(name: &str, namespace: &str, at: u32, port: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {
            "metadata": {"labels": {
                "app": name, "tier": format!("tier{}", at % 5), "role": format!("r{}", at % 11),
            }},
            "spec": {"containers": [
                {"name": "c", "image": "x", "ports": [{"containerPort": port, "name": "http"}]},
            ]},
        }},
    })
}

fn allowing(name: &str, namespace: &str, port: u32, shape: Shape, random: &mut Random) -> Value {
    let other = format!("ns{}", random.below(shape.namespaces));
    let tier = format!("tier{}", random.below(5));
    let team = format!("t{}", random.below(7));
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": format!("allow-{name}"), "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": {"app": name}},
            "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": other}},
                        "podSelector": {"matchLabels": {"tier": tier}},
                    },
                    {"namespaceSelector": {"matchLabels": {"team": team}}},
                ],
                "ports": [{"protocol": "TCP", "port": port}],
            }],
        },
    })
}

/// Numbers that are the same in every run (a linear congruential generator).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % u64::from(bound.max(1))
    }
}
