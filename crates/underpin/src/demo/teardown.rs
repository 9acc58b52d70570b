//! I1: environments that share a namespace, and one of them is torn down.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use underpin_sandbox::NoHooks;

use super::stage::{Stage, say, shown};
use crate::error::CommandError;

const FILES: &[(&str, &str)] = &[
    (
        "underpin.yaml",
        include_str!("../../demo/wallet/underpin.yaml"),
    ),
    (
        "k8s/app.yaml",
        include_str!("../../demo/wallet/k8s/app.yaml"),
    ),
];
const NAMESPACE: &str = "pay-space-wallet";
/// How long Kubernetes takes at most to delete what lies in a namespace.
const GONE_BY: SignedDuration = SignedDuration::from_mins(1);
/// Environments of the old deployer, all in one namespace.
const BEFORE: [&str; 3] = ["production", "gl-pay", "caddy-test"];

/// What the old deployer left: every name carries the environment, and only the namespace does not.
fn legacy() -> String {
    let mut text = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {NAMESPACE} }}\n");
    for environment in BEFORE {
        let app = include_str!("../../demo/wallet/k8s/app.yaml");
        let app = app.replace("${environment}", environment);
        let placed = app.replace(
            "metadata: { name:",
            &format!("metadata: {{ namespace: {NAMESPACE}, name:"),
        );
        text.push_str("---\n");
        text.push_str(&placed);
    }
    text
}

pub(super) async fn play() -> Result<(), CommandError> {
    say(
        "Then: the namespace was derived from the stack's name alone, so production and its \
         tenants all lived in pay-space-wallet, each believing that it owned the namespace. \
         Destroying the throwaway caddy-test deleted \"its\" namespace.",
    )?;
    outage().await?;
    say(
        "\nNow: the same cluster, and Underpin. First it records what is there, changing nothing.",
    )?;
    let stage = Stage::set(NoHooks, FILES).await?;
    stage.deploy(&legacy())?;
    stage
        .underpin("import -e production --namespace pay-space-wallet --yes", 0)
        .await?;
    stage
        .underpin("import -e caddy-test --namespace pay-space-wallet --yes", 0)
        .await?;
    say("\nThe teardown takes what is caddy-test's, and leaves the namespace to those in it.")?;
    stage.underpin("down -e caddy-test --yes", 0).await?;
    alive(&stage, "still there: ", &["gl-pay", "production"])?;
    say(
        "\nA tenant that is deployed fresh gets a namespace of its own, so it never comes to this.",
    )?;
    stage.underpin("up -e smart-gate --yes", 0).await?;
    stage.clear().await;
    Ok(())
}

async fn outage() -> Result<(), CommandError> {
    let stage = Stage::set(NoHooks, &[]).await?;
    stage.deploy(&legacy())?;
    alive(&stage, "before: ", &["caddy-test", "gl-pay", "production"])?;
    say(&format!(
        "$ kubectl delete namespace {NAMESPACE}      # what the old deployer did"
    ))?;
    let path = format!("/api/v1/namespaces/{NAMESPACE}");
    stage.request(Method::DELETE, &path, &Value::Null);
    // Contents go a few seconds later; nobody has to wait for it here.
    stage.sandbox.change(|state| {
        let later = state.now().saturating_add(GONE_BY);
        state.advance_to(later.unwrap_or(Timestamp::MAX));
    });
    alive(&stage, "after:  ", &[])?;
    stage.clear().await;
    Ok(())
}

/// Shows the Deployments that are there, and fails if they are not these environments'.
fn alive(stage: &Stage, what: &str, environments: &[&str]) -> Result<(), CommandError> {
    let deployments = stage.deployments(NAMESPACE);
    let list = if deployments.is_empty() {
        "no Deployment at all, production's included".to_owned()
    } else {
        deployments.join(", ")
    };
    say(&format!("  {what}{list}"))?;
    let expect: Vec<_> = environments
        .iter()
        .map(|name| format!("wallet-{name}"))
        .collect();
    shown(deployments == expect, || {
        format!(
            "the Deployments of {} were to be there",
            environments.join(", ")
        )
    })
}
