//! How configurations answer hosts that they do not name, against a naive oracle that serves one
//! request after the other as Caddy does, each handler calling the next.

#![allow(
    clippy::panic,
    clippy::unnecessary_wraps,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use underpin_route::{Answer, stranger_answers};

/// What is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Success,
    Redirect,
    Loud,
    LoudWithHsts,
}

fn class(status: u64, hsts: bool) -> Class {
    match status {
        0..300 => Class::Success,
        300..400 => Class::Redirect,
        _ if hsts => Class::LoudWithHsts,
        _ => Class::Loud,
    }
}

fn class_of(answer: &Answer) -> Class {
    match answer {
        Answer::Nothing | Answer::Success(_) => Class::Success,
        Answer::Redirect(_) => Class::Redirect,
        Answer::Failure { hsts: true, .. } => Class::LoudWithHsts,
        Answer::Failure { .. } => Class::Loud,
        other => panic!("nothing of the kind is asked for: {other:?}"),
    }
}

struct Request {
    method: &'static str,
    host: &'static str,
    path: &'static str,
    forwarded: Option<&'static str>,
}

#[derive(Default)]
struct Answering {
    groups: BTreeSet<String>,
    hsts: bool,
    error: Option<u64>,
}

/// The answer, or the status of an error.
type Served = Result<Class, u64>;
type Next<'n> = &'n dyn Fn(&mut Answering) -> Served;

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// What comes behind everything.
fn empty(on: &mut Answering) -> Served {
    Ok(class(on.error.unwrap_or(200), on.hsts))
}

fn routes(routes: &[Value], request: &Request, on: &mut Answering, next: Next<'_>) -> Served {
    let Some((route, rest)) = routes.split_first() else {
        return next(on);
    };
    let group = route["group"].as_str();
    let sets = list(route, "match");
    let matched = sets.is_empty() || sets.iter().any(|set| matches(set, request));
    if !matched || group.is_some_and(|group| on.groups.contains(group)) {
        return self::routes(rest, request, on, next);
    }
    on.groups.extend(group.map(str::to_owned));
    let others = |on: &mut Answering| self::routes(rest, request, on, next);
    let last = route["terminal"] == true;
    let after: Next<'_> = if last { &empty } else { &others };
    handlers(list(route, "handle"), request, on, after)
}

fn handlers(all: &[Value], request: &Request, on: &mut Answering, next: Next<'_>) -> Served {
    let Some((handler, rest)) = all.split_first() else {
        return next(on);
    };
    let others = |on: &mut Answering| handlers(rest, request, on, next);
    match handler["handler"].as_str().unwrap() {
        "static_response" => {
            let status = handler["status_code"].as_u64().or(on.error);
            Ok(class(status.unwrap_or(200), on.hsts))
        }
        "error" => Err(handler["status_code"].as_u64().unwrap()),
        "headers" => {
            on.hsts = handler["response"].get("set").is_some();
            others(on)
        }
        "subroute" => {
            let served = routes(list(handler, "routes"), request, on, &others);
            match (served, handler.get("errors")) {
                (Err(status), Some(errors)) => failed(list(errors, "routes"), request, on, status),
                (served, _) => served,
            }
        }
        other => panic!("no such handler: {other}"),
    }
}

fn failed(errors: &[Value], request: &Request, on: &mut Answering, status: u64) -> Served {
    on.error = Some(status);
    routes(errors, request, on, &empty)
}

fn matches(set: &Value, request: &Request) -> bool {
    set.as_object().unwrap().iter().all(|(name, value)| {
        let is_one = |asked: &str| value.as_array().unwrap().iter().any(|one| one == asked);
        match name.as_str() {
            "host" => is_one(request.host),
            "path" => is_one(request.path) || is_one("/*"),
            "method" => is_one(request.method),
            "header" => request.forwarded.is_some_and(|sent| {
                let asked = &value["X-Forwarded-Proto"];
                asked.as_array().unwrap().iter().any(|one| one == sent)
            }),
            "not" => !value
                .as_array()
                .unwrap()
                .iter()
                .any(|set| matches(set, request)),
            other => panic!("no such matcher: {other}"),
        }
    })
}

fn matcher() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        proptest::sample::select(vec![
            "a.example",
            "stranger.invalid",
            "www.stranger.invalid"
        ])
        .prop_map(|host| json!({"host": [host]})),
        proptest::sample::select(vec!["/", "/*", "/other", "/stranger/page"])
            .prop_map(|path| json!({"path": [path]})),
        proptest::sample::select(vec!["GET", "HEAD", "OPTIONS", "POST", "PUT"])
            .prop_map(|method| json!({"method": [method, "PATCH"]})),
        proptest::sample::select(vec!["http", "https"])
            .prop_map(|scheme| json!({"header": {"X-Forwarded-Proto": [scheme]}})),
    ];
    (plain, any::<bool>()).prop_map(
        |(set, is_not)| {
            if is_not { json!({"not": [set]}) } else { set }
        },
    )
}

