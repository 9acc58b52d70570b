//! Entries, what is handed to Caddy for them, and how what Caddy 2.6.2 makes of that is judged.
//!
//! For each entry in `adapted/`, `NAME.json` is what `caddy adapt` made of the text in the snapshot.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use std::fmt::Write as _;

use serde_json::{Value, json};
use underpin_route::{Adapted, Limits, SNIPPETS, adaptable, forbidden, parse_entry};

const PAGES: &str = "/etc/caddy/pages";

fn file(name: &str) -> String {
    let file = format!("{}/tests/adapted/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(file).expect("a file in adapted/")
}

fn limits() -> Limits {
    Limits {
        pages: PAGES.to_owned(),
        edge: ["edge.proxy.svc.cluster.local".to_owned()].into(),
        ..Limits::default()
    }
}

/// What is adapted of an entry's first block, and what is said of the result.
#[track_caller]
fn judged(name: &str) -> (String, String) {
    let text = file(&format!("{name}.caddyfile"));
    let (mut items, refused) = parse_entry(&text).expect("an entry");
    assert!(refused.is_empty(), "{refused:?}");
    let adaptable = adaptable(&items.remove(0).block, PAGES);
    let document: Value = serde_json::from_str(&file(&format!("{name}.json"))).expect("JSON");
    let said = match Adapted::read(&document) {
        Err(error) => format!("{error}\n"),
        Ok(adapted) => {
            let mut said = String::new();
            for found in forbidden(&adapted, &limits()) {
                writeln!(said, "{found}").unwrap();
            }
            said
        }
    };
    (adaptable.reveal().to_owned(), said)
}

macro_rules! entries {
    ($($allowed:ident)*; $($refused:ident)*) => {
        $(#[test] fn $allowed() {
            let (text, said) = judged(stringify!($allowed));
            insta::assert_snapshot!(concat!(stringify!($allowed), "_adaptable"), text);
            assert_eq!(said, "");
        })*
        $(#[test] fn $refused() {
            let (text, said) = judged(stringify!($refused));
            insta::assert_snapshot!(concat!(stringify!($refused), "_adaptable"), text);
            assert!(!said.is_empty());
            assert!(!said.contains("hunter2"), "{said}");
            insta::assert_snapshot!(stringify!($refused), said);
        })*

        #[test]
        fn every_entry_is_judged() {
            let folder = format!("{}/tests/adapted", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
                .collect();
            files.sort();
            let mut named = vec![$(stringify!($allowed)),* , $(stringify!($refused)),*];
            named.sort_unstable();
            assert_eq!(files, named);
        }
    };
}

entries! {
    all_snippets
    much_that_is_allowed
    path_of_every_host
    site_snippets
    ;
    admin_endpoint
    bind
    dynamic_upstreams
    expression
    fastcgi
    files
    files_of_the_working_folder
    logs
    metrics
    templates
    transport_files
    upstream_by_header
}

/// R3.5: the entries above import every snippet that is provided.
#[test]
fn every_snippet_is_imported() {
    let texts = [
        file("all_snippets.caddyfile"),
        file("site_snippets.caddyfile"),
    ]
    .concat();
    for snippet in SNIPPETS {
        let import = format!("import {}", snippet.name);
        assert!(texts.contains(&import), "{import}");
    }
}

/// What Caddyfiles of entries cannot hold, since their text is refused before, is refused here too.
#[test]
fn placeholders_and_unknown_things_are_refused_wherever_they_stand() {
    let long = "h".repeat(60);
    for (handler, expect) in [
        (
            json!({"handler": "static_response", "body": "{env.TOKEN}"}),
            "routes[0].handle[0].body: placeholders {env.…} are not allowed",
        ),
        (
            json!({"handler": "static_response", "headers": {"{file./etc/hunter2}": ["x"]}}),
            "routes[0].handle[0].headers: placeholders {file.…} are not allowed",
        ),
        (
            json!({"handler": "headers", "response": {"set": {"X": ["{secrets.hunter2}"]}}}),
            "routes[0].handle[0].response.set: placeholders of this kind are not allowed",
        ),
        (
            json!({"handler": "reverse_proxy", "upstreams": [{"dial": "web.wallet.svc:80"}],
                "transport": {"protocol": "fastcgi"}}),
            "routes[0].handle[0].transport.protocol: only http is allowed here",
        ),
        (
            json!({"handler": "reverse_proxy", "upstreams": [{"dial": "web.wallet.svc:80"}],
                "health_checks": {"active": {"port": 2019, "interval": 1_000_000_000}}}),
            "routes[0].handle[0].health_checks.active.port: the upstream's port is that of the proxy's \
             admin API, to which any name may lead; give the Service another port, or the admin API a \
             socket",
        ),
        (
            json!({"handler": "reverse_proxy", "upstreams": [{"dial": "web.wallet.svc:80"}],
                "health_checks": {"active": {"port": 8080, "interval": 1}}}),
            "routes[0].handle[0].health_checks.active.interval: once a second is the most that is \
             allowed here",
        ),
        (
            json!({"handler": "reverse_proxy", "upstreams": [{"dial": "web.wallet.svc:80"}],
                "health_checks": {"active": {"interval": -1_000_000_000}}}),
            "routes[0].handle[0].health_checks.active.interval: once a second is the most that is \
             allowed here",
        ),
        (
            json!({"handler": "subroute", "errors": {"routes": [{"handle": [{"handler": "push"}]}]}}),
            "routes[0].handle[0].errors.routes[0].handle[0]: entries may not use the handler push",
        ),
        (
            json!({"handler": "reverse_proxy", "handle_response": [{"routes": [
                {"match": [{"not": [{"expression": "hunter2"}]}], "handle": []}]}]}),
            "routes[0].handle[0].handle_response[0].routes[0].match[0].not[0]: \
             entries may not use the matcher expression",
        ),
        (
            json!({"body": "hunter2"}),
            "routes[0].handle[0]: this is not of the form that Caddy writes",
        ),
        (
            json!({"handler": "vars", "Hunter2": "x"}),
            "routes[0].handle[0]: entries may not set a field with an unusual name here",
        ),
        (
            json!({"handler": long}),
            "routes[0].handle[0]: entries may not use a handler with an unusual name",
        ),
    ] {
        let adapted = Adapted::read(&json!({"apps": {"http": {"servers": {"srv0": {
            "listen": [":80"],
            "routes": [{"match": [{"host": ["entry.invalid"]}], "terminal": true, "handle": [
                {"handler": "subroute", "routes": [{"handle": [handler]}]}]}],
        }}}}}))
        .unwrap();
        let said: Vec<String> = forbidden(&adapted, &limits())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(said, [expect]);
        assert!(!format!("{adapted:?}").contains("hunter2"));
    }
}
