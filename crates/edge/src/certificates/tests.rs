//! What of Secrets is taken, goes on, is taken back and is lost.

use serde_json::json;
use underpin_model::GroupKind;
use underpin_route::{PathMatch, Proxy, SiteAddress, proxy_routes};

use super::*;

const NOW: u64 = 1_000;

fn secret(name: &str) -> ObjectKey {
    ObjectKey::namespaced(GroupKind::core("Secret"), "shop", name)
}

fn key(host: &str) -> RouteKey {
    RouteKey {
        site: SiteAddress::parse(&format!("https://{host}")).ok(),
        path: PathMatch::All,
    }
}

/// A certificate for these hosts that is told from others by its key.
fn made(key: &str, names: &[&str]) -> Certificate {
    Certificate {
        chain: "CHAIN".to_owned(),
        key: key.to_owned(),
        names: names.iter().map(ToString::to_string).collect(),
        valid: 0..=u64::MAX,
    }
}

/// Routes of hosts, each with the Secret that it names.
fn routes(each: &[(&str, Option<&str>)]) -> BTreeMap<RouteKey, ServedRoute> {
    let proxy = Proxy {
        namespace: "shop".to_owned(),
        service: "web".to_owned(),
        port: Some(80),
    };
    let content = Arc::new(proxy_routes(&proxy).unwrap());
    let each = each.iter().map(|(host, named)| {
        let route = ServedRoute {
            object: ObjectKey::namespaced(GroupKind::core("Service"), "shop", "web").into(),
            routes: Arc::clone(&content),
            certificate: named.map(secret),
        };
        (key(host), route)
    });
    each.collect()
}

/// A Secret `cert` for hosts; `first` of it was published and found to be served.
struct Scene {
    certificates: Certificates,
    served: BTreeMap<RouteKey, ServedRoute>,
    given: Option<Value>,
}

impl Scene {
    fn of(hosts: &[&str], first: Option<Certificate>) -> Self {
        let each: Vec<_> = hosts.iter().map(|host| (*host, Some("cert"))).collect();
        let mut certificates = Certificates::new(PathBuf::new());
        if let Some(first) = first {
            certificates.known.insert(secret("cert"), Arc::new(first));
            certificates.prove(&[]);
        }
        Self {
            certificates,
            served: routes(&each),
            given: None,
        }
    }

    /// Reads a certificate that Caddy takes; whether anything changed.
    fn reads(&mut self, read: Certificate, now: u64) -> bool {
        let found = Found::of(read);
        self.certificates.tried.insert(found.print, true);
        self.has_read(Ok(found), now)
    }

    fn has_read(&mut self, read: Read, now: u64) -> bool {
        self.certificates.read.insert(secret("cert"), read);
        self.settles(now)
    }

    fn settles(&mut self, now: u64) -> bool {
        let table = RoutingTable::default();
        let looked = Looked {
            table: &table,
            served: &self.served,
            given: self.given.as_ref(),
            now,
        };
        self.certificates.wanted = wanted_secrets(looked.table, looked.served);
        self.certificates.forget();
        self.certificates.settle(looked, None)
    }

    /// The key of the certificate that is known.
    fn known(&self) -> Option<&str> {
        let known = self.certificates.known.get(&secret("cert"))?;
        Some(&known.key)
    }

    fn problem(&self) -> &str {
        let problems = &self.certificates.problems;
        problems.get(&secret("cert")).map_or("", String::as_str)
    }
}

/// One that has expired keeps no valid one away that is for fewer hosts, and one that serves nobody
/// either does not take its place.
#[test]
fn r3_7_an_expired_certificate_gives_way_to_a_valid_one() {
    let hosts = ["a.example.com", "b.example.com"];
    let made = |key, names: &[&str], valid| Certificate {
        valid,
        ..made(key, names)
    };
    let expired = made("1", &hosts, 0..=NOW - 1);
    let fewer = |valid| made("2", &hosts[..1], valid);
    for (read, expect) in [
        (fewer(0..=u64::MAX), "2"),
        (fewer(0..=NOW - 1), "1"),
        (fewer(NOW + 1..=u64::MAX), "1"),
    ] {
        let mut scene = Scene::of(&hosts, Some(expired.clone()));
        scene.reads(read, NOW);
        assert_eq!(scene.known(), Some(expect), "{}", scene.problem());
    }
}

