//! The outage: create semantics, interrupted once, can never be run again.

use anyhow::{Context, Result};
use underpin_tests::{Kubectl, Proxy, Stack, shared};

use super::fixtures::{application, ingress, sorted_progress};

/// I6, R6.1, R6.4: what killed every re-run of the old deployer is adopted by ours, unattended.
#[test]
fn what_an_interrupted_install_left_is_adopted_without_a_human() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let suffix = "outage";
    // Names of its own: while they are nobody's, another test's `web` would be taken for a copy.
    let app = application(suffix).replace("web", "site");
    let infrastructure = ingress(suffix, 1);
    let create = ["create", "--validate=false", "-f", "-"];

    // The old deployer: the ingress, then the application's namespace, then it was killed.
    let installed = kubectl.with_input(create, &infrastructure)?;
    assert_eq!(installed.code, Some(0), "{}", installed.transcript());
    kubectl.run(["create", "namespace", suffix])?;
    // Run again, it dies of what it made itself, and never comes to the application.
    let again = kubectl.with_input(create, &format!("{infrastructure}---\n{app}"))?;
    assert_eq!(again.code, Some(1));
    assert_eq!(
        again.stderr.matches("AlreadyExists").count(),
        6,
        "{}",
        again.transcript()
    );
    // (kubectl goes on past each error; the old deployer raised at the first.)
    kubectl.run([
        "-n",
        suffix,
        "delete",
        "configmap/site",
        "deployment/site",
        "service/site",
    ])?;

    let ingress_uid = uids(&kubectl, suffix)?;
    let proxy = Proxy::start(cluster)?;
    let project = Stack::single(
        suffix,
        &proxy.kubeconfig(),
        &format!("{infrastructure}---\n{app}"),
    )?;
    let up = project.expect(0, "up --yes --wait=false")?;
    underpin_tests::with_filters(&[], || {
        insta::assert_snapshot!("adopted", sorted_progress(&up.transcript()));
    });
    assert_eq!(
        uids(&kubectl, suffix)?,
        ingress_uid,
        "nothing was made anew"
    );
    kubectl.get(&["-n", suffix, "deployment", "site"])?;

    // R6.1: the second run writes nothing.
    proxy.clear();
    project.expect(0, "up --yes --wait=false")?;
    assert_eq!(proxy.mutations(), []);

    // What was adopted is ours in full: a field that the manifest drops really goes.
    let fields = format!("deployment/caddy-{suffix}");
    let dropped =
        ingress(suffix, 1).replace("          env: [{ name: LEVEL, value: debug }]\n", "");
    assert_ne!(dropped, ingress(suffix, 1));
    project.declare(&format!("{dropped}---\n{app}"))?;
    project.expect(0, "up --yes --wait=false")?;
    let live = kubectl.get(&["-n", &format!("caddy-system-{suffix}"), &fields])?;
    let container = &live["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container.get("env"), None, "{container}");
    Ok(())
}

/// R6.1: a conflicting value is shown with both sides and its owner, and nothing is changed until
/// it is taken over by name.
#[test]
fn a_conflicting_value_is_shown_and_needs_adopt() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let suffix = "conflict";
    let installed = kubectl.with_input(["create", "-f", "-"], &ingress(suffix, 3))?;
    assert_eq!(installed.code, Some(0), "{}", installed.transcript());
    let proxy = Proxy::start(cluster)?;
    let manifest = format!("{}---\n{}", ingress(suffix, 1), application(suffix));
    let project = Stack::single(suffix, &proxy.kubeconfig(), &manifest)?;

    let blocked = project.expect(3, "up --yes --wait=false")?;
    underpin_tests::with_filters(&[], || {
        insta::assert_snapshot!("conflict", blocked.transcript());
    });
    assert!(blocked.stdout.contains("UP601"), "{}", blocked.transcript());
    assert_eq!(
        proxy.mutations(),
        [],
        "nothing is changed while a finding blocks"
    );

    let subject = blocked
        .stdout
        .split_whitespace()
        .skip_while(|word| *word != "--adopt")
        .nth(1)
        .context("the help names what to pass")?
        .trim_end_matches([',', '`', '.', ';']);
    project.expect(0, &format!("up --yes --wait=false --adopt {subject}"))?;
    let home = format!("caddy-system-{suffix}");
    let live = kubectl.get(&["-n", &home, "deployment", &format!("caddy-{suffix}")])?;
    assert_eq!(live["spec"]["replicas"], 1);
    Ok(())
}

/// Of everything that the ingress consists of.
fn uids(kubectl: &Kubectl, suffix: &str) -> Result<Vec<String>> {
    let home = format!("caddy-system-{suffix}");
    [
        format!("namespace/{home}"),
        format!("serviceaccount/caddy-{suffix}"),
        format!("clusterrole/caddy-{suffix}"),
        format!("clusterrolebinding/caddy-{suffix}"),
        format!("ingressclass/caddy-{suffix}"),
        format!("deployment/caddy-{suffix}"),
    ]
    .iter()
    .map(|name| kubectl.uid(&["-n", &home, name]))
    .collect()
}
