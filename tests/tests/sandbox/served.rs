//! A sandbox that runs for one test.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use underpin_tests::{Kubectl, Output, Running, Underpin, eventually, write_files};

/// How long it may take to begin; the machine may be busy.
pub(crate) const START_LIMIT: Duration = Duration::from_mins(1);

/// The sandbox, its folder and kubectl for it.
pub(crate) struct Served {
    pub(crate) dir: TempDir,
    pub(crate) kubectl: Kubectl,
    running: Running,
}

impl Served {
    /// Starts one with further arguments, in a folder with these files.
    pub(crate) fn start(arguments: &[&str], files: &[(&str, &str)]) -> Result<Self> {
        let dir = folder(files)?;
        let kubeconfig = dir.path().join("sandbox.kubeconfig");
        let underpin = Underpin::new(dir.path(), &kubeconfig)?;
        let running = underpin.spawn(["sandbox"].iter().chain(arguments))?;
        let kubectl = Kubectl::with(&kubeconfig, &dir.path().join("kubectl-cache"))?;
        eventually("the sandbox answers", START_LIMIT, || {
            let answer = kubectl.try_run(["get", "--raw", "/readyz"])?;
            Ok((answer.stdout == "ok").then_some(()))
        })?;
        Ok(Self {
            dir,
            kubectl,
            running,
        })
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("sandbox.kubeconfig")
    }

    /// Ends it by a signal, and returns what it left, and its folder.
    pub(crate) fn stop(self, signal: fn(u32) -> Result<()>) -> Result<(Output, TempDir)> {
        signal(self.running.id()?)?;
        Ok((self.running.wait()?, self.dir))
    }

    /// Runs kubectl, which must succeed and print `part`.
    #[track_caller]
    pub(crate) fn expect(&self, arguments: &str, part: &str) -> Result<String> {
        let output = self.kubectl.run(arguments.split(' '))?;
        ensure!(
            output.contains(part),
            "{arguments}: no {part:?} in:\n{output}"
        );
        Ok(output)
    }

    /// Runs kubectl with an input, which must succeed and print `part`.
    pub(crate) fn expect_with(&self, arguments: &str, input: &str, part: &str) -> Result<()> {
        let output = self.kubectl.with_input(arguments.split(' '), input)?;
        ensure!(
            output.code == Some(0) && output.stdout.contains(part),
            "{arguments}: no {part:?}:\n{}",
            output.transcript()
        );
        // Warnings would say that clients and server do not understand each other.
        ensure!(output.stderr.is_empty(), "{arguments}: {}", output.stderr);
        Ok(())
    }

    /// Runs kubectl, which must fail and say `part`.
    pub(crate) fn refuse(&self, arguments: &str, input: &str, part: &str) -> Result<()> {
        let output = self.kubectl.with_input(arguments.split(' '), input)?;
        ensure!(
            output.code != Some(0) && output.stderr.contains(part),
            "{arguments}: not refused with {part:?}:\n{}",
            output.transcript()
        );
        Ok(())
    }

    /// An object's field, as text.
    pub(crate) fn field(&self, object: &str, pointer: &str) -> Result<String> {
        let object = self.kubectl.get(&[object])?;
        let value = object.pointer(pointer);
        let value = value.with_context(|| format!("no {pointer} in {object}"))?;
        Ok(match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

/// A folder with files.
pub(crate) fn folder(files: &[(&str, &str)]) -> Result<TempDir> {
    let dir = tempfile::Builder::new()
        .prefix("underpin-sandbox-test-")
        .tempdir()?;
    write_files(dir.path(), files)?;
    Ok(dir)
}
