//! Outputs that are closed or full.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use underpin_tests::{Stack, program, shared};

use super::manifest;

/// The program as the harness would call it, for outputs that the harness does not offer.
fn shell(project: &Stack, line: &str) -> Result<std::process::Output> {
    Command::new("sh")
        .args(["-c", line])
        .env("UNDERPIN", program()?)
        .env("KUBECONFIG", shared()?.kubeconfig())
        .current_dir(project.path())
        .stdin(Stdio::null())
        .output()
        .context("run sh")
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() -> Result<()> {
    let project = Stack::single("pipe", &shared()?.kubeconfig(), &manifest())?;
    let line = r#"{ "$UNDERPIN" plan; echo "exit: $?" >&2; } | head -1 >/dev/null"#;
    let output = shell(&project, line)?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told, "exit: 0\n");
    let line = r#"{ sleep 0; "$UNDERPIN" explain; echo "exit: $?" >&2; } | true"#;
    let told = shell(&project, line)?;
    assert_eq!(String::from_utf8_lossy(&told.stderr), "exit: 0\n");
    Ok(())
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() -> Result<()> {
    let project = Stack::single("full", &shared()?.kubeconfig(), &manifest())?;
    // Always full.
    OpenOptions::new().write(true).open("/dev/full")?;
    let output = shell(&project, r#""$UNDERPIN" plan >/dev/full"#)?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot write the result"), "{told}");
    assert!(!told.contains("panicked"), "{told}");
    Ok(())
}

#[test]
fn a_closed_standard_error_hides_nothing_else() -> Result<()> {
    let project = Stack::single("closed", &shared()?.kubeconfig(), &manifest())?;
    let output = shell(&project, r#""$UNDERPIN" up --yes --wait=false 2>&-"#)?;
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("up done"));
    Ok(())
}
