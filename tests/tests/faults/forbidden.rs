//! R1.5, R6.4: a right that is missing makes unknown what depends on it, and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use underpin_tests::{Action, Kubectl, Proxy, RequestInfo, Stack, shared, with_filters};

use super::manifest;

/// Lists of Secrets, in one namespace or all.
fn lists_secrets(request: &RequestInfo) -> bool {
    request.method == "GET" && request.path.ends_with("/secrets")
}

fn forbid_secrets(proxy: &Proxy) {
    proxy.policy(|request| {
        if lists_secrets(request) {
            Action::FORBIDDEN
        } else {
            Action::Pass
        }
    });
}

/// The teardown deletes what is its own, and keeps the namespace that could not be counted.
#[test]
fn an_uncountable_namespace_is_kept() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let project = Stack::single("uncountable", &proxy.kubeconfig(), &manifest())?;
    project.expect(0, "up --yes --wait=false")?;
    let uid = kubectl.uid(&["namespace", "uncountable"])?;
    forbid_secrets(&proxy);
    let down = project.run("down --yes")?;
    assert!(
        down.transcript().contains("list secrets"),
        "verb and resource\n{}",
        down.transcript()
    );
    assert_eq!(kubectl.uid(&["namespace", "uncountable"])?, uid);
    with_filters(&[], || {
        insta::assert_snapshot!(
            "uncountable_down",
            format!("exit: {:?}\n{}", down.code, down.stdout)
        );
    });
    // With the right, the next run takes the namespace too.
    proxy.policy(|_| Action::Pass);
    project.run("down --yes")?;
    project.run("down --yes --kept")?;
    assert_eq!(kubectl.find(&["namespace", "uncountable"])?, None);
    Ok(())
}

/// The same when the right goes after the plan was made: the fresh count decides, not the plan.
#[test]
fn a_namespace_that_becomes_uncountable_is_kept() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let project = Stack::single("uncountable-late", &proxy.kubeconfig(), &manifest())?;
    project.expect(0, "up --yes --wait=false")?;
    let uid = kubectl.uid(&["namespace", "uncountable-late"])?;
    let deleting = AtomicBool::new(false);
    proxy.policy(move |request| {
        deleting.fetch_or(request.method == "DELETE", Ordering::Relaxed);
        if deleting.load(Ordering::Relaxed) && lists_secrets(request) {
            Action::FORBIDDEN
        } else {
            Action::Pass
        }
    });
    let down = project.expect(0, "down --yes")?;
    assert!(
        down.stdout.contains("kept namespace"),
        "{}",
        down.transcript()
    );
    assert!(
        down.stdout.contains("list secrets"),
        "{}",
        down.transcript()
    );
    assert_eq!(kubectl.uid(&["namespace", "uncountable-late"])?, uid);
    Ok(())
}

/// An unrelated deploy goes on: what it does destroys nothing.
#[test]
fn a_deploy_goes_on() -> Result<()> {
    let cluster = shared()?;
    let (proxy, kubectl) = (Proxy::start(cluster)?, Kubectl::new(cluster));
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: only }\ndata: { a: b }\n";
    let project = Stack::single("unrelated", &proxy.kubeconfig(), map)?;
    forbid_secrets(&proxy);
    let up = project.expect(0, "up --yes")?;
    kubectl.uid(&["-n", "unrelated", "configmap", "only"])?;
    assert!(
        up.transcript().contains("list secrets"),
        "it says what it could not see\n{}",
        up.transcript()
    );
    Ok(())
}

/// A user with the rights of `view`: told the verb and the resource that are missing.
#[test]
fn a_user_without_the_right_to_write_is_told_which() -> Result<()> {
    let cluster = shared()?;
    let admin = Kubectl::new(cluster);
    admin.run([
        "create",
        "clusterrolebinding",
        "faults-viewer",
        "--clusterrole=view",
        "--user=looker",
    ])?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("kubeconfig");
    cluster.user("looker")?.write(&file)?;
    let project = Stack::single("looker", &file, &manifest())?;
    let output = project.run("up --yes")?;
    assert!(
        matches!(output.code, Some(1 | 3)),
        "{}",
        output.transcript()
    );
    let told = output.transcript();
    assert!(
        told.contains("user looker") || told.contains("(user "),
        "{told}"
    );
    assert!(told.contains("cannot"), "{told}");
    assert_eq!(admin.find(&["namespace", "looker"])?, None);
    Ok(())
}
