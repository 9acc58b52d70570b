//! Needs that are declared in a file, and those that recorded flows tell of (R5.1, R5.3).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests: a fixture that is wrong fails"
)]

use std::fs;

use camino::Utf8Path;
use serde_json::{Value, json};
use underpin_source::{
    Diagnostic,
    flows::{self, Flows},
    needs_file,
};

fn lines(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check_file(text: &str, needs: &[&str], problems: &[&str]) {
    let (found, diagnostics) = needs_file::parse("needs.yaml", text);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, needs);
    let messages: Vec<String> = lines(&diagnostics)
        .iter()
        .map(|line| line.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(messages, problems);
}

#[test]
fn r5_3_consumers_of_other_repositories_are_declared() {
    let text = "needs:
  - from: pal-e-docs                        # namespace, or namespace/workload
    to: postgres/pal-e-postgres-rw          # namespace/service, or a host name
    port: 5432
    reason: documentation API, its own repository
  - { from: shop/web, to: smtp.example.com., port: 587 }
  - { from: shop, to: dns/resolver, port: 53, protocol: UDP }
  - { from: shop, to: 10.0.0.7 }
";
    check_file(
        text,
        &[
            "namespace/pal-e-docs → service/postgres/pal-e-postgres-rw TCP 5432",
            "shop/web → smtp.example.com TCP 587",
            "namespace/shop → service/dns/resolver UDP 53",
            "namespace/shop → 10.0.0.7 TCP",
        ],
        &[],
    );
    let (needs, _) = needs_file::parse("needs.yaml", text);
    let evidence = needs[0].evidence[0].to_string();
    assert_eq!(
        evidence,
        "needs.yaml:2:5 namespace/pal-e-docs: pal-e-docs is declared to need postgres/pal-e-postgres-rw"
    );
    assert_eq!(
        needs[0].reason.as_deref(),
        Some("documentation API, its own repository")
    );
}

#[test]
fn r5_1_what_is_wrong_in_a_needs_file_is_told_and_the_rest_is_read() {
    check_file(
        "needs:
  - { from: shop, to: db/postgres, prot: 5432 }
  - { from: Shop, to: db/postgres }
  - { from: shop, to: postgres }
  - { from: shop, to: db/postgres, port: 70000 }
  - { from: shop, to: db/postgres, port: \"5432\" }
  - { from: shop }
  - { from: shop, to: db/postgres, protocol: tcp }
  - { from: shop, to: db/postgres }
",
        &["namespace/shop → service/db/postgres TCP"],
        &[
            "needs.yaml:2:36: `needs[0]` has no field `prot`",
            "needs.yaml:3:7: `Shop` is neither a namespace nor namespace/workload",
            "needs.yaml:4:19: `postgres` is neither namespace/service, nor a host name, nor an address",
            "needs.yaml:5:36: `needs[3].port` is 70000, but must be from 1 to 65535",
            "needs.yaml:6:36: `needs[4].port` is `5432`, but must be a whole number",
            "needs.yaml:7:5: `needs[5]` needs the field `to`",
            "needs.yaml:8:36: `needs[6].protocol` is `tcp`, but must be `SCTP`, `TCP`, `UDP`",
        ],
    );
    check_file("", &[], &["needs.yaml:1:1: the needs file is empty"]);
    check_file(
        "needs: x\n",
        &[],
        &["needs.yaml:1:1: `needs` is `x`, but must be a list"],
    );
}

#[test]
fn the_committed_schema_of_the_needs_file_is_the_generated_one() {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/needs.v1.json");
    let committed = fs::read_to_string(path).expect("the committed schema");
    let mut generated =
        serde_json::to_string_pretty(&needs_file::json_schema()).expect("it prints");
    generated.push('\n');
    assert_eq!(committed, generated, "run `cargo xtask generate`");
}

/// A flow from `shop/web` to `data/db`, with some fields changed.
fn flow(change: &Value) -> String {
    let mut flow = json!({
        "time": "2026-05-04T12:25:00.5Z", "verdict": "FORWARDED",
        "IP": {"source": "10.42.0.7", "destination": "10.42.0.9", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": 41000, "destination_port": 5432, "flags": {"SYN": true}}},
        "source": {"namespace": "shop", "pod_name": "web-0", "labels": ["k8s:app=web"],
            "workloads": [{"name": "web", "kind": "Deployment"}]},
        "destination": {"namespace": "data", "pod_name": "db-0",
            "workloads": [{"name": "db", "kind": "StatefulSet"}]},
        "is_reply": false, "Type": "L3_L4",
    });
    for (key, value) in change.as_object().unwrap() {
        flow[key] = value.clone();
    }
    flow.to_string()
}

fn read(flows: &[Value]) -> Flows {
    let texts: Vec<String> = flows.iter().map(flow).collect();
    flows::parse("flows.json", &texts.join("\n"))
}

#[track_caller]
fn check_flow(change: &Value, made: Option<&str>, refused: Option<&str>) {
    let found = read(std::slice::from_ref(change));
    assert_eq!(lines(&found.diagnostics), Vec::<String>::new());
    let needs: Vec<String> = found.needs.iter().map(ToString::to_string).collect();
    assert_eq!(needs, made.into_iter().collect::<Vec<_>>(), "{change}");
    let needs: Vec<String> = found.refused.iter().map(ToString::to_string).collect();
    assert_eq!(needs, refused.into_iter().collect::<Vec<_>>(), "{change}");
}

#[test]
fn r5_1_flows_that_were_forwarded_are_needs_and_dropped_ones_are_kept_apart() {
    let plain = "deployment.apps/shop/web → statefulset.apps/data/db TCP 5432";
    check_flow(&json!({}), Some(plain), None);
    check_flow(&json!({"verdict": "REDIRECTED"}), Some(plain), None);
    check_flow(
        &json!({"verdict": "DROPPED", "drop_reason_desc": "POLICY_DENIED"}),
        None,
        Some(plain),
    );
    for nothing in [
        json!({"is_reply": true}),
        json!({"is_reply": null, "reply": true}),
        json!({"is_reply": null, "l4": {"TCP": {"destination_port": 41000, "flags": {"SYN": true, "ACK": true}}}}),
        json!({"verdict": "ERROR"}),
        json!({"l4": {"ICMPv4": {"type": 8}}}),
        json!({"source": {"labels": ["reserved:health"]}}),
    ] {
        check_flow(&nothing, None, None);
    }
    check_flow(&json!({"is_reply": null}), Some(plain), None);
}

#[test]
fn r5_1_ends_of_flows_are_workloads_pods_and_what_is_outside() {
    let to = "statefulset.apps/data/db TCP 5432";
    for (source, expect) in [
        (
            json!({"namespace": "shop", "pod_name": "web-0"}),
            "pod/shop/web-0",
        ),
        (
            json!({"namespace": "shop", "workloads": [{"name": "pg", "kind": "Cluster"}]}),
            "shop/pg",
        ),
        (
            json!({"labels": ["reserved:kube-apiserver", "reserved:host"]}),
            "the API server",
        ),
        (
            json!({"labels": ["reserved:ingress"]}),
            "the ingress controller",
        ),
        (json!({"labels": ["reserved:world"]}), "10.42.0.7"),
        (json!({"namespace": "shop"}), "namespace/shop"),
    ] {
        check_flow(
            &json!({"source": source}),
            Some(&format!("{expect} → {to}")),
            None,
        );
    }
    let world = json!({"labels": ["reserved:world"]});
    check_flow(
        &json!({"destination": world, "destination_names": ["api.stripe.com."]}),
        Some("deployment.apps/shop/web → api.stripe.com TCP 5432"),
        None,
    );
    // Neither end is in the cluster.
    check_flow(&json!({"source": world, "destination": world}), None, None);
}

#[test]
fn r5_1_a_flow_seen_often_is_one_need_with_its_times() {
    let found = read(&[
        json!({}),
        json!({"time": "2026-05-04T12:25:07Z"}),
        json!({"time": "2026-05-03T00:00:00Z"}),
    ]);
    assert_eq!(found.needs.len(), 1);
    assert_eq!(
        found.needs[0].evidence[0].to_string(),
        "flows.json:1:1 deployment.apps/shop/web: seen 3 times, first 2026-05-03T00:00:00Z, \
         last 2026-05-04T12:25:07Z"
    );
}

#[test]
fn r5_1_junk_between_flows_is_told_and_the_rest_is_read() {
    let wrapped = format!("{{\"flow\":{}}}", flow(&json!({})));
    let text = format!(
        "{wrapped}\n{{\"node_status\":{{}}}}\nhello\n\n{{\"flow\": 5}}\n{{\"a\": 1}}\n[]\n{}",
        flow(&json!({"verdict": "DROPPED"}))
    );
    let found = flows::parse("flows.json", &text);
    assert_eq!((found.needs.len(), found.refused.len()), (1, 1));
    let told: Vec<String> = lines(&found.diagnostics)
        .iter()
        .map(|line| line.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        told,
        [
            "flows.json:3:1: not a JSON document",
            "flows.json:5:10: not a flow",
            "flows.json:6:1: not a flow: it has no verdict",
            "flows.json:7:2: not a flow",
        ]
    );
    let many = "x\n".repeat(250);
    let found = flows::parse("flows.json", &many);
    assert_eq!(found.diagnostics.len(), 101);
    assert_eq!(
        found.diagnostics[100].message,
        "150 more lines could not be understood"
    );
}

#[test]
fn r5_1_a_line_too_long_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(folder.path())
        .unwrap()
        .join("flows.json");
    let long = "x".repeat(3 << 20);
    fs::write(&path, format!("{long}\n{}\n", flow(&json!({})))).unwrap();
    let found = flows::read(&path);
    assert_eq!(found.needs.len(), 1);
    assert_eq!(found.needs[0].evidence[0].place.as_ref().unwrap().line, 2);
    assert_eq!(found.diagnostics.len(), 1);
    assert_eq!(found.diagnostics[0].message, "longer than 1048576 bytes");
}
