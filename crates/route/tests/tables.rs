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

/// What Terraform does not tell yet makes the table incomplete, and is not taken for absent.
#[test]
fn an_annotation_that_is_not_known_makes_the_table_incomplete() {
    use underpin_model::{UnknownPart, UnknownParts};
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: a\nspec: {}\n";
    let (mut world, settings, last) = support::read("unknown", text);
    let object = world.remove(&support::service("a/web")).unwrap();
    let part = UnknownPart {
        path: underpin_model::FieldPath::new("metadata.annotations"),
        reason: "var.entry has no value".to_owned(),
        pattern: None,
    };
    world.insert(object.with_unknown(UnknownParts::new(vec![part], None)));
    let table = resolve(&world, &settings, &last);
    insta::assert_snapshot!(support::render(&table), @r#"
    incomplete metadata.annotations["simple-container.com/caddyfile-entry"] of service/a/web is not known: var.entry has no value; may miss []
    incomplete metadata.annotations["underpin.dev/route"] of service/a/web is not known: var.entry has no value; may miss []
    "#);
}

/// R3.3: a block that turns out to be wrong goes with all its addresses, and nothing else does.
#[test]
fn r3_3_a_refused_block_takes_its_own_routes_alone() {
    use underpin_route::{Content, RefusalReason};
    let (_, mut table) = check("addresses_in_many_forms");
    let before = table.routes.len();
    let key = RouteKey::site(SiteAddress::parse("http://only-a.example.com").unwrap());
    let Content::Caddyfile(block) = table.routes[&key].content.clone() else {
        panic!("an entry");
    };
    let own = table
        .routes
        .values()
        .filter(|route| route.content == Content::Caddyfile(block.clone()))
        .count();
    table.refuse(&block, vec![RefusalReason::Rejected]);
    assert_eq!(table.routes.len(), before - own);
    assert_eq!(
        table
            .refused
            .last()
            .map(|refusal| refusal.object.to_string()),
        Some("service/a/web".to_owned())
    );
    table.refuse(&block, vec![RefusalReason::Rejected]);
    assert_eq!(table.refused.len(), 1);
}
