//! What the engine makes of worlds that are not read completely, and what it tells beside answers.

mod support;

use std::sync::Arc;

use underpin_connect::{
    AddressRange, Effect, Endpoint, Engine, Member, Options, Profile, Reason, Target, Tier, Verdict,
};
use underpin_model::{Depth, GroupKind, PortRef, Protocol, Unread, World};

const WORLD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {pod: a}}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: x, labels: {pod: b}}
spec: {containers: [{name: c, image: i}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: x}
spec: {podSelector: {matchLabels: {pod: a}}, ingress: [{ports: [{port: 80}]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, namespace: x}
spec:
  defaultBackend: {service: {name: b, port: {name: http}}}
  rules:
  - http: {paths: [{path: /, backend: {service: {name: a, port: {number: 8080}}}}]}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old, namespace: x}
spec: {backend: {serviceName: a, servicePort: "8080"}}
---
{apiVersion: v1, kind: Service, metadata: {name: a, namespace: x}, spec: {selector: {pod: a}, ports: [{port: 8080, targetPort: 80}]}}
"#;

fn world() -> World {
    support::world("world.yaml", WORLD)
}

fn unread(kind: Option<GroupKind>, group: &str, namespace: Option<&str>) -> Unread {
    Unread {
        kind,
        group: group.to_owned(),
        namespace: namespace.map(str::to_owned),
        reason: "forbidden".to_owned(),
    }
}

#[track_caller]
fn check(world: &World, asked: &str, expect: Verdict) {
    let engine = support::engine(world, Profile::Documented);
    let answer = engine.answer(&support::question(&engine, asked));
    assert_eq!(answer.verdict, expect, "{asked}: {answer:#?}");
    if expect == Verdict::Unknown {
        let mut told = answer.reasons.iter();
        assert!(
            told.any(|reason| matches!(reason, Reason::Unread(what) if what.contains("forbidden")))
        );
    }
}

#[test]
fn policies_that_could_not_be_read_make_unknown_what_they_could_change() {
    let network = GroupKind::new("networking.k8s.io", "NetworkPolicy");
    let mut world = world();
    check(&world, "x/b -> x/a TCP 80", Verdict::Allowed);
    check(&world, "x/b -> x/a TCP 81", Verdict::Refused);
    check(&world, "x/a -> x/b TCP 80", Verdict::Allowed);

    world.unread = vec![unread(Some(network.clone()), "", Some("elsewhere"))];
    check(&world, "x/b -> x/a TCP 81", Verdict::Refused);
    check(&world, "x/a -> x/b TCP 80", Verdict::Allowed);
    check(
        &world,
        "pods:elsewhere{a=b} -> x/a TCP 80",
        Verdict::Unknown,
    );

    // Further policies only add to what this one allows, but who has none may get one.
    world.unread = vec![unread(Some(network.clone()), "", Some("x"))];
    check(&world, "ip:192.0.2.1 -> x/a TCP 80", Verdict::Allowed);
    check(&world, "ip:192.0.2.1 -> x/a TCP 81", Verdict::Unknown);
    check(&world, "ip:192.0.2.1 -> x/b TCP 80", Verdict::Unknown);

    world.unread = vec![unread(Some(network.clone()), "", None)];
    world.partly_read.insert(network, ["x".to_owned()].into());
    check(&world, "ip:192.0.2.1 -> x/b TCP 80", Verdict::Allowed);

    for tier in ["AdminNetworkPolicy", "ClusterNetworkPolicy"] {
        let kind = GroupKind::new("policy.networking.k8s.io", tier);
        world.unread = vec![unread(Some(kind), "", None)];
        check(&world, "ip:192.0.2.1 -> x/a TCP 80", Verdict::Unknown);
    }
    let kind = GroupKind::new("policy.networking.k8s.io", "BaselineAdminNetworkPolicy");
    world.unread = vec![unread(Some(kind), "", None)];
    check(&world, "ip:192.0.2.1 -> x/a TCP 80", Verdict::Allowed);
    check(&world, "ip:192.0.2.1 -> x/b TCP 80", Verdict::Unknown);
    world.unread = vec![unread(None, "policy.networking.k8s.io", None)];
    check(&world, "ip:192.0.2.1 -> x/b TCP 80", Verdict::Unknown);
}

#[test]
fn a_policy_of_which_only_the_metadata_was_read_is_unknown() {
    let mut world = world();
    let key = world
        .of_kind(&GroupKind::new("networking.k8s.io", "NetworkPolicy"))
        .next()
        .expect("the policy")
        .key
        .clone();
    let mut policy = world.remove(&key).expect("the policy");
    policy.depth = Depth::Metadata;
    Arc::make_mut(&mut policy.value)["spec"].take();
    world.insert(policy);
    let engine = support::engine(&world, Profile::Documented);
    for asked in ["x/b -> x/a TCP 80", "x/a -> x/b TCP 80"] {
        let answer = engine.answer(&support::question(&engine, asked));
        assert_eq!(answer.verdict, Verdict::Unknown);
        assert_eq!(answer.reasons, [Reason::Unreadable(key.clone())]);
    }
}

#[test]
fn ingresses_of_all_versions_say_what_their_controller_needs() {
    let engine = support::engine(&world(), Profile::Documented);
    let told: Vec<String> = engine
        .ingress_entries()
        .iter()
        .map(|entry| format!("{} | {}", entry.evidence, entry.question))
        .collect();
    assert_eq!(
        told,
        [
            "world.yaml:28:8 ingress.extensions/x/old spec.backend: forwards to Service a | the \
             ingress controller → service/x/a TCP 8080",
            "world.yaml:21:3 ingress.networking.k8s.io/x/front spec.defaultBackend: forwards to \
             Service b | the ingress controller → service/x/b TCP http",
            "world.yaml:23:30 ingress.networking.k8s.io/x/front spec.rules[0].http.paths[0].backend: \
             forwards to Service a | the ingress controller → service/x/a TCP 8080",
        ]
    );
    let answer = engine.answer(&engine.ingress_entries()[2].question);
    assert_eq!(answer.verdict, Verdict::Allowed);
    assert_eq!(answer.flows[0].port, Some(80));
}

/// R5.5: who, by which policy, rule, peer and port.
#[test]
fn an_answer_tells_both_directions_line_by_line() {
    let engine = support::engine(&world(), Profile::Documented);
    let answer = engine.answer(&support::question(&engine, "x/b -> svc:x/a TCP 8080"));
    let flow = &answer.flows[0];
    assert_eq!(
        (flow.from.as_str(), flow.to.as_str()),
        ("pod/x/b", "pod/x/a")
    );
    assert_eq!(
        (flow.protocol, flow.port, flow.is_itself),
        (Protocol::Tcp, Some(80), false)
    );
    assert_eq!(
        (flow.egress.verdict, flow.egress.lines.len()),
        (Verdict::Allowed, 0)
    );
    let lines: Vec<_> = flow
        .ingress
        .lines
        .iter()
        .map(|line| (line.tier, line.effect, line.rule, line.peer, line.port))
        .collect();
    assert_eq!(
        lines,
        [
            (Some(Tier::Network), Effect::Selects, None, None, None),
            (Some(Tier::Network), Effect::Allows, Some(0), None, Some(0)),
        ]
    );
    let itself = engine.answer(&support::question(&engine, "x/a -> x/a TCP 9"));
    assert!(itself.flows[0].is_itself);
}

#[test]
fn an_end_that_is_not_known_is_unknown() {
    let engine = support::engine(&world(), Profile::Documented);
    let mut question = support::question(&engine, "x/b -> x/a TCP 80");
    let known = question.from.clone();
    let Endpoint::Workload(key) = &mut question.from else {
        panic!("a workload");
    };
    key.name = "gone".to_owned();
    let answer = engine.answer(&question);
    assert_eq!(answer.verdict, Verdict::Unknown);
    assert_eq!(
        answer.reasons,
        [Reason::NoBackend("pod/x/gone is not known".to_owned())]
    );
    let Target::Endpoint(to) = &question.to else {
        panic!("an endpoint");
    };
    assert!(engine.reach(&question.from, to).is_err());
    question.from = known;
    question.port = PortRef::Name("http".to_owned());
    assert_eq!(
        engine.answer(&question).reasons,
        [Reason::NamedPort("http".to_owned())]
    );
}

const BLOCKS: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: x}
spec: {template: {metadata: {labels: {pod: a}}, spec: {}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: x}
spec: {podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{ipBlock: {cidr: 192.168.0.0/16}}]}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: b, namespace: x}
spec: {template: {metadata: {labels: {pod: b}}, spec: {}}}
";

