//! No cluster, or nobody that it knows.

use std::fs;
use std::net::TcpListener;

use anyhow::Result;
use underpin_tests::{Kubeconfig, Stack, shared, with_filters};

use super::manifest;

#[track_caller]
fn check(snapshot: &str, project: &Stack, command: &str) -> Result<()> {
    let output = project.run(command)?;
    assert_eq!(output.code, Some(1), "{}", output.transcript());
    assert_eq!(output.stdout, "");
    let folder = project.path().display().to_string();
    with_filters(&[(&folder, "[dir]")], || {
        insta::assert_snapshot!(snapshot, output.stderr);
    });
    Ok(())
}

#[test]
fn nobody_listens_at_the_address() -> Result<()> {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let dir = tempfile::tempdir()?;
    let kubeconfig = dir.path().join("kubeconfig");
    Kubeconfig::plain(&format!("http://{address}")).write(&kubeconfig)?;
    let project = Stack::single("nobody", &kubeconfig, &manifest())?;
    check("connection_refused", &project, "plan")?;
    check("connection_refused_up", &project, "up --yes")?;
    Ok(())
}

#[test]
fn there_is_no_kubeconfig() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let project = Stack::single("none", &dir.path().join("missing"), &manifest())?;
    let output = project.run("plan")?;
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.contains("kubeconfig"),
        "{}",
        output.transcript()
    );
    assert!(
        output.stderr.contains("missing"),
        "it names the file\n{}",
        output.transcript()
    );
    fs::write(dir.path().join("missing"), "clusters: {")?;
    let output = project.run("plan")?;
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.contains("cannot read kubeconfig"),
        "{}",
        output.transcript()
    );
    Ok(())
}

#[test]
fn the_context_is_unknown_or_another_than_the_stack_names() -> Result<()> {
    let cluster = shared()?;
    let project = Stack::single("unknown-context", &cluster.kubeconfig(), &manifest())?;
    check("unknown_context", &project, "plan --context production")?;
    let pinned = Stack::with_environment(
        "pinned-context",
        &cluster.kubeconfig(),
        &manifest(),
        "{ namespace: pinned-context, context: production }",
    )?;
    check("context_mismatch", &pinned, "up --yes --context test")?;
    Ok(())
}

#[test]
fn the_credentials_are_not_accepted() -> Result<()> {
    let cluster = shared()?;
    let dir = tempfile::tempdir()?;
    let kubeconfig = dir.path().join("kubeconfig");
    // The server and its authority, and a token that it never gave.
    let stranger = cluster.admin().clone().token("expired");
    stranger.write(&kubeconfig)?;
    let project = Stack::single("unauthorized", &kubeconfig, &manifest())?;
    let output = project.run("plan")?;
    assert_eq!(output.code, Some(1), "{}", output.transcript());
    assert!(
        output.stderr.contains("credentials") || output.stderr.contains("anonymous"),
        "{}",
        output.transcript()
    );
    Ok(())
}