fn route(handlers: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    (
        proptest::collection::vec(handlers, 1..3),
        proptest::collection::vec(matcher(), 0..2),
        proptest::bool::weighted(0.3),
        proptest::option::weighted(0.3, proptest::sample::select(vec!["one", "two"])),
    )
        .prop_map(|(handle, sets, terminal, group)| {
            let mut route = json!({"handle": handle, "match": sets, "terminal": terminal});
            if let Some(group) = group {
                route["group"] = group.into();
            }
            route
        })
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        proptest::sample::select(vec![200_u16, 302, 404, 503])
            .prop_map(|status| json!({"handler": "static_response", "status_code": status})),
        Just(json!({"handler": "static_response"})),
        proptest::sample::select(vec![404_u16, 503])
            .prop_map(|status| json!({"handler": "error", "status_code": status})),
        Just(json!({"handler": "headers",
            "response": {"set": {"Strict-Transport-Security": ["max-age=1"]}}})),
        Just(json!({"handler": "headers",
            "response": {"delete": ["strict-transport-security"]}})),
    ]
}

fn handler() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        let some = || proptest::collection::vec(route(inner.clone()), 0..3);
        (some(), proptest::option::weighted(0.4, some())).prop_map(|(routes, errors)| {
            let mut handler = json!({"handler": "subroute", "routes": routes});
            if let Some(errors) = errors {
                handler["errors"] = json!({"routes": errors});
            }
            handler
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// R3.4
    #[test]
    fn r3_4_strangers_are_answered_as_caddy_does(
        all in proptest::collection::vec(route(handler()), 0..4),
        errors in proptest::option::of(proptest::collection::vec(route(handler()), 0..3)),
    ) {
        let mut server = json!({"listen": [":80"], "routes": all});
        if let Some(errors) = &errors {
            server["errors"] = json!({"routes": errors});
        }
        let mut expect = BTreeSet::new();
        for host in ["stranger.invalid", "www.stranger.invalid"] {
            for path in ["/", "/stranger/page"] {
                for method in ["GET", "HEAD", "OPTIONS", "POST"] {
                    for forwarded in [None, Some("http"), Some("https")] {
                        let request = Request { method, host, path, forwarded };
                        let mut on = Answering::default();
                        let served = match routes(&all, &request, &mut on, &empty) {
                            Err(status) => {
                                let errors = errors.as_deref().unwrap_or_default();
                                failed(errors, &request, &mut on, status)
                            }
                            served => served,
                        };
                        // An error while one is handled ends with its own status.
                        expect.insert(served.unwrap_or_else(|status| class(status, on.hsts)));
                    }
                }
            }
        }
        let config = json!({"apps": {"http": {"servers": {"srv0": server}}}});
        let found = stranger_answers(&config).unwrap();
        prop_assert!(found.iter().all(|one| one.certain));
        let found: BTreeSet<Class> = found.iter().map(|one| class_of(&one.answer)).collect();
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn nothing_panics(text in "[\\[\\]{}\":,a-z0-9 ]{0,60}") {
        let routes: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let config = json!({"apps": {"http": {"servers": {"srv0": {"routes": [
            {"handle": routes, "match": [routes]}, routes]}}}}});
        let _ = stranger_answers(&config);
    }
}

#[test]
fn what_is_no_configuration_is_told() {
    for value in [
        json!(null),
        json!({}),
        json!({"apps": {"http": {}}}),
        json!({"apps": {"http": {"servers": {}}}}),
    ] {
        assert!(stranger_answers(&value).is_err(), "{value}");
    }
}

/// 10,000 sites are followed in no time.
#[test]
fn r3_4_ten_thousand_sites() {
    let site = |n: usize| {
        json!({"match": [{"host": [format!("h{n}.example.com")]}], "terminal": true,
            "handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "web:80"}]}]})
    };
    let mut routes: Vec<Value> = (0..10_000).map(site).collect();
    routes.push(json!({"handle": [{"handler": "static_response", "status_code": 503}]}));
    let server = json!({"listen": [":80"], "routes": routes});
    let config = json!({"apps": {"http": {"servers": {"srv0": server}}}});
    let found = stranger_answers(&config).unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].answer.is_loud() && found[0].certain);
}