/// Whether pods may be in 192.168.0.0/16: by default unknown, else as the networks of pods say.
#[test]
fn the_networks_of_pods_tell_which_blocks_may_hold_them() {
    let node = |cidr: &str| {
        format!(
            "{BLOCKS}---\n{{apiVersion: v1, kind: Node, metadata: {{name: one}}, spec: {{podCIDR: {cidr}, podCIDRs: [{cidr}]}}}}\n"
        )
    };
    let pod = |address: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: z}}, spec: {{}}, status: {{podIP: {address}}}}}\n"
        )
    };
    let given = |text: &str| vec![AddressRange::block(text).expect("a block")];
    for (text, pod_networks, expect) in [
        (BLOCKS.to_owned(), vec![], Verdict::Unknown),
        (BLOCKS.to_owned(), given("10.0.0.0/8"), Verdict::Refused),
        (BLOCKS.to_owned(), given("192.168.7.0/24"), Verdict::Unknown),
        (node("10.0.0.0/24"), vec![], Verdict::Refused),
        (node("192.168.0.0/24"), vec![], Verdict::Unknown),
        (
            node("10.0.0.0/24") + &pod("10.0.0.9"),
            vec![],
            Verdict::Refused,
        ),
        // A plugin that hands out other addresses than the nodes say.
        (
            node("10.0.0.0/24") + &pod("192.168.1.9"),
            vec![],
            Verdict::Unknown,
        ),
    ] {
        let options = Options {
            pod_networks,
            ..Options::default()
        };
        let engine = Engine::new(&support::world("w.yaml", &text), &options);
        let answer = engine.answer(&support::question(&engine, "x/b -> x/a TCP 1"));
        assert_eq!(answer.verdict, expect, "{text}");
    }
}

