//! The document for Caddy: what stands where, and that it is the same every time.

#![allow(clippy::unwrap_used, reason = "tests: what is wrong here fails them")]

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use underpin_route::{
    Adapted, Document, DocumentError, EdgeSettings, PathMatch, Proxy, RouteKey, ServedRoute,
    SiteAddress, document, proxy_routes,
};

const NONCE: &str = "n0nce0123456789a";

fn settings() -> EdgeSettings {
    EdgeSettings {
        admin: json!({"listen": "127.0.0.1:2019", "config": {"persist": false}}),
        http_port: 28080,
        https_port: Some(28443),
        tls: Some(json!({"automation": {"policies": [{"issuers": [{"module": "internal"}]}]}})),
        certificates: BTreeMap::new(),
        unknown: None,
        page: "<style>p { color: red }</style><p>No backend route {env.HOME}</p>\n".to_owned(),
        nonce: NONCE.to_owned(),
        generation: 7,
    }
}

fn key(site: Option<&str>, path: PathMatch) -> RouteKey {
    RouteKey {
        site: site.map(|site| SiteAddress::parse(site).unwrap()),
        path,
    }
}

fn served(object: &str, routes: Adapted) -> ServedRoute {
    ServedRoute {
        object: support::service(object).into(),
        routes: std::sync::Arc::new(routes),
        certificate: None,
    }
}

/// What Caddy makes of an entry, without Caddy.
fn adapted(routes: &Value, errors: &Value) -> Adapted {
    let site = |routes: &Value| {
        json!([{"match": [{"host": ["entry.invalid"]}], "terminal": true,
            "handle": [{"handler": "subroute", "routes": routes}]}])
    };
    let mut server = json!({"listen": [":80"], "routes": site(routes)});
    if !errors.is_null() {
        server["errors"] = json!({"routes": site(errors)});
    }
    Adapted::read(&json!({"apps": {"http": {"servers": {"srv0": server}}}})).unwrap()
}

fn answer(text: &str) -> Value {
    json!([{"handle": [{"handler": "static_response", "body": text}]}])
}

fn value(made: &Document) -> Value {
    serde_json::from_str(&made.text).unwrap()
}

fn routes() -> BTreeMap<RouteKey, ServedRoute> {
    let below = |path: &str| PathMatch::Below(path.to_owned());
    let proxy = Proxy {
        namespace: "a".into(),
        service: "web".into(),
        port: Some(80),
    };
    let failing = json!([{"handle": [{"handler": "error", "status_code": 502}]}]);
    [
        (
            key(Some("http://a.example"), PathMatch::All),
            served("a/site", adapted(&answer("site of a"), &Value::Null)),
        ),
        (
            key(Some("http://a.example"), below("/shop")),
            served("a/shop", adapted(&answer("shop of a"), &Value::Null)),
        ),
        (
            key(
                Some("http://a.example"),
                PathMatch::Exact("/shop/exact".into()),
            ),
            served("a/exact", adapted(&answer("exact of a"), &Value::Null)),
        ),
        (
            key(Some("https://a.example"), PathMatch::All),
            served(
                "a/secure",
                adapted(&answer("secure site of a"), &Value::Null),
            ),
        ),
        (
            key(Some("http://*.b.example"), PathMatch::All),
            served("b/wild", adapted(&answer("any of b"), &Value::Null)),
        ),
        (
            key(Some("http://one.b.example"), below("/only")),
            served("b/one", adapted(&answer("one of b"), &Value::Null)),
        ),
        (
            key(Some("http://fails.example"), PathMatch::All),
            served("c/fails", adapted(&failing, &answer("its own page"))),
        ),
        (
            key(Some("http://proxied.example"), PathMatch::All),
            served("a/web", proxy_routes(&proxy).unwrap()),
        ),
        (
            key(None, PathMatch::Pattern("/everywhere*".into())),
            served("d/web", adapted(&answer("everywhere"), &Value::Null)),
        ),
    ]
    .into()
}

#[test]
fn r3_4_sites_then_paths_of_every_host_then_the_page() {
    let made = document(&routes(), &settings()).unwrap();
    assert_eq!(made, document(&routes(), &settings()).unwrap());
    insta::assert_snapshot!(serde_json::to_string_pretty(&value(&made)).unwrap());
    // As Caddy writes it, so that it is compared at once.
    assert_eq!(made.text, value(&made).to_string());
}