/// R3.7: only a host that was shown a certificate can have lost it.
#[test]
fn r3_7_a_host_that_never_had_it_has_not_lost_it() {
    let mut scene = Scene::of(&["a.example", "b.example"], Some(made("1", &["a.example"])));
    scene.served.extend(routes(&[("none.example", None)]));
    let lost = |scene: &Scene| {
        let hosts = ["a.example", "b.example", "none.example", "unknown.example"];
        let lost = scene.certificates.lost(&hosts.map(key), &scene.served);
        assert!(lost.values().all(|from| *from == secret("cert")));
        lost.into_keys().collect::<Vec<RouteKey>>()
    };
    assert_eq!(lost(&scene), [], "it is the same");
    assert!(scene.reads(made("2", &["a.example"]), NOW));
    // For `b.example` it never was.
    assert_eq!(lost(&scene), [key("a.example")]);
    scene.certificates.prove(&[key("a.example")]);
    assert!(scene.reads(made("3", &["a.example"]), NOW));
    assert_eq!(lost(&scene), [], "Caddy did not show the one before");
    scene.certificates.prove(&[]);
    assert_eq!(lost(&scene), [], "it is the same");
    assert!(scene.reads(made("4", &["a.example"]), NOW));
    assert_eq!(lost(&scene), [key("a.example")]);
}

/// R3.7: what is not shown is taken back, and is given another chance after a while.
#[test]
fn r3_7_what_is_not_shown_is_taken_back_for_a_while() {
    let mut scene = Scene::of(&["a.example"], Some(made("1", &["a.example"])));
    assert!(scene.reads(made("2", &["a.example"]), NOW));
    let taken: BTreeSet<ObjectKey> = [secret("cert"), secret("other")].into();
    scene.certificates.take_back(&taken, NOW);
    assert_eq!(scene.known(), Some("1"));
    for now in [NOW, NOW + DISTRUST - 1] {
        assert!(!scene.settles(now));
        assert_eq!(
            scene.problem(),
            "Caddy did not show its certificate once it was published; the one before goes on"
        );
    }
    assert!(scene.settles(NOW + DISTRUST));
    assert_eq!((scene.known(), scene.problem()), (Some("2"), ""));
    // Another one need not wait.
    scene.certificates.take_back(&taken, NOW);
    assert!(scene.reads(made("3", &["a.example"]), NOW));
    assert_eq!(scene.known(), Some("3"));
}

/// R3.2: what was read before goes on where what is read now is of no use.
#[test]
fn r3_2_what_is_of_no_use_takes_the_place_of_nothing() {
    let valid = |key: &str, valid| Certificate {
        valid,
        ..made(key, &["a.example"])
    };
    let expired = "its certificate expired at 1970-01-01T00:15:00Z";
    let early = "its certificate is not valid before 1970-01-01T00:18:20Z";
    let before = "; the one before goes on";
    for (first, read, known, problem) in [
        (None, valid("2", 0..=900), "2", expired.to_owned()),
        (
            Some(made("1", &["a.example"])),
            valid("2", 0..=900),
            "1",
            format!("{expired}{before}"),
        ),
        (
            Some(made("1", &["a.example"])),
            valid("2", 1_100..=2_000),
            "1",
            format!("{early}{before}"),
        ),
        (
            Some(valid("1", 0..=800)),
            valid("2", 0..=900),
            "2",
            expired.to_owned(),
        ),
        (
            Some(valid("2", 0..=900)),
            valid("2", 0..=900),
            "2",
            expired.to_owned(),
        ),
        (
            Some(made("1", &["a.example"])),
            made("2", &["c.example"]),
            "1",
            format!("its certificate is not for a.example{before}"),
        ),
        (
            None,
            made("2", &["b.example"]),
            "2",
            "its certificate is not for a.example".to_owned(),
        ),
    ] {
        let hosts: &[&str] = if read.covers("b.example") {
            &["a.example", "b.example"]
        } else {
            &["a.example"]
        };
        let mut scene = Scene::of(hosts, first);
        scene.reads(read, NOW);
        assert_eq!((scene.known(), scene.problem()), (Some(known), &*problem));
    }
    // One that is too early is taken once it is time.
    let mut scene = Scene::of(&["a.example"], Some(made("1", &["a.example"])));
    assert!(!scene.reads(valid("2", 1_100..=2_000), NOW));
    assert!(scene.settles(1_100));
    assert_eq!((scene.known(), scene.problem()), (Some("2"), ""));
}

