//! Rounds in a row: what is published while namespaces are replaced, the API fails and everything
//! vanishes.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::Arc,
};

use serde_json::json;
use underpin_model::{GroupKind, Unread};
use underpin_route::{
    Acknowledgement, Act, Adapted, Asking, Hold, Outcome, ProbeAnswer, RefusalReason, Remembered,
    Round, RoundInput, RouteKey, Scheme, ServedRoute, SiteAddress, blocks, probes, resolve, round,
    served,
};

const TOMBSTONE: u64 = 30;

/// A Service with an entry for a host, in a namespace.
#[derive(Clone)]
struct Service {
    namespace: &'static str,
    name: String,
    host: String,
    created: u64,
    entry: &'static str,
}

fn services(namespace: &'static str, number: usize, created: u64) -> Vec<Service> {
    (0..number)
        .map(|index| Service {
            namespace,
            name: format!("web-{index}"),
            host: format!("h{index}.example.com"),
            created,
            entry: "respond ok",
        })
        .collect()
}

/// An edge whose Caddy takes everything but entries with `bad` in them.
#[derive(Default)]
struct Edge {
    remembered: Remembered,
    acknowledged: Option<Acknowledgement>,
}

#[derive(Clone, Copy, Default)]
struct Cluster<'a> {
    services: &'a [Service],
    terminating: &'a [&'static str],
    unreadable: bool,
    /// Whether the Services of each namespace are of a claim of their own.
    claimed: bool,
}

/// A cluster that can be read, with these Services.
fn is(services: &[Service]) -> Cluster<'_> {
    Cluster {
        services,
        ..Cluster::default()
    }
}

impl Edge {
    fn round(&mut self, cluster: Cluster<'_>, now: u64) -> Round {
        let (world, settings, _) = support::read("cluster", &yaml(cluster));
        let mut world = world;
        if cluster.unreadable {
            world.unread.push(Unread {
                kind: Some(GroupKind::core("Service")),
                group: String::new(),
                namespace: None,
                reason: "connection refused".into(),
            });
        }
        let mut table = resolve(&world, &settings, &self.remembered.published);
        let found = blocks(&table);
        let outcomes = found.iter().map(|block| outcome(block.body.reveal()));
        let served = served(&mut table, &found, outcomes.collect());
        let round = round(&RoundInput {
            remembered: &self.remembered,
            table: &table,
            served: &served,
            acknowledged: self.acknowledged.as_ref(),
            now,
            tombstone: TOMBSTONE,
            anew: false,
        });
        // What is written and read again is the same.
        let text = round.next.to_text();
        let read = Remembered::from_slice(text.as_bytes());
        assert_eq!(read.unwrap(), round.next);
        self.remembered = round.next.clone();
        round
    }

    fn deleted(&mut self, uid: &str, at: u64) {
        self.remembered.causes.deleted.insert(uid.into(), at);
    }

    fn hosts(&self) -> BTreeMap<String, String> {
        let served = self.remembered.served.iter();
        served
            .map(|(key, route)| {
                let namespace = route.object.namespace.clone().unwrap_or_default();
                (key.to_string(), namespace)
            })
            .collect()
    }

    fn namespaces(&self) -> BTreeSet<String> {
        self.hosts().into_values().collect()
    }
}

fn outcome(text: &str) -> Outcome {
    if text.contains("bad") {
        return Err(vec![RefusalReason::Rejected]);
    }
    let routes = json!([{"handle": [{"handler": "static_response", "body": text}]}]);
    let site = json!([{"match": [{"host": ["entry.invalid"]}], "terminal": true,
        "handle": [{"handler": "subroute", "routes": routes}]}]);
    let server = json!({"listen": [":80"], "routes": site});
    let document = json!({"apps": {"http": {"servers": {"srv0": server}}}});
    Ok(Arc::new(Adapted::read(&document).unwrap()))
}

fn yaml(cluster: Cluster<'_>) -> String {
    let mut text = String::from("apiVersion: v1\nkind: Namespace\nmetadata: {name: kept}\n");
    for namespace in ["old-ns", "new-ns"] {
        let deletion = if cluster.terminating.contains(&namespace) {
            ", deletionTimestamp: '2026-01-01T00:00:00Z'"
        } else {
            ""
        };
        write!(
            text,
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {namespace}{deletion}}}\n"
        )
        .unwrap();
    }
    for service in cluster.services {
        let Service {
            namespace,
            name,
            host,
            created,
            entry,
        } = service;
        write!(
            text,
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  \
             uid: {namespace}-{name}-{created}\n  \
             creationTimestamp: '2026-01-01T00:00:{created:02}Z'\n  annotations:\n    \
             underpin.dev/route: |\n      http://{host} {{\n        {entry}\n      }}\nspec: {{}}\n"
        )
        .unwrap();
        if cluster.claimed {
            let uid = format!("{namespace}-{name}-{created}");
            writeln!(text, "#owner stack-of-{namespace}/production {uid}").unwrap();
        }
    }
    text
}

