//! `status` for somebody who has never seen the environment: where it is, what of it is ready, and
//! why the rest is not.

use anyhow::{Context, Result};
use serde_json::Value;
use underpin_tests::{Kubectl, Stack, shared};

use super::workload::deployment;

fn status(project: &Stack, arguments: &str) -> Result<String> {
    Ok(project.expect(0, &format!("status {arguments}"))?.stdout)
}

#[track_caller]
fn check(status: &str, says: &[&str], silent: &[&str]) {
    for text in says {
        assert!(status.contains(text), "{text} is not in\n{status}");
    }
    for text in silent {
        assert!(!status.contains(text), "{text} is in\n{status}");
    }
}

#[test]
fn an_environment_from_its_first_day_to_its_last() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "status-life";
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: app }\ndata: { a: b }\n";
    let manifest = |outcome: &str| format!("{map}{}", deployment("web", outcome, "", ""));
    let project = Stack::single(stack, &cluster.kubeconfig(), &manifest("running"))?;
    let nothing = "test: nothing is recorded; `underpin plan -e test` shows what `up` would do";
    check(&status(&project, "")?, &[nothing], &[" ready"]);

    project.expect(0, "up --yes --wait-timeout 60s")?;
    let place = "status-life/test in namespace status-life: 3 objects, 3 ready";
    check(
        &status(&project, "")?,
        &[place, "last: up at "],
        &["not ready", "nothing is recorded"],
    );

    project.declare(&manifest("unpullable"))?;
    project.expect(1, "up --yes --wait-timeout 8s")?;
    let text = status(&project, "")?;
    let line = "not ready: deployment.apps/status-life/web: ";
    check(&text, &["3 objects, 2 ready", line, "image"], &["missing"]);
    let document: Value = serde_json::from_str(&status(&project, "--output json")?)?;
    let environment = &document["environments"][0];
    assert_eq!(environment["ready"], 2, "{document:#}");
    let unready = environment["notReady"]
        .get(0)
        .context("nothing is unready")?;
    assert_eq!(unready["object"], "deployment.apps/status-life/web");
    assert_eq!(unready["state"], "in-progress");
    let cause = unready["cause"].as_str().context("no cause")?;
    assert!(cause.contains("image"), "{cause}");

    kubectl.run(["delete", "configmap", "app", "-n", stack])?;
    let again = "`underpin up -e test` makes again what is missing and still declared";
    check(
        &status(&project, "")?,
        &[
            "3 objects, 1 ready",
            "missing: configmap/status-life/app",
            again,
        ],
        &[],
    );

    // Somebody else's object in the namespace keeps it.
    kubectl.run(["create", "configmap", "stray", "-n", stack])?;
    project.expect(0, "down --yes")?;
    let text = status(&project, "")?;
    let kept = "kept: namespace status-life, former home of status-life/test";
    check(&text, &[kept, "configmap/status-life/stray", nothing], &[]);
    Ok(())
}