#[test]
fn the_matrix_tells_every_pair_between_which_something_is_allowed() {
    let engine = support::engine(&support::world("w.yaml", BLOCKS), Profile::NpGuard);
    let name = |member: &Member| match member {
        Member::Workload(key) => key.name.clone(),
        Member::Outside(range) => range.to_string(),
    };
    let mut told = Vec::new();
    engine.matrix(&[]).visit(|from, to, outcome| {
        told.push(format!(
            "{} → {}: {}",
            name(from),
            name(to),
            outcome.allowed
        ));
    });
    let v6 = "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    assert_eq!(
        told,
        [
            "192.168.0.0-192.168.255.255 → a: all".to_owned(),
            "a → b: all".to_owned(),
            "b → b: all".to_owned(),
            "0.0.0.0-192.167.255.255 → b: all".to_owned(),
            "192.168.0.0-192.168.255.255 → b: all".to_owned(),
            "192.169.0.0-255.255.255.255 → b: all".to_owned(),
            format!("{v6} → b: all"),
            "a → 0.0.0.0-192.167.255.255: all".to_owned(),
            "b → 0.0.0.0-192.167.255.255: all".to_owned(),
            "a → 192.168.0.0-192.168.255.255: all".to_owned(),
            "b → 192.168.0.0-192.168.255.255: all".to_owned(),
            "a → 192.169.0.0-255.255.255.255: all".to_owned(),
            "b → 192.169.0.0-255.255.255.255: all".to_owned(),
            format!("a → {v6}: all"),
            format!("b → {v6}: all"),
        ]
    );
}