/// R3.4: what answers an unmatched host is last in every listener, for any method, and neither
/// redirects nor sends HSTS.
#[test]
fn r3_4_the_catch_all_is_loud_on_every_listener() {
    let made = value(&document(&routes(), &settings()).unwrap());
    for server in ["http", "https"] {
        let routes = &made["apps"]["http"]["servers"][server]["routes"];
        let last = routes.as_array().unwrap().last().unwrap();
        assert_eq!(last.get("match"), None);
        let handlers = last["handle"].as_array().unwrap();
        assert_eq!(handlers.len(), 1);
        assert_eq!(handlers[0]["handler"], "static_response");
        assert_eq!(handlers[0]["status_code"], 503);
        let headers = json!({"Cache-Control": ["no-store"], "Retry-After": ["60"],
            "Content-Type": ["text/html; charset=utf-8"]});
        assert_eq!(handlers[0]["headers"], headers);
    }
    // Once a listener, whatever the number of sites.
    let text = made.to_string();
    assert_eq!(text.matches("No backend route").count(), 2);
}

/// Every document carries the same admin endpoint, or there is none.
#[test]
fn documents_without_an_admin_endpoint_are_not_made() {
    for admin in [
        json!({}),
        json!(null),
        json!({"listen": ""}),
        json!({"disabled": true}),
    ] {
        let settings = EdgeSettings {
            admin,
            ..settings()
        };
        assert_eq!(document(&routes(), &settings), Err(DocumentError::Admin));
    }
    let made = value(&document(&BTreeMap::new(), &settings()).unwrap());
    assert_eq!(made["admin"], settings().admin);
}

/// R3.3: a site that cannot be served takes nothing from the others.
#[test]
fn r3_3_sites_over_tls_are_left_out_where_there_is_no_port() {
    let settings = EdgeSettings {
        https_port: None,
        ..settings()
    };
    let made = document(&routes(), &settings).unwrap();
    let unserved: Vec<String> = made.unserved.iter().map(ToString::to_string).collect();
    assert_eq!(unserved, ["https://a.example"]);
    let text = &made.text;
    assert!(text.contains("shop of a") && !text.contains("secure site of a"));
    assert!(
        value(&made)["apps"]["http"]["servers"]
            .get("https")
            .is_none()
    );
}

#[test]
fn nonces_are_not_to_be_guessed_and_not_shown() {
    for nonce in [
        "",
        "short",
        "with spaces in it, and long",
        "{env.HOME}{env.HOME}",
    ] {
        let settings = EdgeSettings {
            nonce: nonce.to_owned(),
            ..settings()
        };
        assert_eq!(document(&routes(), &settings), Err(DocumentError::Nonce));
    }
    assert!(!format!("{:?}", settings()).contains(NONCE));
}

/// The page is in the document once a listener, however many sites there are.
#[test]
fn ten_thousand_sites_make_one_document() {
    let routes: BTreeMap<RouteKey, ServedRoute> = (0..10_000)
        .map(|n| {
            let proxy = Proxy {
                namespace: format!("ns-{}", n % 100),
                service: format!("web-{n}"),
                port: Some(80),
            };
            let site = format!("http://h{n}.example");
            let route = served(
                &format!("ns-{}/web-{n}", n % 100),
                proxy_routes(&proxy).unwrap(),
            );
            (key(Some(&site), PathMatch::All), route)
        })
        .collect();
    let made = value(&document(&routes, &settings()).unwrap());
    let parts = made["apps"]["http"]["servers"]["http"]["routes"].as_array();
    let parts = parts.unwrap();
    // Many stand behind one matcher, each once, and the page comes last.
    assert!(parts.len() < 100, "{}", parts.len());
    let below = |part: &Value| part["handle"][0]["routes"].as_array().cloned();
    let sites: Vec<Value> = parts.iter().filter_map(below).flatten().collect();
    assert_eq!(sites.len(), 10_000);
    let hosts: std::collections::BTreeSet<String> = sites
        .iter()
        .map(|site| site["match"][0]["host"][0].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(hosts.len(), 10_000);
    for part in parts {
        let behind: Vec<Value> = below(part).into_iter().flatten().collect();
        let own = behind.iter().map(|site| &site["match"][0]["host"][0]);
        let named = part["match"][0]["host"].as_array();
        assert!(own.eq(named.into_iter().flatten()), "{}", part["match"]);
    }
    assert_eq!(made.to_string().matches("No backend route").count(), 2);
}