/// R3.2: what cannot be read, is refused by Caddy or was not tried takes the place of nothing either.
#[test]
fn r3_2_what_cannot_be_read_or_tried_takes_the_place_of_nothing() {
    let before = "; the one before goes on";
    for first in [None, Some(made("1", &["a.example"]))] {
        let (known, end) = match &first {
            Some(_) => (Some("1"), before),
            None => (None, ""),
        };
        let mut scene = Scene::of(&["a.example"], first);
        let is_known = known.is_some();
        assert!(!scene.settles(NOW));
        assert_eq!(scene.problem().is_empty(), is_known);
        assert!(!scene.has_read(Err("forbidden".to_owned()), NOW));
        assert_eq!((scene.known(), scene.problem()), (known, "forbidden"));
        let found = Found::of(made("2", &["a.example"]));
        assert!(!scene.has_read(Ok(found.clone()), NOW));
        let untried = format!("it could not be tried: Caddy did not finish with it{end}");
        assert_eq!((scene.known(), scene.problem()), (known, &*untried));
        scene.certificates.tried.insert(found.print, false);
        assert!(!scene.settles(NOW));
        let refused = format!("Caddy does not take its certificate{end}");
        assert_eq!((scene.known(), scene.problem()), (known, &*refused));
    }
}

/// R3.1, R3.2: where Caddy cannot tell the operator's from others', a renewal with the name of somebody
/// else's host would not be used, and does not take the place of one that is.
#[test]
fn r3_1_a_renewal_that_would_be_left_out_takes_the_place_of_nothing() {
    let first = || made("1", &["a.example"]);
    let renewed = || made("2", &["a.example", "b.example"]);
    for (given, known) in [
        (None, "2"),
        (Some(json!({"automation": {}})), "1"),
        (
            Some(json!({"certificates": {"load_folders": ["/certs"]}})),
            "1",
        ),
    ] {
        let mut scene = Scene::of(&["a.example"], Some(first()));
        scene.served.extend(routes(&[("b.example", None)]));
        scene.given = given;
        scene.reads(renewed(), NOW);
        assert_eq!(scene.known(), Some(known), "{:?}", scene.given);
        assert_eq!(scene.problem().contains("b.example"), known == "1");
        // Once nobody else is asked for by that name, it is used.
        scene.served.remove(&key("b.example"));
        scene.settles(NOW);
        assert_eq!((scene.known(), scene.problem()), (Some("2"), ""));
    }
}

/// What a route that is only served on names is read on, and what nobody names is forgotten.
#[test]
fn what_a_kept_route_names_is_wanted() {
    let mut scene = Scene::of(&["a.example"], Some(made("1", &["a.example"])));
    assert!(scene.reads(made("2", &["a.example"]), NOW));
    let wanted: Vec<&ObjectKey> = scene.certificates.wanted.keys().collect();
    assert_eq!(wanted, [&secret("cert")]);
    scene.served.clear();
    scene.settles(NOW);
    assert_eq!(scene.known(), None);
    assert!(scene.certificates.tried.is_empty() && scene.certificates.read.is_empty());
}

/// R3.6: neither what was read nor what is known shows a key.
#[test]
fn r3_6_keys_are_not_shown() {
    let mut scene = Scene::of(&["a.example"], Some(made("hunter2", &["a.example"])));
    scene.reads(made("hunter2", &["a.example", "b.example"]), NOW);
    assert!(!format!("{:?}", scene.certificates).contains("hunter2"));
}
