//! R5.7: a fix by hand that the next apply would undo.

use std::fs;

use anyhow::Result;
use underpin_tests::{Kubectl, shared};

use crate::database::{consumer, database, policy};

#[test]
fn r5_7_a_fix_by_hand_is_found_before_it_is_undone() -> Result<()> {
    let cluster = shared()?;
    let (stack, docs, app) = ("i5-fixed", "i5-fixed-docs", "i5-fixed-app");
    consumer(cluster, app, stack)?;
    let project = database(cluster, stack, &[app])?;
    project.expect(0, "up --yes --wait=false")?;
    consumer(cluster, docs, stack)?;
    let fix = policy(&[app, docs]).replace(
        "name: default-deny-ingress",
        &format!("name: default-deny-ingress, namespace: {stack}"),
    );
    let kubectl = Kubectl::new(cluster);
    kubectl.apply("underpin", &fix)?;
    let kinds = "namespaces,networkpolicies,deployments.apps,services,configmaps,serviceaccounts";
    let dump = kubectl.run(["get", kinds, "--all-namespaces", "--output", "yaml"])?;
    let folder = tempfile::tempdir()?;
    let live = folder.path().join("live.yaml");
    fs::write(&live, dump)?;
    let live = live.to_string_lossy();
    let checked = project.expect_with(3, "check . --against", &[&live])?;
    let policy = format!("UP405 networkpolicy.networking.k8s.io/{stack}/default-deny-ingress");
    assert!(checked.stdout.contains(&policy), "{}", checked.transcript());
    let need = format!("UP406 deployment.apps/{docs}/api:service/{stack}/pal-e-postgres-rw:5432");
    assert!(checked.stdout.contains(&need), "{}", checked.transcript());
    Ok(())
}
