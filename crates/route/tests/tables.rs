//! Worlds and the tables that they give, as snapshots.
//!
//! The head of each file in `worlds/` holds what is not an object, as comments:
//!
//! ```text
//! #ingress-class NAME            Ingresses of this class are served
//! #ingresses-without-class      and those without one
//! #endpoints                    the world holds EndpointSlices
//! #unread KIND [NAMESPACE] ...  a kind that could not be read
//! #owner STACK/ENVIRONMENT UID  a claim records the object of this uid
//! #held ADDRESS NAMESPACE/NAME UID   the Service that serves this address now
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use underpin_route::{RouteKey, RoutingTable, SiteAddress, resolve};

#[track_caller]
fn check(name: &str) -> (String, RoutingTable) {
    let file = format!("{}/tests/worlds/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).expect("the world's file");
    let (world, settings, last) = support::read(name, &text);
    let table = resolve(&world, &settings, &last);
    assert_eq!(table, resolve(&world, &settings, &last));
    (support::render(&table), table)
}

macro_rules! worlds {
    ($($name:ident)*) => {
        $(#[test] fn $name() {
            let (text, _) = check(stringify!($name));
            insta::assert_snapshot!(stringify!($name), text);
        })*

        #[test]
        fn every_world_is_looked_at() {
            let folder = format!("{}/tests/worlds", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let mut named = vec![$(concat!(stringify!($name), ".yaml").to_owned()),*];
            named.sort();
            assert_eq!(files, named);
        }
    };
}

worlds! {
    addresses_in_many_forms
    being_deleted
    ingresses
    not_read
    old_and_new_namespace
    owners
    paths_of_every_host
    ready_or_not
    refused
    stale_upstreams
}

/// R3.1: the check of the original fix.
#[test]
fn r3_1_one_block_from_the_namespace_created_later() {
    let (_, table) = check("old_and_new_namespace");
    let key = RouteKey::site(SiteAddress::parse("http://shop.example.com").unwrap());
    let winner = &table.routes[&key].source.object;
    assert_eq!(winner.namespace.as_deref(), Some("new-ns"));
    let losers: Vec<Option<&str>> = table
        .conflicts
        .iter()
        .filter(|conflict| conflict.key == key)
        .map(|conflict| conflict.loser.namespace.as_deref())
        .collect();
    assert_eq!(losers, [Some("old-ns")]);
}

/// R3.6: nothing of a body is in any form of the table.
#[test]
fn r3_6_no_form_of_a_table_holds_a_body() {
    for name in ["refused", "old_and_new_namespace", "stale_upstreams"] {
        let (text, table) = check(name);
        for form in [text, format!("{table:?}"), format!("{table:#?}")] {
            assert!(!form.contains("hunter2"), "{form}");
        }
    }
}
