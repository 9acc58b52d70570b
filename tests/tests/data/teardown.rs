//! A claim of the environment's own: `down`, and an `up` that no longer declares it.

use anyhow::Result;
use underpin_tests::{Kubectl, shared, with_filters};

use crate::volumes::{REST, bound};

/// R1.6, UP103: reclaim policy `Delete` blocks `down` and a pruning `up`, and nothing is deleted.
#[test]
fn a_volume_that_would_be_reclaimed_blocks() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "data-blocked";
    let project = bound(cluster, stack, "Delete")?;
    let kinds = "configmaps,persistentvolumeclaims";
    let uids = kubectl.uids(stack, kinds)?;
    assert_eq!(uids.len(), 3);
    let down = project.expect(3, "down --yes")?;
    with_filters(&[], || {
        insta::assert_snapshot!("down_blocked", down.transcript());
    });
    project.write("app.yaml", REST.trim_end_matches("---\n"))?;
    let pruning = project.expect(3, "up --yes")?;
    assert!(
        pruning
            .stdout
            .contains("UP103 persistentvolumeclaim/data-blocked/data"),
        "{}",
        pruning.transcript()
    );
    assert_eq!(kubectl.uids(stack, kinds)?, uids);
    // The way out that is named: the policy first, then the same command.
    let patch = r#"{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}"#;
    assert!(
        down.stdout.contains(&format!("kubectl patch pv {stack}")),
        "{}",
        down.transcript()
    );
    kubectl.run(["patch", "pv", stack, "-p", patch])?;
    project.expect(0, "up --yes")?;
    assert_eq!(
        kubectl.find(&["persistentvolumeclaim", "data", "-n", stack])?,
        None
    );
    assert!(kubectl.find(&["persistentvolume", stack])?.is_some());
    Ok(())
}

/// R1.6: with `Retain` the data outlives the environment: `down` goes through.
#[test]
fn a_retained_volume_outlives_its_environment() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "data-retained";
    let project = bound(cluster, stack, "Retain")?;
    let uid = kubectl.uid(&["persistentvolume", stack])?;
    project.expect(0, "down --yes")?;
    assert_eq!(kubectl.find(&["namespace", stack])?, None);
    assert_eq!(kubectl.uid(&["persistentvolume", stack])?, uid);
    Ok(())
}

/// R1.6: the loss is accepted by name, with a reason, and the history shows both; an acceptance of
/// another object is none.
#[test]
fn an_accepted_loss_is_on_record() -> Result<()> {
    let cluster = shared()?;
    let kubectl = Kubectl::new(cluster);
    let stack = "data-accepted";
    let project = bound(cluster, stack, "Delete")?;
    // Something of somebody else, so that the claim outlives the teardown and can be read.
    kubectl.run(["create", "configmap", "stranger", "-n", stack])?;
    let wrong = [
        "--accept",
        "UP103:persistentvolumeclaim/data-accepted/other",
        "--reason",
        "no",
    ];
    project.expect_with(1, "down --yes", &wrong)?;
    let no_reason = project.run_with(
        "down --yes",
        &["--accept", "UP103:persistentvolumeclaim/data-accepted/data"],
    )?;
    assert_eq!(no_reason.code, Some(2), "{}", no_reason.transcript());
    assert!(
        kubectl
            .find(&["persistentvolumeclaim", "data", "-n", stack])?
            .is_some()
    );
    let accept = "UP103:persistentvolumeclaim/data-accepted/data";
    let flags = [
        "--accept",
        accept,
        "--reason",
        "the test data is not needed",
    ];
    project.expect_with(0, "down --yes", &flags)?;
    assert_eq!(
        kubectl.find(&["persistentvolumeclaim", "data", "-n", stack])?,
        None
    );
    let history = kubectl.accepted("data-accepted.production")?;
    assert_eq!(history, [format!("{accept} the test data is not needed")]);
    Ok(())
}
