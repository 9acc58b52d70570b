//! R2.8: another cluster than the one that is meant.

use anyhow::{Context, Result};
use underpin_tests::{Kubectl, Proxy, Stack, shared, with_filters};

use super::manifest;

/// The stack file pins a cluster by its uid.
#[test]
fn a_pinned_cluster_is_the_only_one() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let uid = kubectl.uid(&["namespace", "kube-system"])?;
    let other = "00000000-0000-0000-0000-000000000000";
    let pinned = |uid: &str| format!("{{ namespace: pinned-cluster, cluster: \"{uid}\" }}");
    let wrong = Stack::with_environment(
        "pinned-cluster",
        &proxy.kubeconfig(),
        &manifest(),
        &pinned(other),
    )?;
    for command in ["plan", "up --yes", "down --yes"] {
        let output = wrong.expect(1, command)?;
        assert!(
            output.stderr.contains(other) && output.stderr.contains(&uid),
            "{}",
            output.transcript()
        );
    }
    assert_eq!(proxy.mutations(), []);
    let right = Stack::with_environment(
        "pinned-cluster",
        &proxy.kubeconfig(),
        &manifest(),
        &pinned(&uid),
    )?;
    right.expect(0, "up --yes --wait=false")?;
    Ok(())
}

/// A claim that came from another cluster, as in a restored backup, is not this environment's.
#[test]
fn a_claim_of_another_cluster_is_refused() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let project = Stack::single("restored", &proxy.kubeconfig(), &manifest())?;
    project.expect(0, "up --yes --wait=false")?;
    let uid = kubectl.uid(&["namespace", "kube-system"])?;
    let claim = kubectl.get(&["-n", "underpin-system", "configmap", "restored.test"])?;
    let text = claim["data"]["claim"].as_str().context("the claim")?;
    let moved = text.replace(&uid, "00000000-0000-0000-0000-000000000000");
    assert_ne!(text, moved);
    let patch = serde_json::json!({"data": {"claim": moved}}).to_string();
    kubectl.run([
        "-n",
        "underpin-system",
        "patch",
        "configmap",
        "restored.test",
        "--type=merge",
        "-p",
        &patch,
    ])?;
    proxy.clear();
    for command in ["plan", "up --yes", "down --yes"] {
        let output = project.expect(1, command)?;
        assert!(
            output.stderr.contains("another cluster"),
            "{}",
            output.transcript()
        );
    }
    assert_eq!(proxy.mutations(), []);
    let refused = project.run("up --yes")?;
    with_filters(&[], || {
        insta::assert_snapshot!("claim_of_another_cluster", refused.stderr);
    });
    Ok(())
}
