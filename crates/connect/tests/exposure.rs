//! How far workloads are open beyond the world; the nearest miss of a refusal; what is known by name.

#![allow(clippy::expect_used, reason = "tests: what is wrong here fails them")]

mod support;

use underpin_connect::{Endpoint, Exposed, Profile};
use underpin_model::Protocol;

const WORLD: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: shop, labels: {app: api}}, spec: {}}
---
{apiVersion: v1, kind: Pod, metadata: {name: open, namespace: shop, labels: {app: open}}, spec: {}}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{namespaceSelector: {}}]
    ports: [{port: 8080}]
  - from: [{ipBlock: {cidr: 10.0.0.0/8}}]
  egress: []
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 8080}]
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: pal-e-app}}, podSelector: {matchExpressions: [{key: role, operator: Exists}]}}]
  egress: []
";

fn told(all: &[Exposed]) -> Vec<String> {
    let each = all.iter();
    each.map(|one| {
        format!(
            "{}: {} / {}",
            one.to, one.outcome.allowed, one.outcome.unknown
        )
    })
    .collect()
}

/// A namespace or labels that nothing in the world has; any pod; any address.
#[test]
fn who_may_come_that_is_not_there_yet() {
    let world = support::world("exposure.yaml", WORLD);
    let engine = support::engine(&world, Profile::NpGuard);
    let exposure = engine.exposure();
    let of = |name: &str| {
        let mut all = exposure.iter();
        all.find(|one| one.workload.name == name).expect("exposed")
    };
    let api = of("api");
    assert_eq!(
        told(&api.ingress),
        [
            "pods with app=web of namespace shop: TCP 8080 / none",
            "pods with role of namespaces with kubernetes.io/metadata.name=pal-e-app: all / none",
        ]
    );
    assert_eq!(told(&api.egress), [""; 0]);
    assert_eq!(
        told(&of("web").ingress),
        [
            "any pod of any namespace: TCP 8080 / none",
            "10.0.0.0-10.255.255.255: all / none",
        ]
    );
    assert_eq!(
        told(&of("open").ingress)[0],
        "any pod of any namespace: all / none"
    );
}

/// On a network of its own, a workload is open to whoever else is on it, and to nobody of another.
#[test]
fn who_may_come_is_on_the_same_network() {
    let network = r"
---
apiVersion: k8s.ovn.org/v1
kind: UserDefinedNetwork
metadata: {name: own, namespace: shop}
spec: {topology: Layer2, layer2: {role: Primary}}
";
    let label = r#"labels: {team: shop, k8s.ovn.org/primary-user-defined-network: ""}"#;
    let objects = WORLD.replace("labels: {team: shop}", label);
    let world = support::world("exposure.yaml", &format!("{objects}{network}"));
    let engine = support::engine(&world, Profile::NpGuard);
    let exposure = engine.exposure();
    let of = |name: &str| {
        let mut all = exposure.iter();
        told(
            &all.find(|one| one.workload.name == name)
                .expect("exposed")
                .ingress,
        )
    };
    assert_eq!(
        of("api"),
        ["pods with app=web of namespace shop: TCP 8080 / none"]
    );
    assert_eq!(
        of("web"),
        [
            "any pod on userdefinednetwork.k8s.ovn.org/shop/own: TCP 8080 / none",
            "10.0.0.0-10.255.255.255: all / none",
        ]
    );
    assert_eq!(
        of("open")[0],
        "any pod on userdefinednetwork.k8s.ovn.org/shop/own: all / none"
    );
}

/// R5.5: what was not matched, and why: the peer that comes nearest.
#[test]
fn the_nearest_miss_is_told() {
    let world = support::world("miss.yaml", WORLD);
    let engine = support::engine(&world, Profile::Documented);
    let miss = |question: &str| {
        let answer = engine.answer(&support::question(&engine, question));
        let lines = answer.flows[0].ingress.lines.clone();
        let differences = lines.into_iter().filter_map(|line| line.difference);
        differences
            .map(|one| format!("{} {}", one.unmet, one.evidence.note))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        miss("shop/open -> shop/api TCP 8080"),
        [
            "1 means pods with app=web, and this one has app=open",
            "2 means namespaces with kubernetes.io/metadata.name=pal-e-app, and namespace shop has \
             kubernetes.io/metadata.name=shop; means pods with a label role, and this one has no label role",
        ]
    );
    assert_eq!(
        miss("shop/web -> shop/api TCP 443")[0],
        "1 is about TCP 8080"
    );
    assert_eq!(
        miss("ip:192.0.2.1 -> shop/web TCP 443"),
        [
            "1000 means pods of the cluster, and the other end is none",
            "1000 means 10.0.0.0-10.255.255.255",
        ]
    );
}

#[test]
fn what_is_known_by_name() {
    let world = support::world("names.yaml", WORLD);
    let engine = support::engine(&world, Profile::Documented);
    assert_eq!(engine.services().collect::<Vec<_>>(), [("shop", "api")]);
    assert_eq!(engine.service_ports("shop", "api"), [(Protocol::Tcp, 80)]);
    assert_eq!(engine.workloads_in("shop").count(), 3);
    let end = |name: &str| {
        let key = engine.workloads().find(|key| key.name == name);
        Endpoint::Workload(key.expect("a workload").clone())
    };
    let flows = engine.explain(&end("web"), &end("api"), Protocol::Tcp);
    let flows = flows.expect("both are known");
    assert_eq!(flows.len(), 1);
    assert_eq!(flows[0].port, None);
}