/// R3.1: an address that a claim's object had is not given to another claim's as long as the first is
/// waited for: who deploys anew gets it back.
#[test]
fn r3_1_an_address_waits_for_its_claim() {
    let (old, anew) = (services("old-ns", 1, 1), services("old-ns", 1, 50));
    let new = services("new-ns", 1, 2);
    let claimed = |services| Cluster {
        services,
        claimed: true,
        ..Cluster::default()
    };
    let both = [&old[..], &new].concat();
    let back = [&anew[..], &new].concat();
    let mut edge = Edge::default();
    edge.round(claimed(&both), 0);
    let of = |namespace: &str| BTreeSet::from([namespace.to_owned()]);
    assert_eq!(edge.namespaces(), of("old-ns"));
    edge.deleted("old-ns-web-0-1", 40);
    let round = edge.round(claimed(&new), 41);
    assert_eq!(round.decision.again_at, Some(40 + TOMBSTONE));
    assert_eq!(edge.namespaces(), of("old-ns"));
    edge.round(claimed(&back), 50);
    assert_eq!(edge.namespaces(), of("old-ns"));
    // It does not come back: then the other one's time has come.
    edge.deleted("old-ns-web-0-50", 60);
    edge.round(claimed(&new), 61);
    assert_eq!(edge.namespaces(), of("old-ns"));
    edge.round(claimed(&new), 60 + TOMBSTONE);
    edge.round(claimed(&new), 61 + TOMBSTONE);
    assert_eq!(edge.namespaces(), of("new-ns"));
}

/// R3.1, R3.2, I3: old and new beside each other, the old one dying, the API failing in the middle,
/// then everything gone. At no moment is a host lost that has a Service, or everything.
#[test]
fn r3_2_the_outage_loses_no_host() {
    let (old, new) = (services("old-ns", 5, 1), services("new-ns", 5, 2));
    let both: Vec<Service> = old.iter().chain(&new).cloned().collect();
    let mut edge = Edge::default();
    assert_eq!(edge.round(is(&old), 0).act, Act::Publish);
    assert_eq!(edge.round(is(&old), 1).act, Act::Nothing);
    assert_eq!(edge.round(is(&both), 10).act, Act::Publish);
    assert_eq!(edge.namespaces(), BTreeSet::from(["new-ns".to_owned()]));
    let dying = Cluster {
        services: &both,
        terminating: &["old-ns"],
        ..Cluster::default()
    };
    assert_eq!(edge.round(dying, 11).act, Act::Nothing);
    // The API fails: half of the Services are not told.
    let failing = Cluster {
        services: &new[..2],
        terminating: &["old-ns"],
        unreadable: true,
        ..Cluster::default()
    };
    let round = edge.round(failing, 12);
    assert_eq!(round.act, Act::Hold);
    assert!(matches!(round.decision.holds[..], [Hold::Incomplete(_)]));
    assert_eq!(edge.hosts().len(), 5);
    // It is back, and says that there is nothing.
    for now in [20, 60, 6_000] {
        let round = edge.round(is(&[]), now);
        assert!(matches!(round.decision.holds[..], [Hold::Vanished { .. }]));
        assert_eq!(round.act, Act::Nothing);
        assert_eq!(edge.hosts().len(), 5);
    }
    // The objects return.
    let round = edge.round(is(&new), 6_001);
    assert_eq!((round.act, round.decision.holds.len()), (Act::Nothing, 0));
    assert_eq!(edge.remembered.published.generation, 2);
}

/// A namespace that is replaced is one swap: deletions are seen, and the new ones come before their
/// time is over.
#[test]
fn r3_2_a_namespace_that_is_replaced_is_one_swap() {
    let old = services("old-ns", 3, 1);
    let new = services("new-ns", 3, 9);
    let mut edge = Edge::default();
    edge.round(is(&old), 0);
    for service in &old {
        edge.deleted(&format!("old-ns-{}-1", service.name), 5);
    }
    let round = edge.round(is(&[]), 6);
    assert_eq!(round.act, Act::Nothing);
    assert_eq!(round.decision.again_at, Some(5 + TOMBSTONE));
    assert_eq!(edge.round(is(&new), 20).act, Act::Publish);
    assert_eq!(edge.namespaces(), BTreeSet::from(["new-ns".to_owned()]));
    assert!(edge.remembered.causes.deleted.is_empty(), "of no use now");
    // Nothing comes in place of these.
    for service in &new {
        edge.deleted(&format!("new-ns-{}-9", service.name), 100);
    }
    edge.round(is(&[]), 101);
    assert_eq!(edge.hosts().len(), 3);
    let round = edge.round(is(&[]), 100 + TOMBSTONE);
    assert_eq!((round.act, edge.hosts().len()), (Act::Publish, 0));
}

