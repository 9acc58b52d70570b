//! Worlds of policies as large clusters have them: per namespace one that denies all ingress, and
//! per workload one that allows two peers out of other namespaces.

use serde_json::{Value, json};
use underpin_model::{Depth, Object, Origin, World};

/// The first of the ports on which workloads listen.
const PORT: u32 = 8_000;

/// How large a world is.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) workloads: u32,
    pub(super) namespaces: u32,
    /// Policies that allow something to one workload.
    pub(super) allowing: u32,
    /// The pods of each workload; with any, it has a Service, too, and needs that of another.
    pub(super) pods: u32,
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
        let workload = Workload::numbered(at, shape);
        insert(workload.deployment(shape));
        if shape.pods > 0 {
            insert(workload.service());
        }
        for pod in 0..shape.pods {
            insert(workload.pod(pod, shape));
        }
    }
    for at in 0..shape.allowing {
        insert(allowing(at, shape, &mut random));
    }
    world
}

/// A workload and what it is called.
struct Workload {
    at: u32,
    name: String,
    namespace: String,
    port: u32,
}

impl Workload {
    fn numbered(at: u32, shape: Shape) -> Self {
        let at = at % shape.workloads;
        Self {
            at,
            name: format!("w{at}"),
            namespace: format!("ns{}", at % shape.namespaces),
            port: PORT + at % 50,
        }
    }

    fn labels(&self) -> Value {
        json!({
            "app": self.name, "tier": format!("tier{}", self.at % 5), "role": format!("r{}", self.at % 11),
        })
    }

    fn spec(&self, shape: Shape) -> Value {
        let mut container = json!({
            "name": "c", "image": "x", "ports": [{"containerPort": self.port, "name": "http"}],
        });
        if shape.pods > 0 {
            let other = Self::numbered(self.at.wrapping_mul(31) + 7, shape);
            let url = format!(
                "http://{}.{}.svc.cluster.local/v1",
                other.name, other.namespace
            );
            container["env"] = json!([{"name": "API_URL", "value": url}]);
        }
        json!({"containers": [container]})
    }

    fn deployment(&self, shape: Shape) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"template": {"metadata": {"labels": self.labels()}, "spec": self.spec(shape)}},
        })
    }

    fn service(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"selector": {"app": self.name}, "ports": [{"port": 80, "targetPort": self.port}]},
        })
    }

    fn pod(&self, number: u32, shape: Shape) -> Value {
        let address = self.at * shape.pods + number;
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("{}-{number}", self.name), "namespace": self.namespace,
                "labels": self.labels(),
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "Deployment", "name": self.name,
                    "uid": self.name, "controller": true,
                }],
            },
            "spec": self.spec(shape),
            "status": {"podIP": format!(
                "10.{}.{}.{}", address >> 16, (address >> 8) & 255, address & 255,
            )},
        })
    }
}

fn allowing(at: u32, shape: Shape, random: &mut Random) -> Value {
    let Workload {
        name,
        namespace,
        port,
        ..
    } = Workload::numbered(at, shape);
    let other = format!("ns{}", random.below(shape.namespaces));
    let tier = format!("tier{}", random.below(5));
    let team = format!("t{}", random.below(7));
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": format!("allow-{name}-{at}"), "namespace": namespace},
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
