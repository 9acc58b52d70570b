//! Six environments that share a namespace from before: imported one by one, torn down alone.

use anyhow::Result;
use underpin_tests::{Kubectl, shared, with_filters};

use crate::wallet::{CHILDREN, KINDS, deploy_like_before, environments, is_of, project};

/// R1.4, R2.8: import changes nothing; `down` of `caddy-test` deletes its six objects, and every
/// object of its siblings is there afterwards, with its uid; the namespace stays, and is reported
/// with who is in it.
#[test]
fn a_teardown_in_a_shared_namespace_leaves_every_sibling() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "pay-space-wallet-legacy";
    deploy_like_before(&kubectl, stack)?;
    let namespace_uid = kubectl.uid(&["namespace", stack])?;
    let before = kubectl.uids(stack, KINDS)?;
    let project = project(cluster, stack)?;
    for environment in environments() {
        let output = project.expect(
            0,
            &format!("import --yes -e {environment} --namespace {stack}"),
        )?;
        if environment == "caddy-test" {
            with_filters(&[], || {
                insta::assert_snapshot!("import", output.transcript());
            });
        }
    }
    assert_eq!(
        kubectl.uids(stack, KINDS)?,
        before,
        "import changes nothing"
    );

    // Before anybody tears down: the standing risk is told, and nothing would change place.
    let plan = project.expect(0, "plan -e gl-pay")?;
    assert!(plan.stdout.contains("UP112"), "{}", plan.transcript());

    let output = project.expect(0, "down --yes -e caddy-test")?;
    with_filters(&[], || {
        insta::assert_snapshot!("down", output.stdout);
    });
    let siblings: Vec<_> = before
        .iter()
        .filter(|(name, _)| !is_of(name, "caddy-test"))
        .cloned()
        .collect();
    assert_eq!(siblings.len(), 6 * CHILDREN.len());
    assert_eq!(kubectl.uids(stack, KINDS)?, siblings);
    assert_eq!(kubectl.uid(&["namespace", stack])?, namespace_uid);
    let namespace = kubectl.get(&["namespace", stack])?;
    assert_eq!(namespace["status"]["phase"], "Active");

    let status = project.expect(0, "status --kept")?;
    for environment in environments().filter(|environment| *environment != "caddy-test") {
        let name = format!("{stack}/{environment}");
        assert!(status.stdout.contains(&name), "{}", status.transcript());
        assert!(output.stdout.contains(&name), "{}", output.transcript());
    }
    let again = project.expect(0, "down --yes -e caddy-test")?;
    with_filters(&[], || {
        insta::assert_snapshot!("down_again", again.stdout);
    });
    assert_eq!(kubectl.uids(stack, KINDS)?, siblings);

    // The siblings still deploy, in place.
    project.expect(0, "up --yes -e payhey --wait=false")?;
    assert_eq!(kubectl.uids(stack, KINDS)?, siblings);
    Ok(())
}

/// R1.4: what another environment has recorded cannot be imported a second time.
#[test]
fn one_object_is_imported_by_one_environment() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "wallet-taken";
    deploy_like_before(&kubectl, stack)?;
    let project = project(cluster, stack)?;
    project.expect(0, &format!("import --yes -e rulex --namespace {stack}"))?;
    let everything = "app in (wallet-rulex, wallet-payhey)";
    kubectl.run([
        "label",
        "-n",
        stack,
        "service",
        "wallet-rulex",
        "app=wallet-rulex",
    ])?;
    kubectl.run([
        "label",
        "-n",
        stack,
        "service",
        "wallet-payhey",
        "app=wallet-payhey",
    ])?;
    let line = format!("import --yes -e payhey --namespace {stack}");
    let refused = project.expect_with(1, &line, &["--from", &format!("selector={everything}")])?;
    with_filters(&[], || {
        insta::assert_snapshot!("import_taken", refused.transcript());
    });
    project.expect(0, &line)?;
    Ok(())
}