/// R3.2: consent is to these keys since this generation, and to nothing else.
#[test]
fn r3_2_a_held_loss_goes_by_consent_to_itself() {
    let three = services("old-ns", 3, 1);
    let mut edge = Edge::default();
    let nothing = edge.round(is(&[]), 0);
    assert_eq!(
        (nothing.act, nothing.decision.holds),
        (Act::Hold, vec![Hold::Empty])
    );
    edge.round(is(&three), 1);
    let held = edge.round(is(&[]), 2).decision.held();
    assert_eq!(held.len(), 3);
    let mut consent = Acknowledgement {
        generation: 0,
        keys: held,
    };
    for (generation, left) in [(0, 3), (2, 3), (1, 0)] {
        consent.generation = generation;
        edge.acknowledged = Some(consent.clone());
        edge.round(is(&[]), 3);
        assert_eq!(edge.hosts().len(), left, "generation {generation}");
    }
}

/// R3.3: a bad entry keeps its own last good version, and the others live.
#[test]
fn r3_3_a_refused_entry_is_served_as_it_was() {
    let mut services = services("old-ns", 3, 1);
    let mut edge = Edge::default();
    services[2].entry = "bad from the beginning";
    edge.round(is(&services), 0);
    assert_eq!(edge.hosts().len(), 2);
    let before = edge.remembered.served.clone();
    services[0].entry = "bad now";
    services[1].entry = "respond other";
    let round = edge.round(is(&services), 100);
    assert_eq!(round.act, Act::Publish);
    let keys: Vec<&RouteKey> = before.keys().collect();
    assert_eq!(edge.remembered.served[keys[0]], before[keys[0]]);
    assert_ne!(edge.remembered.served[keys[1]], before[keys[1]]);
    assert_eq!(edge.round(is(&services), 9_999).act, Act::Nothing);
}

/// R3.3: an entry that is refused takes no address from the object that serves it, however much newer its
/// own object is; once it is mended, it does.
#[test]
fn r3_3_a_refused_entry_takes_no_address_from_who_serves_it() {
    let mut services = services("old-ns", 5, 1);
    let mut edge = Edge::default();
    edge.round(is(&services), 0);
    services.push(Service {
        namespace: "new-ns",
        created: 9,
        entry: "bad from the beginning",
        ..services[0].clone()
    });
    let all_old = BTreeSet::from(["old-ns".to_owned()]);
    for now in [10, 11 + TOMBSTONE, 9_999] {
        let round = edge.round(is(&services), now);
        assert_eq!((round.act, edge.hosts().len()), (Act::Nothing, 5), "{now}");
        assert_eq!(edge.namespaces(), all_old);
    }
    let mut mended = services.clone();
    mended[5].entry = "respond ok";
    let mut other = Edge {
        remembered: edge.remembered.clone(),
        ..Edge::default()
    };
    other.round(is(&mended), 10_000);
    assert_eq!(other.hosts()["http://h0.example.com"], "new-ns");
    // What was deleted is not served on for that.
    edge.deleted("old-ns-web-0-1", 10_000);
    edge.round(is(&services[1..]), 10_000 + TOMBSTONE);
    assert_eq!(edge.hosts().len(), 4);
}

/// R3.3: an entry that cannot be read any more gives its address to nobody who would not have had it before.
#[test]
fn r3_3_an_entry_that_turns_bad_gives_its_address_to_nobody_older() {
    let mut services = services("old-ns", 3, 5);
    let own = Service {
        namespace: "new-ns",
        created: 9,
        ..services[0].clone()
    };
    services.push(own.clone());
    let mut edge = Edge::default();
    edge.round(is(&services), 0);
    assert_eq!(edge.hosts()["http://h0.example.com"], "new-ns");
    services[3].entry = "}";
    for now in [10, 11 + TOMBSTONE] {
        let round = edge.round(is(&services), now);
        assert_eq!(round.act, Act::Nothing, "{now}");
        assert_eq!(edge.hosts()["http://h0.example.com"], "new-ns");
    }
    let newer = Service {
        namespace: "old-ns",
        name: "newer".to_owned(),
        created: 10,
        ..own
    };
    services.push(newer);
    edge.round(is(&services), 100);
    assert_eq!(edge.hosts()["http://h0.example.com"], "old-ns");
}

