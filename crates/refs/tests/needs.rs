//! R5.1: who needs whom, by what objects say.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

mod common;

use std::collections::BTreeSet;

use common::{object, world};
use serde_json::{Value, json};
use underpin_model::World;
use underpin_refs::{NeedOptions, needs, read_needs};

fn lines(world: &World) -> Vec<String> {
    needs(world, &NeedOptions::default())
        .iter()
        .map(|need| format!("{need} {}", need.confidence.name()))
        .collect()
}

/// A Deployment `shop/web` with one container.
fn web(container: Value) -> Value {
    let mut container = container;
    container["name"] = json!("web");
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [container]},
        }},
    })
}

fn service(namespace: &str, name: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": "10.43.0.7", "selector": {"app": name}, "ports": [{"port": port}]},
    })
}

/// What `shop/web` needs by one variable, beside Service `shop/cache` on 6379.
fn variable_needs(name: &str, value: &str) -> Vec<String> {
    let deployment = web(json!({"env": [{"name": name, "value": value}]}));
    let world = world([object(deployment), object(service("shop", "cache", 6379))]);
    let prefix = "deployment.apps/shop/web → ";
    let found = lines(&world);
    let found = found.iter().map(|line| line.strip_prefix(prefix).unwrap());
    found.map(str::to_owned).collect()
}

#[test]
fn r5_1_forms_of_one_value() {
    let mut wrong = Vec::new();
    for (name, value, expect) in [
        (
            "U",
            "http://api.billing.svc/x",
            &["service/billing/api TCP 80 likely"][..],
        ),
        (
            "U",
            "https://API.Billing.SVC.cluster.local.:8443",
            &["service/billing/api TCP 8443 likely"],
        ),
        (
            "U",
            "postgres://app:p%40ss@db.data.svc:5433/x",
            &["service/data/db TCP 5433 likely"],
        ),
        (
            "U",
            "postgresql+asyncpg://app@db.data.svc/x",
            &["service/data/db TCP 5432 likely"],
        ),
        (
            "U",
            "jdbc:postgresql://db.data.svc/x?user=a&password=b@c",
            &["service/data/db TCP 5432 likely"],
        ),
        (
            "U",
            "jdbc:sqlserver://sql.data.svc:1433;user=sa;password=a@b",
            &["service/data/sql TCP 1433 likely"],
        ),
        (
            "U",
            "jdbc:oracle:thin:@//ora.data.svc:1521/x",
            &["service/data/ora TCP 1521 likely"],
        ),
        (
            "U",
            "jdbc:oracle:thin:scott/tiger@cache:1521:sid",
            &["service/shop/cache TCP 1521 likely"],
        ),
        (
            "U",
            "app:p/w@tcp(cache:3306)/x",
            &["service/shop/cache TCP 3306 likely"],
        ),
        (
            "U",
            "redis://app:pa/ss@cache:6379/0",
            &["service/shop/cache TCP 6379 likely"],
        ),
        (
            "DSN",
            "host=db.data.svc port=5432 dbname=x",
            &["service/data/db TCP 5432 likely"],
        ),
        (
            "U",
            "mongodb://m-0.m.data.svc:27017,m-1.m.data.svc:27017/x",
            &["service/data/m TCP 27017 likely"],
        ),
        (
            "BROKERS",
            "a.kafka.svc:9092,b.kafka.svc:9093",
            &[
                "service/kafka/a TCP 9092 likely",
                "service/kafka/b TCP 9093 likely",
            ],
        ),
        ("CACHE_HOST", "cache", &["service/shop/cache TCP likely"]),
        (
            "U",
            "redis://cache",
            &["service/shop/cache TCP 6379 likely"],
        ),
        ("U", "cache:6379", &["service/shop/cache TCP 6379 likely"]),
        (
            "REDIS_ADDR",
            "other:6379",
            &["service/shop/other TCP 6379 guessed"],
        ),
        (
            "U",
            "http://nobody:8080",
            &["service/shop/nobody TCP 8080 guessed"],
        ),
        (
            "U",
            "10.43.0.7:6379",
            &["service/shop/cache TCP 6379 likely"],
        ),
        ("U", "http://[fd00::1]:8080", &["fd00::1 TCP 8080 likely"]),
        (
            "U",
            "http://10-1-2-3.shop.pod.cluster.local:80",
            &["10.1.2.3 TCP 80 likely"],
        ),
        (
            "U",
            "https://api.stripe.com/v1",
            &["api.stripe.com TCP 443 likely"],
        ),
        (
            "SMTP_HOST",
            "smtp.example.com",
            &["smtp.example.com TCP likely"],
        ),
        (
            "U",
            "http://api.prod.svc.example.com",
            &["api.prod.svc.example.com TCP 80 likely"],
        ),
        ("CACHE", "cache", &[]),
        ("IMAGE", "registry.example.com/redis:7", &[]),
        ("V", "redis:7.2", &[]),
        ("LISTEN", "0.0.0.0:8080", &[]),
        ("U", "http://localhost:3000", &[]),
        ("U", "s3://bucket/key", &[]),
        ("CORS_ORIGINS", "https://shop.example.com", &[]),
    ] {
        let found = variable_needs(name, value);
        if found != expect {
            wrong.push(format!("{name}={value}: {found:?}, not {expect:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A shop of fifteen workloads in five namespaces, with what they need by all that was written
/// down of them. Every need is found, and at most two that are none.
#[test]
fn r5_1_the_needs_of_a_shop_are_found() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/needs_fixture");
    let (objects, diagnostics) = underpin_source::dump::read(&[folder.into()]);
    assert_eq!(diagnostics, []);
    let found = read_needs(&world(objects), &NeedOptions::default());
    let shown: BTreeSet<String> = found.needs.iter().map(ToString::to_string).collect();
    let expected = std::fs::read_to_string(format!("{folder}/expected.txt")).unwrap();
    let expected: BTreeSet<String> = expected.lines().map(str::to_owned).collect();
    let missed: Vec<&String> = expected.difference(&shown).collect();
    let wrong: Vec<&String> = shown.difference(&expected).collect();
    assert!(expected.len() >= 40);
    assert!(missed.is_empty(), "missed {missed:#?}\nwrong {wrong:#?}");
    assert!(wrong.len() <= 2, "{wrong:#?}");
    let suppressed: Vec<String> = found
        .suppressed
        .iter()
        .map(|one| format!("{}: {}", one.need, one.reason))
        .collect();
    assert_eq!(
        suppressed,
        [
            "deployment.apps/payments/ledger → legacy.example.com TCP 443: both are only in the help text"
        ]
    );
    let problems: Vec<String> = found
        .problems
        .iter()
        .map(|problem| format!("{:?}: {}", problem.kind, problem.evidence.note))
        .collect();
    assert_eq!(
        problems,
        [
            "UnusedSuppression: says that http-echo.payments:80 is not needed, and nothing else says that it is"
        ]
    );
    for secret in ["s3cr", "hunter2", "b4d", "sk.live", "x.y"] {
        assert!(!format!("{found:?}").contains(secret), "{secret}");
    }
}
