//! R6.5, R1.4: `up` and `down` of neighbours in one namespace at once.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use underpin_tests::{Action, Kubectl, Proxy, RequestInfo, Stack, eventually, shared};

use super::LIMIT;

/// Longer than an `up` takes.
const SLOW: Duration = Duration::from_secs(10);
/// Rounds of both at once; on a real control plane, where a namespace takes seconds to go, one in
/// so many.
const ROUNDS: u64 = 6;
const SPARSE: u64 = 2;

fn map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\ndata: {{ a: b }}\n")
}

/// R6.5: whichever is faster, no round leaves the one that came up without its namespace or its
/// object while its claim says that both are there.
#[test]
fn a_teardown_never_takes_a_neighbour_that_comes_up() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let home = "{ namespace: neighbours, shared: true }";
    let kubeconfig = cluster.kubeconfig();
    let comes = Stack::with_environment("neighbour-comes", &kubeconfig, &map("comes"), home)?;
    let goes = Stack::with_environment("neighbour-goes", &kubeconfig, &map("goes"), home)?;
    for round in 0..ROUNDS / cluster.every(SPARSE) {
        goes.expect(0, "up --yes --wait=false")?;
        let (up, down) = thread::scope(|scope| {
            let up = scope.spawn(|| comes.run("up --yes"));
            let down = scope.spawn(|| goes.run("down --yes"));
            let up = up.join().map_err(|_| anyhow!("panic"))??;
            anyhow::Ok((up, down.join().map_err(|_| anyhow!("panic"))??))
        })?;
        let told = || format!("round {round}\n{}\n{}", up.transcript(), down.transcript());
        ensure!(down.code == Some(0), "{}", told());
        if up.code != Some(0) {
            // It may have lost; then it says so, and running it again is all it takes.
            ensure!(up.code == Some(1), "{}", told());
            comes.expect(0, "up --yes").with_context(told)?;
        }
        check_there(&kubectl).with_context(told)?;
        comes.expect(0, "down --yes")?;
        // What the first kept for the second is given back by whoever is last.
        goes.run("down --yes --kept")?;
        ensure!(
            kubectl.find(&["namespace", "neighbours"])?.is_none(),
            "the namespace is left\n{}",
            told()
        );
    }
    Ok(())
}

/// R6.5: a teardown that has proven the namespace empty, and then is slow to delete it, is stopped
/// by the mark of the one that has come up in between.
#[test]
fn a_slow_teardown_counts_again() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let home = "{ namespace: slow-home, shared: true }";
    let goes = Stack::with_environment("slow-goes", &proxy.kubeconfig(), &map("goes"), home)?;
    let comes = Stack::with_environment("slow-comes", &cluster.kubeconfig(), &map("comes"), home)?;
    goes.expect(0, "up --yes")?;
    let uid = kubectl.uid(&["namespace", "slow-home"])?;
    let deletes = |request: &RequestInfo| {
        request.method == "DELETE" && request.path.ends_with("/namespaces/slow-home")
    };
    proxy.policy(move |request| {
        if deletes(request) {
            Action::Delay(SLOW)
        } else {
            Action::Pass
        }
    });
    let down = goes.spawn("down --yes --wait-timeout 20")?;
    eventually("it has counted and deletes", LIMIT, || {
        Ok(proxy
            .records()
            .iter()
            .any(|record| deletes(&record.request))
            .then_some(()))
    })?;
    comes.expect(0, "up --yes")?;
    let down = down.wait()?;
    ensure!(down.code == Some(0), "{}", down.transcript());
    ensure!(
        down.stdout.contains("slow-comes"),
        "it names who is there\n{}",
        down.transcript()
    );
    let statuses: Vec<_> = proxy
        .records()
        .into_iter()
        .filter(|record| deletes(&record.request))
        .map(|record| record.upstream)
        .collect();
    assert_eq!(statuses, [Some(409)], "the server refused the one deletion");
    assert_eq!(kubectl.uid(&["namespace", "slow-home"])?, uid);
    kubectl.get(&["-n", "slow-home", "configmap", "comes"])?;
    Ok(())
}

fn check_there(kubectl: &Kubectl) -> Result<()> {
    let claims = kubectl.get(&["configmaps", "-n", "underpin-system"])?;
    let claim = claims["items"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|map| {
            map["data"]["claim"]
                .as_str()
                .is_some_and(|text| text.contains("\"neighbour-comes\""))
        })
        .context("the claim of the one that came up")?;
    let entries: Value =
        serde_json::from_str(claim["data"]["entries"].as_str().context("entries")?)?;
    ensure!(
        entries
            .as_object()
            .is_some_and(|entries| entries.values().all(|entry| entry["state"] == "applied"))
    );
    let namespace = kubectl.get(&["namespace", "neighbours"])?;
    ensure!(
        namespace["metadata"].get("deletionTimestamp").is_none(),
        "the namespace is going"
    );
    kubectl.get(&["-n", "neighbours", "configmap", "comes"])?;
    Ok(())
}