/// R3.7: each answer that is not the route's own is told.
#[test]
fn r3_7_probes_tell_who_answers() {
    let mut edge = Edge::default();
    let services = services("old-ns", 1, 1);
    edge.round(is(&services), 0);
    let asking = Asking {
        schemes: &[Scheme::Http],
        answers_unknown: false,
        token: "t0ken",
    };
    let probes = probes(&edge.remembered.served, &asking);
    let shown: Vec<String> = probes
        .iter()
        .map(|probe| format!("{}{}", probe.host, probe.path))
        .collect();
    assert_eq!(shown, ["h0.example.com/t0ken", "t0ken.invalid/"]);
    let own = ProbeAnswer {
        status: 204,
        route: Some("service/old-ns/web-0".into()),
        generation: Some("1".into()),
        ..ProbeAnswer::default()
    };
    let page = ProbeAnswer {
        status: 503,
        retry_after: Some("60".into()),
        cache_control: Some("no-store".into()),
        content_type: Some("text/html; charset=utf-8".into()),
        ..ProbeAnswer::default()
    };
    let told = |probe: usize, generation, answer: &ProbeAnswer| {
        let judged = probes[probe].judge(generation, answer);
        judged.map_or_else(|failure| failure.to_string(), |()| "as it must be".into())
    };
    let welcome = ProbeAnswer {
        status: 200,
        ..ProbeAnswer::default()
    };
    let moved = ProbeAnswer {
        has_location_or_hsts: true,
        ..page.clone()
    };
    let bare = ProbeAnswer {
        status: 503,
        ..ProbeAnswer::default()
    };
    let other = ProbeAnswer {
        route: Some("service/new-ns/web-0".into()),
        ..own.clone()
    };
    let text = [
        told(0, 1, &own),
        told(0, 2, &own),
        told(0, 1, &other),
        told(0, 1, &page),
        told(0, 1, &welcome),
        told(1, 1, &page),
        told(1, 1, &bare),
        told(1, 1, &moved),
        told(1, 1, &welcome),
    ];
    insta::assert_snapshot!(text.join("\n"), @"
    as it must be
    http://h0.example.com: an older configuration answers
    http://h0.example.com: it is served by service/new-ns/web-0 and not by service/old-ns/web-0
    http://h0.example.com: it lands on the page for hosts that nothing is configured for
    http://h0.example.com: it is answered 200 by no route of the edge
    as it must be
    http://a host that nothing is configured for: the page lacks its Retry-After
    http://a host that nothing is configured for: the page redirects or asks for TLS alone
    http://a host that nothing is configured for: it is answered 200 and not 503
    ");
}

/// R3.6: what is remembered shows nothing in its debug form.
#[test]
fn r3_6_what_is_remembered_is_not_shown() {
    let mut services = services("old-ns", 1, 1);
    services[0].entry = "respond hunter2";
    let mut edge = Edge::default();
    edge.remembered.nonce = "hunter2".into();
    let round = edge.round(is(&services), 0);
    let shown = format!("{:?} {:?}", round, edge.remembered);
    assert!(!shown.contains("hunter2"), "{shown}");
}

/// R3.7: over TLS each site is asked for by its own name, and the page by both versions of HTTP.
#[test]
fn r3_7_sites_over_tls_are_asked_for_by_name() {
    let mut edge = Edge::default();
    edge.round(is(&services("old-ns", 2, 1)), 0);
    let served = edge.remembered.served.into_iter().map(|(key, route)| {
        let host = key.site.unwrap().host().to_owned();
        let site = SiteAddress::new(Scheme::Https, &host).unwrap();
        (RouteKey::site(site), route)
    });
    let served = served.collect();
    let shown = |answers_unknown: bool, served: &BTreeMap<RouteKey, ServedRoute>| {
        let asking = Asking {
            schemes: &[Scheme::Https],
            answers_unknown,
            token: "t0ken",
        };
        let probes = probes(served, &asking);
        let lines = probes.into_iter().map(|probe| {
            let name = probe.name.unwrap();
            format!("{:?} {name} {}{}", probe.protocol, probe.host, probe.path)
        });
        lines.collect::<Vec<String>>().join("\n")
    };
    insta::assert_snapshot!(shown(false, &served), @"
    Two h0.example.com h0.example.com/t0ken
    One h1.example.com h1.example.com/t0ken
    One h0.example.com t0ken.invalid/
    Two h0.example.com t0ken.invalid/
    ");
    insta::assert_snapshot!(shown(true, &BTreeMap::new()), @"
    One t0ken.invalid t0ken.invalid/
    Two t0ken.invalid t0ken.invalid/
    ");
    // There is no name for which there would be TLS.
    assert_eq!(shown(false, &BTreeMap::new()), "");
}
