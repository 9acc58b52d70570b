//! The winner of every address, against a naive oracle, and the speed at 10,000 entries.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::{cmp::Reverse, fmt::Write as _};

use proptest::prelude::*;
use underpin_route::{RouteKey, RoutingTable, SiteAddress, resolve};

/// A Service that asks for some of five addresses.
#[derive(Clone, Debug)]
struct Asks {
    namespace: usize,
    created: Option<u32>,
    hosts: Vec<usize>,
    deleted: bool,
    ready: bool,
    owner: Option<usize>,
}

prop_compose! {
    fn asks()(
        namespace in 0..3_usize,
        created in proptest::option::weighted(0.9, 0..3_u32),
        hosts in proptest::collection::btree_set(0..5_usize, 1..4),
        deleted in proptest::bool::weighted(0.2),
        ready in any::<bool>(),
        owner in proptest::option::weighted(0.4, 0..2_usize),
    ) -> Asks {
        Asks { namespace, created, hosts: hosts.into_iter().collect(), deleted, ready, owner }
    }
}

#[derive(Debug)]
struct Scene {
    asks: Vec<Asks>,
    dying: Option<usize>,
    endpoints: bool,
    /// Who serves each address now, and the claim that recorded it.
    held: Vec<Option<(usize, Option<usize>)>>,
}

prop_compose! {
    fn scenes()(
        asks in proptest::collection::vec(asks(), 1..7),
        dying in proptest::option::weighted(0.3, 0..3_usize),
        endpoints in any::<bool>(),
        held in proptest::collection::vec(
            proptest::option::of((0..7_usize, proptest::option::of(0..3_usize))), 5),
    ) -> Scene {
        Scene { asks, dying, endpoints, held }
    }
}

fn host(n: usize) -> String {
    format!("http://h{n}.example.com")
}

/// The world of a scene, as YAML with a head.
fn yaml(scene: &Scene) -> String {
    let mut text = String::new();
    if scene.endpoints {
        text.push_str("#endpoints\n");
    }
    for (at, ask) in scene.asks.iter().enumerate() {
        if let Some(owner) = ask.owner {
            writeln!(text, "#owner stack-{owner}/production u-{at}").unwrap();
        }
    }
    for (n, held) in scene.held.iter().enumerate() {
        if let Some((at, owner)) = held {
            let namespace = scene.asks.get(*at).map_or(9, |ask| ask.namespace);
            let owner = owner.map_or_else(String::new, |owner| format!("stack-{owner}/production"));
            let address = host(n);
            writeln!(
                text,
                "#held {address} ns-{namespace}/web-{at} u-{at} {owner}"
            )
            .unwrap();
        }
    }
    for n in 0..3 {
        text.push_str(&format!(
            "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns-{n}\n"
        ));
        if scene.dying == Some(n) {
            text.push_str("  deletionTimestamp: \"2026-01-01T00:00:00Z\"\n");
        }
    }
    for (at, ask) in scene.asks.iter().enumerate() {
        text.push_str(&service(at, ask));
    }
    text
}

