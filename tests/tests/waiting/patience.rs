//! How long each object is waited for, and by whose word.

use anyhow::Result;
use underpin_tests::{Stack, shared};

use super::workload::deployment;

/// Longer than any test may take: only an object's own word keeps these runs short.
const LONG: &str = "--wait-timeout 1h";

#[test]
fn an_object_may_say_how_long() -> Result<()> {
    let manifest = deployment("web", "unready", "", "underpin.dev/wait-timeout: 3s");
    let project = Stack::single("wait-own", &shared()?.kubeconfig(), &manifest)?;
    let output = project.expect(1, &format!("up --yes {LONG}"))?;
    let says = "not ready after 3 s: 0 of 1 pods available";
    assert!(output.stdout.contains(says), "{}", output.transcript());
    assert!(output.stderr.contains("waiting for 1 object to be ready"));
    Ok(())
}

#[test]
fn an_object_may_not_be_waited_for() -> Result<()> {
    let manifest = deployment("web", "unready", "", "underpin.dev/wait: 'false'");
    let project = Stack::single("wait-none", &shared()?.kubeconfig(), &manifest)?;
    project.expect(0, &format!("up --yes {LONG}"))?;
    Ok(())
}

#[test]
fn a_run_may_wait_for_nothing() -> Result<()> {
    let manifest = deployment("web", "unready", "", "");
    let project = Stack::single("wait-off", &shared()?.kubeconfig(), &manifest)?;
    let output = project.expect(0, "up --yes --wait=false")?;
    assert!(
        !output.stderr.contains("waiting"),
        "{}",
        output.transcript()
    );
    Ok(())
}

/// Nothing is changed by a plan that says something about waiting that nobody can follow.
#[test]
fn what_cannot_be_followed_is_an_error_at_its_place() -> Result<()> {
    let manifest = deployment("web", "running", "", "underpin.dev/wait-timeout: soon");
    let project = Stack::single("wait-bad", &shared()?.kubeconfig(), &manifest)?;
    for command in ["check .", "plan", "up --yes"] {
        let output = project.expect(1, command)?;
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(said.contains("app.yaml:4:"), "{}", output.transcript());
        assert!(
            said.contains("underpin.dev/wait-timeout"),
            "{}",
            output.transcript()
        );
    }
    Ok(())
}

/// An interrupt or a deadline cuts a wait short; what was applied stays.
#[test]
fn a_deadline_ends_the_wait() -> Result<()> {
    let manifest = deployment("web", "unready", "", "");
    let project = Stack::single("wait-end", &shared()?.kubeconfig(), &manifest)?;
    project.expect(4, &format!("up --yes {LONG} --deadline 8s"))?;
    Ok(())
}
