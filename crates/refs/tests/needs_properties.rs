//! The scanner of texts against a naive reading, and what must hold for any text at all (R5.1).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails"
)]

mod common;

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::{object, world};
use proptest::prelude::*;
use serde_json::json;
use underpin_model::{Supplier, World};
use underpin_refs::{HostForm, NeedOptions, needs, read_needs, service_hosts};

/// Whether a text is a DNS label.
fn is_label(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    !chars.is_empty()
        && chars.len() < 64
        && chars.iter().all(|c| c.is_ascii_alphanumeric() || *c == '-')
        && chars[0] != '-'
        && chars[chars.len() - 1] != '-'
}

/// The full names in a text by looking at every stretch of it: one that cannot be longer, that does
/// not begin where a name cannot, and in which `svc` comes third or later.
fn full_names(text: &str) -> BTreeSet<(String, String)> {
    let chars: Vec<char> = text.chars().collect();
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let mut found = BTreeSet::new();
    for start in 0..chars.len() {
        for end in start + 1..=chars.len() {
            let is_whole = chars[start..end].iter().all(|c| is_host(*c))
                && (start == 0 || !is_host(chars[start - 1]))
                && (end == chars.len() || !is_host(chars[end]));
            let may_begin = start == 0
                || !(chars[start - 1].is_alphanumeric() || "})%$*>".contains(chars[start - 1]));
            if !is_whole || !may_begin {
                continue;
            }
            let word: String = chars[start..end].iter().collect();
            let labels: Vec<&str> = word.trim_end_matches('.').split('.').collect();
            if labels.iter().any(|label| label.is_empty()) {
                continue;
            }
            let svc = (2..labels.len()).find(|at| labels[*at].eq_ignore_ascii_case("svc"));
            if let Some(svc) = svc
                && is_label(labels[svc - 2])
                && is_label(labels[svc - 1])
            {
                found.insert((labels[svc - 2].to_owned(), labels[svc - 1].to_owned()));
            }
        }
    }
    found
}

/// A world of one Deployment that is given a text in every way there is.
fn given(text: &str) -> World {
    world([
        object(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {
                "containers": [{
                    "name": "web",
                    "command": ["sh", "-c", text], "args": [text, format!("--db-host={text}")],
                    "env": [
                        {"name": "TEXT", "value": text}, {"name": "DB_HOST", "value": text},
                        {"name": "DB_PORT", "value": text}, {"name": "X", "value": format!("$({text})")},
                    ],
                    "envFrom": [
                        {"configMapRef": {"name": "all"}},
                        {"secretRef": {"name": "all"}, "prefix": "P_"},
                    ],
                }],
                "volumes": [
                    {"name": "a", "configMap": {"name": "all"}}, {"name": "b", "secret": {"secretName": "all"}},
                ],
            }}},
        })),
        object(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "all", "namespace": "shop"},
            "data": {"a.yaml": text, "HOST": text, "b.json": format!("{{\"url\": \"{text}\"}}")},
        })),
        object(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "all", "namespace": "shop"},
            "data": {"a": STANDARD.encode(text), "junk": text},
        })),
        object(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {
                "name": "web", "namespace": "shop",
                "annotations": {"underpin.dev/needs": text, "underpin.dev/no-needs": text},
            },
        })),
    ])
}

/// A value that names Services in one of its forms, and what it names.
fn named() -> impl Strategy<Value = (String, BTreeSet<String>)> {
    let label = "[a-z][a-z0-9]{0,5}";
    let port = 1_u16..;
    let end = (label, label, port);
    (prop::collection::vec(end, 1..4), 0_usize..6).prop_map(|(ends, form)| {
        let full = |(name, namespace, port): &(String, String, u16)| {
            format!("{name}.{namespace}.svc.cluster.local:{port}")
        };
        let list: Vec<String> = ends.iter().map(full).collect();
        let first = &list[0];
        let (name, namespace, port) = &ends[0];
        let value = match form {
            0 => list.join(","),
            1 => format!("mongodb://user:p%40ss@{}/db?x=1", list.join(",")),
            2 => format!("see {} for more", list.join(" and ")),
            3 => format!("jdbc:postgresql://{first}/db?user=a&password=b@c"),
            4 => format!("host={name}.{namespace}.svc port={port} user=x"),
            _ => format!("{{\"a\": \"http://{first}/x\", \"b\": [1, 2]}}"),
        };
        let several = form < 3;
        let named = ends.iter().take(if several { ends.len() } else { 1 });
        let expect =
            named.map(|(name, namespace, port)| format!("service/{namespace}/{name} TCP {port}"));
        (value, expect.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn r5_1_full_names_are_those_of_a_naive_reading(
        text in "([ab-]{1,2}|[.]|svc|SVC|[:/@ $_*é<>%(){}]|x[.]y[.]svc){0,14}",
    ) {
        let found: BTreeSet<(String, String)> = service_hosts(&text)
            .into_iter()
            .filter(|host| host.form == HostForm::Full)
            .map(|host| (host.name.to_owned(), host.namespace.unwrap_or_default().to_owned()))
            .collect();
        // Users of URLs, and elements of XML, are known to the scanner alone.
        prop_assume!(!text.contains("://") && !text.contains("</") && !text.contains("@tcp("));
        prop_assert_eq!(found, full_names(&text));
    }

    #[test]
    fn r5_1_what_a_value_names_is_needed_and_nothing_else((value, expect) in named()) {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [
                {"name": "web", "env": [{"name": "DATABASE", "value": value}]},
            ]}}},
        });
        let found: BTreeSet<String> = needs(&world([object(deployment)]), &NeedOptions::default())
            .iter()
            .map(|need| need.to_string().split_once(" → ").unwrap().1.to_owned())
            .collect();
        prop_assert_eq!(found, expect);
    }

    #[test]
    fn r5_1_any_text_is_read_the_same_twice(text in "\\PC{0,60}|([a-z]{1,4}|[.:/@,=;'\"$(){} \n-]|[0-9]{1,5}|://|host=){0,20}") {
        let world = given(&text);
        let first = read_needs(&world, &NeedOptions::default());
        let again = read_needs(&world, &NeedOptions::default());
        prop_assert_eq!(format!("{first:?}"), format!("{again:?}"));
        for need in &first.needs {
            prop_assert!(!need.evidence.is_empty());
        }
    }

    /// However a password is written, nothing that is found holds it.
    #[test]
    fn r5_1_passwords_before_a_host_are_never_shown(
        password in "[a-zA-Z0-9.:/#?;&=!$%^*(){}-]{0,12}",
        scheme in "postgres|amqp|redis|mysql|mongodb|https|jdbc:mysql",
    ) {
        // The mark stands on both sides, so that either half is noticed.
        let value = format!("{scheme}://app:zq{password}qz@db.data.svc:5432/x");
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "env": [
                {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
            ]}]}}},
        });
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"},
            "data": {"url": STANDARD.encode(&value)},
        });
        let found = read_needs(&world([object(deployment), object(secret)]), &NeedOptions::default());
        let text = format!("{found:?}");
        prop_assert!(!text.contains("zq") && !text.contains("qz"), "{value}: {text}");
        let hosts = found.needs.iter().all(|need| match &need.to {
            Supplier::Service { namespace, name } => namespace == "data" && name == "db",
            _ => false,
        });
        prop_assert!(hosts, "{value}: {text}");
    }
}
