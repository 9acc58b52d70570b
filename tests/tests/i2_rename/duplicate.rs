//! R2.8, UP111: production is there without a claim; a second copy is not deployed beside it.

use anyhow::Result;
use underpin_tests::{Kubectl, shared, with_filters};

use crate::rooms::{WEB, project};

/// The environment was deployed by another tool into the place of the former rule; today's rule
/// derives another.
#[test]
fn a_second_copy_is_not_deployed_beside_the_first() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "unclaimed-rooms";
    kubectl.run(["create", "namespace", stack])?;
    let text = WEB.replace("${stack}", stack);
    kubectl.create_in(stack, &text)?;
    let kinds = "deployments.apps,services";
    let uids = kubectl.uids(stack, kinds)?;

    let environments = "us: { context: elsewhere }, dev: { parent: us }";
    let project = project(cluster, stack, environments, WEB)?;
    let planned = project.expect(3, "plan -e dev")?;
    with_filters(&[], || {
        insta::assert_snapshot!("duplicate", planned.stdout);
    });
    project.expect(3, "up --yes -e dev")?;
    assert_eq!(kubectl.find(&["namespace", "unclaimed-rooms-dev"])?, None);

    project.expect(0, &format!("import --yes -e dev --namespace {stack}"))?;
    let planned = project.expect(0, "plan -e dev")?;
    assert!(
        !planned.stdout.contains("UP111"),
        "{}",
        planned.transcript()
    );
    project.expect(0, "up --yes -e dev --wait=false")?;
    assert_eq!(kubectl.uids(stack, kinds)?, uids);
    assert_eq!(kubectl.find(&["namespace", "unclaimed-rooms-dev"])?, None);
    Ok(())
}

/// The other way on: afresh beside it, by name.
#[test]
fn a_second_copy_on_purpose_is_accepted_by_name() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "twice-on-purpose";
    kubectl.run(["create", "namespace", stack])?;
    let text = WEB.replace("${stack}", stack);
    kubectl.create_in(stack, &text)?;
    let uids = kubectl.uids(stack, "deployments.apps,services")?;
    let environments = "us: { context: elsewhere }, dev: { parent: us }";
    let project = project(cluster, stack, environments, WEB)?;
    let accept = format!("UP111:namespace/{stack}");
    let flags = ["--accept", &accept, "--reason", "a rehearsal"];
    project.expect_with(0, "up --yes -e dev --wait=false", &flags)?;
    assert_eq!(
        kubectl
            .uids("twice-on-purpose-dev", "deployments.apps,services")?
            .len(),
        2
    );
    assert_eq!(kubectl.uids(stack, "deployments.apps,services")?, uids);
    Ok(())
}
