//! Service DNS names in text, tricky ones included.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests: a fixture that is wrong fails, and tables read better by value"
)]

use underpin_refs::service_hosts;

/// `expect` lists `name[.namespace]:form[:port]` in order.
#[track_caller]
fn check(text: &str, expect: &[&str]) {
    let found: Vec<String> = service_hosts(text)
        .iter()
        .map(|host| {
            assert!(text[host.offset..].starts_with(host.name));
            let mut line = host.name.to_owned();
            if let Some(namespace) = host.namespace {
                line = format!("{line}.{namespace}");
            }
            line = format!("{line} {:?}", host.form);
            if let Some(port) = host.port {
                line = format!("{line} {port}");
            }
            line
        })
        .collect();
    assert_eq!(found, expect, "{text:?}");
}

#[test]
fn full_names_are_found_anywhere() {
    check("web.wallet.svc", &["web.wallet Full"]);
    check("web.wallet.svc.cluster.local.", &["web.wallet Full"]);
    check("WEB.Wallet.SVC.Cluster.Local", &["WEB.Wallet Full"]);
    check(
        "jdbc:postgresql://a.ns.svc:5432,b.ns.svc:5433/x?y=c.ns.svc",
        &["a.ns Full 5432", "b.ns Full 5433", "c.ns Full"],
    );
    check(
        "kafka-0.kafka.stream.svc.cluster.local:9092",
        &["kafka.stream Full 9092"],
    );
    check(
        "_http._tcp.web.wallet.svc.cluster.local",
        &["web.wallet Full"],
    );
    check("--target=web.wallet.svc:80;", &["web.wallet Full 80"]);
    check("see web.wallet.svc. Or not", &["web.wallet Full"]);
    check("svc.svc.svc", &["svc.svc Full"]);
    check("a.svc.b.svc.corp.example", &["svc.b Full"]);
    check("web.wallet.svc.$DOMAIN:80", &["web.wallet Full"]);
    check("\u{201c}web.wallet.svc\u{201d}", &["web.wallet Full"]);
}

#[test]
fn parts_of_names_are_not_names() {
    for text in [
        "",
        ".svc",
        "svc",
        "wallet.svc",
        "web.wallet.svc_old",
        "web.wallet.svcs",
        "web..wallet.svc",
        ".wallet.svc",
        "${NAME}.wallet.svc",
        "$(NAME).wallet.svc.cluster.local",
        "web-${ENV}web.wallet.svc",
        "$NAME.wallet.svc",
        "web.${NAMESPACE}.svc.cluster.local",
        "{{ .Release.Name }}-web.wallet.svc",
        "*.wallet.svc",
        "%2Fweb.wallet.svc",
        "\u{e9}web.wallet.svc",
        "-web.wallet.svc",
        "we_b.wallet.svc",
        "10-0-0-1.wallet.pod.cluster.local",
    ] {
        check(text, &[]);
    }
    let long = format!("{}.wallet.svc", "a".repeat(64));
    check(&long, &[]);
}

#[test]
fn short_names_count_only_where_a_host_stands() {
    check("http://web.wallet/x", &["web.wallet TwoLabels"]);
    check("web.wallet:8080", &["web.wallet TwoLabels 8080"]);
    check("web.wallet", &[]);
    check("http://web:8080/x.y", &["web OneLabel 8080"]);
    check("redis://cache", &["cache OneLabel"]);
    check("web:8080", &[]);
    check("http://localhost:80", &[]);
    check("http://example.com http://github.io:80", &[]);
    check("http://10.0.0.1:80 10.1:80 http://127", &[]);
    check(
        "postgres://us.er:12@db.data:5432/app",
        &["db.data TwoLabels 5432"],
    );
    check("postgres://user:p@ss@db/app", &["db OneLabel"]);
    check(
        "mongodb://a.db:1,b.db:2/x",
        &["a.db TwoLabels 1", "b.db TwoLabels 2"],
    );
    check("http://web.${NS}/ http://web-${X}", &[]);
    check("http://web.wallet:http/", &["web.wallet TwoLabels"]);
    check("web.wallet:99999 web.wallet:0 web.wallet:80a", &[]);
}

#[test]
fn cluster_domains_are_told_from_others() {
    for (text, expect) in [
        ("a.b.svc", true),
        ("a.b.svc.cluster.local", true),
        ("a.b.svc.k8s.local", true),
        ("a.b.svc.cluster.acme", true),
        ("a.b.svc.example.com", false),
    ] {
        assert_eq!(service_hosts(text)[0].is_cluster_domain(), expect, "{text}");
    }
}
