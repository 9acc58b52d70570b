//! Environments of several stack files, judged without a cluster (R1.2).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

mod support;

use serde_json::{Value, json};
use underpin_model::Severity;
use underpin_plan::rules::up102::collisions;

#[track_caller]
fn check(declared: Value, expect: &[&str]) {
    let found = collisions(&support::declared_environments(&declared));
    let mut lines: Vec<String> = found
        .iter()
        .map(|finding| {
            let letter = if finding.severity == Severity::Block {
                "B"
            } else {
                "W"
            };
            assert_eq!(finding.unknown, finding.severity == Severity::Warn);
            format!("{letter} {}", finding.subject)
        })
        .collect();
    lines.sort();
    assert_eq!(lines, expect);
}

#[test]
fn two_that_derive_one_namespace_in_one_cluster() {
    let one = json!({"of": "a-b/c", "parent": "p"});
    let other = json!({"of": "a/b-c", "parent": "p"});
    let pinned = |environment: &Value, context: &str| {
        let mut environment = environment.clone();
        environment["context"] = json!(context);
        environment
    };
    check(json!([one, other]), &["B namespace/a-b-c"]);
    check(
        json!([pinned(&one, "x"), pinned(&other, "x")]),
        &["B namespace/a-b-c"],
    );
    check(json!([pinned(&one, "x"), pinned(&other, "y")]), &[]);
    check(json!([one, pinned(&other, "x")]), &["W namespace/a-b-c"]);
    check(json!([one, one]), &[]); // one environment in two copies of a file
}

#[test]
fn sharing_has_to_be_said_by_both() {
    let shared =
        |of: &str, shared: bool| json!({"of": of, "namespace": "legacy", "shared": shared});
    check(json!([shared("a/p", true), shared("b/p", true)]), &[]);
    check(
        json!([shared("a/p", true), shared("b/p", false)]),
        &["B namespace/legacy"],
    );
}

#[test]
fn two_spellings_of_one_claim() {
    let apart = |of: &str, namespace: &str| json!({"of": of, "namespace": namespace});
    check(
        json!([apart("x_y/p", "one"), apart("x-y/p", "two")]),
        &["B claim/x-y.p"],
    );
    check(json!([apart("x-y/p", "one"), apart("x-z/p", "two")]), &[]);
}

#[test]
fn a_name_that_leaves_nothing_is_told_elsewhere() {
    check(json!([{"of": "---/p"}, {"of": "___/p"}]), &[]);
}
