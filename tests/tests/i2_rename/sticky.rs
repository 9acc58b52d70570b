//! R2.1: where an environment lives, it stays, whatever the derivation says today.

use anyhow::Result;
use underpin_tests::{Kubectl, shared, with_filters};

use crate::rooms::{WEB, project, stack_file};

const KINDS: &str = "deployments.apps,services";

/// Deploys with `before`, plans and deploys with `after`: same place, same uids, exit code as
/// usual, and a note that names what a fresh deployment would be called.
#[track_caller]
fn check(stack: &str, before: &str, after: &str, fresh: &str) -> Result<String> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let project = project(cluster, stack, before, WEB)?;
    project.expect(0, "up --yes -e dev")?;
    let uids = kubectl.uids(stack, KINDS)?;
    let namespace = kubectl.uid(&["namespace", stack])?;
    assert_eq!(uids.len(), 2);

    project.write("underpin.yaml", &stack_file(stack, after))?;
    // Not even a pending change (6): what is derived is not what is deployed.
    let planned = project.expect(0, "plan -e dev --detailed-exitcode")?;
    let note = format!("would be {fresh} if deployed fresh");
    assert!(planned.stdout.contains(&note), "{}", planned.transcript());
    let deployed = project.expect(0, "up --yes -e dev")?;
    assert!(deployed.stdout.contains(&note), "{}", deployed.transcript());
    // A change of the manifests is deployed as usual, in the old place.
    project.write("k8s/app.yaml", &WEB.replace("0.1.7", "0.1.8"))?;
    project.expect(0, "up --yes -e dev --wait=false")?;
    assert_eq!(kubectl.uids(stack, KINDS)?, uids);
    assert_eq!(kubectl.uid(&["namespace", stack])?, namespace);
    let deployment = kubectl.get(&["deployment", "web", "-n", stack])?;
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, &format!("registry.example.org/{stack}:0.1.8"));
    assert_eq!(kubectl.find(&["namespace", fresh])?, None);
    // The teardown finds it there, too.
    project.expect(0, "down --yes -e dev")?;
    assert_eq!(kubectl.find(&["namespace", stack])?, None);
    Ok(deployed.stdout)
}

#[test]
fn a_new_parent_moves_nothing() -> Result<()> {
    let after = "us: { context: elsewhere }, dev: { parent: us }";
    let text = check("sticky-parent", "dev: {}", after, "sticky-parent-dev")?;
    with_filters(&[], || {
        insta::assert_snapshot!("sticky_parent", text);
    });
    Ok(())
}

#[test]
fn another_base_name_moves_nothing() -> Result<()> {
    check(
        "sticky-base",
        "dev: {}",
        "dev: { namespace: other-base }",
        "other-base",
    )?;
    let after = "us: { context: elsewhere }, dev: { parent: us, namespace: third-base }";
    check("sticky-both", "dev: {}", after, "third-base-dev")?;
    Ok(())
}

/// R2.1, R2.8: the same after an import, which is where the incident began.
#[test]
fn an_imported_place_is_kept() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let (stack, home) = ("sticky-import", "wize-rooms-of-old");
    kubectl.run(["create", "namespace", home])?;
    let text = WEB.replace("${stack}", stack);
    kubectl.create_in(home, &text)?;
    let uids = kubectl.uids(home, KINDS)?;
    let environments = "us: { context: elsewhere }, dev: { parent: us }";
    let project = project(cluster, stack, environments, WEB)?;
    project.expect(0, &format!("import --yes -e dev --namespace {home}"))?;
    project.expect(0, "up --yes -e dev --wait=false")?;
    assert_eq!(kubectl.uids(home, KINDS)?, uids);
    assert_eq!(kubectl.find(&["namespace", "sticky-import-dev"])?, None);
    // What the first `up` stamped is settled: nothing is pending.
    let planned = project.expect(0, "plan -e dev --detailed-exitcode")?;
    assert!(
        planned.stdout.contains("would be sticky-import-dev"),
        "{}",
        planned.transcript()
    );
    Ok(())
}
