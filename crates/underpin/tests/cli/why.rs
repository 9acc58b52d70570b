//! `why` on dumps and on declared files, and every way in which it is not clear what is asked.

use crate::harness::{Ended, check, underpin};

/// The value of the Secret in the dump, as it is written there.
const VALUE: &str = "aHVudGVyMg";

#[track_caller]
fn why(name: &str, code: i32, fixture: &str, arguments: &str) -> Ended {
    let ended = check(
        &format!("why_{name}"),
        code,
        underpin(fixture, &format!("why {arguments}")),
    );
    assert!(!ended.transcript().contains(VALUE), "a secret was shown");
    ended
}

/// R5.1: transitive, with evidence, and whose each is.
#[test]
fn a_dump_is_asked() {
    let against = "--against cluster.yaml";
    why("secret", 0, "dump", &format!("secret/db {against}"));
    why("namespace", 0, "dump", &format!("ns/wallet {against}"));
    why(
        "mentioned",
        0,
        "dump",
        &format!("deploy/web -n wallet {against}"),
    );
    why("needed_by_nobody", 0, "dump", &format!("ing/web {against}"));
    why(
        "removed_and_consumers",
        0,
        "dump",
        &format!("secret/wallet/db {against} --if-removed --consumers"),
    );
    why(
        "json",
        0,
        "dump",
        &format!("secret/wallet/db {against} --if-removed --consumers -o json"),
    );
}

/// Unknown is not absent: what the dump lacks, and what could not be understood, is told.
#[test]
fn a_dump_that_is_less_than_a_cluster() {
    why("folder", 0, "dump", "secret/db --against folder");
    why("broken", 1, "dump", "secret/db --against broken.yaml");
    why("empty", 1, "dump", "secret/db --against empty.yaml");
    why("no_dump", 1, "dump", "secret/db --against nope.yaml");
    let run = underpin("dump", "why svc/web --against -")
        .input("apiVersion: v1\nkind: Service\nmetadata: { name: web, namespace: shop }\n");
    check("why_standard_input", 0, run);
    check(
        "why_blank_input",
        1,
        underpin("dump", "why svc/web --against -"),
    );
}

#[test]
fn declared_files_are_asked() {
    why("declared", 0, "single", "ns/single --declared --if-removed");
    why(
        "declared_one_environment",
        0,
        "shop",
        "ns/shop --declared -e production",
    );
    why("declared_several_contexts", 1, "shop", "ns/shop --declared");
    why(
        "declared_in_a_context",
        0,
        "shop",
        "ns/shop --declared --context test",
    );
    why(
        "declared_broken",
        1,
        "one-document-broken",
        "ns/x --declared",
    );
    why("declared_no_stack", 1, "no-stack", "ns/x --declared");
}

#[test]
fn it_is_not_clear_what_is_asked() {
    let against = "--against cluster.yaml";
    why("ambiguous", 1, "dump", &format!("svc/web {against}"));
    why("no_kind", 1, "dump", &format!("secert/db {against}"));
    why(
        "not_found",
        1,
        "dump",
        &format!("secret/wallet/bd {against}"),
    );
    why(
        "two_namespaces",
        1,
        "dump",
        &format!("svc/wallet/web -n shop {against}"),
    );
    why(
        "json_error",
        1,
        "dump",
        &format!("svc/web {against} -o json"),
    );
}

#[test]
fn flags_that_do_not_fit() {
    why(
        "var_without_manifests",
        1,
        "dump",
        "ns/x --against cluster.yaml --var a=b",
    );
    let ended = underpin("dump", "why wallet").end();
    assert_eq!(ended.code, 2, "{}", ended.transcript());
    assert!(
        ended.stderr.contains("KIND/NAMESPACE/NAME"),
        "{}",
        ended.transcript()
    );
    let ended = underpin("dump", "why ns/x --against cluster.yaml --declared").end();
    assert_eq!(ended.code, 2, "{}", ended.transcript());
}

#[test]
fn a_cluster_that_does_not_answer() {
    why("unreachable", 1, "dump", "ns/x --kubeconfig ../kubeconfig");
    why("no_kubeconfig", 1, "dump", "ns/x");
    why(
        "context_twice",
        1,
        "dump",
        "ns/x --against one --context two",
    );
}
