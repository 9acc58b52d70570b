//! R1.1, R2.1, R6.1: `underpin demo` plays the incidents in this process; what it shows is what the
//! real commands say on the cluster that it made.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests: a failure is a panic, and its output is for whoever reads it"
)]

use std::process::Command;

/// Plays one incident, and looks for the lines in the order in which they must come.
#[track_caller]
fn check(incident: &str, lines: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_underpin"))
        .args(["demo", incident])
        // Nothing of the caller's cluster may come into it.
        .env("KUBECONFIG", "/nonexistent")
        .output()
        .unwrap();
    let (shown, told) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{shown}\n{told}");
    let mut rest = shown.as_str();
    for line in lines {
        let Some((_, after)) = rest.split_once(line) else {
            panic!("not found, or not in this place: {line}\n{shown}\n{told}");
        };
        rest = after;
    }
}

#[test]
fn the_teardown_of_a_tenant_leaves_production_alone() {
    check(
        "teardown",
        &[
            "before: wallet-caddy-test, wallet-gl-pay, wallet-production",
            "$ kubectl delete namespace pay-space-wallet",
            "after:  no Deployment at all, production's included",
            "$ underpin import -e production --namespace pay-space-wallet --yes",
            "$ underpin down -e caddy-test --yes",
            "kept namespace pay-space-wallet: it was imported, not created by this environment",
            "down done: 3 changes",
            "still there: wallet-gl-pay, wallet-production",
            "$ underpin up -e smart-gate --yes",
            "up done: 4 changes",
        ],
    );
}

#[test]
fn a_renamed_namespace_is_not_replaced() {
    check(
        "rename",
        &[
            "$ underpin plan -e likeclaw-us-dev",
            "note: lives in namespace wize-rooms-api, as recorded",
            "$ underpin plan -e likeclaw-us",
            "- delete namespace/wize-rooms-api: no longer declared",
            "blocked UP101 namespace/wize-rooms-api",
        ],
    );
}

#[test]
fn an_interrupted_run_is_run_again() {
    check(
        "interrupted",
        &[
            "$ underpin up --yes --lease 4",
            "(killed)",
            "$ underpin up --yes --lease 4",
            "up done: ",
            "$ underpin up --yes",
            "shop/local is up to date in namespace shop: 9 objects unchanged",
        ],
    );
}