fn service(at: usize, ask: &Asks) -> String {
    let hosts: Vec<String> = ask.hosts.iter().map(|n| host(*n)).collect();
    let namespace = ask.namespace;
    let mut meta = format!("  name: web-{at}\n  namespace: ns-{namespace}\n  uid: u-{at}\n");
    if let Some(day) = ask.created {
        meta.push_str(&format!(
            "  creationTimestamp: \"2026-01-0{}T00:00:00Z\"\n",
            day + 1
        ));
    }
    if ask.deleted {
        meta.push_str("  deletionTimestamp: \"2026-01-09T00:00:00Z\"\n");
    }
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n{meta}  annotations:\n    \
         underpin.dev/route: |\n      {} {{\n        reverse_proxy \
         http://web-{at}.ns-{namespace}.svc:80\n      }}\nspec:\n  ports: [{{port: 80}}]\n\
         ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: web-{at}\n  \
         namespace: ns-{namespace}\n  labels: {{kubernetes.io/service-name: web-{at}}}\n\
         endpoints: [{{conditions: {{ready: {}}}}}]\n",
        hosts.join(", "),
        ask.ready,
    )
}

/// Who the requirement says serves an address.
fn oracle(scene: &Scene, n: usize) -> Option<usize> {
    let asks = |at: usize| &scene.asks[at];
    let mut left: Vec<usize> = (0..scene.asks.len())
        .filter(|at| {
            let ask = asks(*at);
            ask.hosts.contains(&n) && !ask.deleted && scene.dying != Some(ask.namespace)
        })
        .collect();
    // Oldest first, and of equal age the one that would win last.
    left.sort_by_key(|at| {
        let ask = asks(*at);
        let name = (format!("ns-{}", ask.namespace), format!("web-{at}"));
        (ask.created.map_or(u64::MAX, u64::from), Reverse(name))
    });
    let held = scene.held[n];
    let holder = held.map(|(at, _)| at).filter(|at| left.contains(at));
    let claimed = left.iter().copied().filter(|at| asks(*at).owner.is_some());
    let oldest = claimed.min_by_key(|at| {
        (
            asks(*at).created.unwrap_or(u32::MAX),
            asks(*at).namespace,
            *at,
        )
    });
    // Whose object is missing has the address until that is no longer waited for.
    let waited_for = held.and_then(|(_, owner)| owner);
    let owner = match (holder, waited_for) {
        (Some(at), _) => asks(at).owner,
        (None, Some(owner)) => Some(owner),
        (None, None) => oldest.and_then(|at| asks(at).owner),
    };
    if let Some(owner) = owner {
        left.retain(|at| asks(*at).owner == Some(owner));
    }
    if scene.endpoints && left.iter().any(|at| asks(*at).ready) {
        left.retain(|at| asks(*at).ready);
    }
    left.last().copied()
}

fn table(scene: &Scene) -> RoutingTable {
    let (world, settings, last) = support::read("scene", &yaml(scene));
    resolve(&world, &settings, &last)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn r3_1_one_winner_per_address(scene in scenes()) {
        let table = table(&scene);
        for n in 0..5 {
            let key = RouteKey::site(SiteAddress::parse(&host(n)).unwrap());
            let winner = table.routes.get(&key).map(|route| route.source.object.name.clone());
            let expect = oracle(&scene, n).map(|at| format!("web-{at}"));
            prop_assert_eq!(&winner, &expect, "{}", key);
            // Everybody who asked either serves or is told why not.
            let asked = scene.asks.iter().filter(|ask| ask.hosts.contains(&n)).count();
            let told = table.conflicts.iter().filter(|conflict| conflict.key == key);
            let told: Vec<_> = told.collect();
            prop_assert_eq!(told.len() + usize::from(winner.is_some()), asked);
            for conflict in told {
                let named = conflict.winner.as_ref().map(|winner| winner.name.clone());
                prop_assert_eq!(&named, &winner);
            }
        }
        prop_assert!(table.refused.is_empty() && table.incomplete.is_empty());
    }
}

/// 10,000 entries, one of which is bad and one of which clashes.
#[test]
fn r3_3_ten_thousand_entries_and_a_bad_one() {
    let mut world = underpin_model::World::default();
    for n in 0..10_000 {
        let body = if n == 5_000 { "}\n" } else { "" };
        let host = if n == 7_000 { 6_999 } else { n };
        let value = serde_json::json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": format!("web-{n}"), "namespace": format!("ns-{}", n % 100),
                "uid": format!("u-{n}"), "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {"simple-container.com/caddyfile-entry": format!(
                    "http://h{host}.example.com, https://h{host}.example.com {{\n  reverse_proxy \
                     http://web-{n}.ns-{}.svc.cluster.local:80 {{\n    header_down Server edge\n  \
                     }}\n  import gzip\n{body}}}\n", n % 100)}},
            "spec": {"ports": [{"port": 80}]},
        });
        let live = underpin_model::Origin::Live;
        let object =
            underpin_model::Object::from_value(value, underpin_model::Depth::Full, live).unwrap();
        world.insert(object);
    }
    let settings = underpin_route::Settings::default();
    let table = resolve(&world, &settings, &underpin_route::Published::default());
    assert_eq!(table.routes.len(), 2 * 9_998);
    assert_eq!((table.refused.len(), table.conflicts.len()), (1, 2));
}
