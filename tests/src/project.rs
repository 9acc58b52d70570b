//! A stack of one environment, reached through any kubeconfig (a proxy's, another user's).

use std::path::Path;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::{Output, Running, Underpin, write_files};

/// The lease of runs whose death a test waits out, in seconds: the shortest there is.
pub const SHORT_LEASE: &str = "4";

/// A folder with a stack file and a manifest `app.yaml`, and the program in it. The stack has one
/// environment, `test`, so that none has to be named.
#[derive(Debug)]
pub struct Project {
    dir: TempDir,
    underpin: Underpin,
    name: String,
}

impl Project {
    /// A stack `name` that lives in a namespace of the same name, with `manifest` as its objects.
    pub fn new(name: &str, kubeconfig: &Path, manifest: &str) -> Result<Self> {
        Self::with_environment(
            name,
            kubeconfig,
            manifest,
            &format!("{{ namespace: {name} }}"),
        )
    }

    /// The same with `environment` as the environment's declaration in the stack file (YAML flow).
    pub fn with_environment(
        name: &str,
        kubeconfig: &Path,
        manifest: &str,
        environment: &str,
    ) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("underpin-stack-")
            .tempdir()?;
        let stack = format!(
            "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec:\n  \
             sources: [{{ manifests: app.yaml }}]\n  environments:\n    test: {environment}\n"
        );
        write_files(
            dir.path(),
            &[("underpin.yaml", &stack), ("app.yaml", manifest)],
        )?;
        let underpin = program(dir.path(), kubeconfig)?;
        Ok(Self {
            dir,
            underpin,
            name: name.to_owned(),
        })
    }

    /// The program on the same files through another kubeconfig.
    pub fn through(&self, kubeconfig: &Path) -> Result<Underpin> {
        program(self.path(), kubeconfig)
    }

    /// The stack's name and its namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Replaces the objects.
    pub fn declare(&self, manifest: &str) -> Result<()> {
        write_files(self.path(), &[("app.yaml", manifest)])
    }

    /// Runs the program; words are split at spaces. Any exit code is an answer.
    pub fn run(&self, command: &str) -> Result<Output> {
        self.underpin.run(command.split_whitespace())
    }

    /// Runs the program and fails unless it exits with `code`.
    pub fn expect(&self, code: i32, command: &str) -> Result<Output> {
        let output = self.run(command)?;
        ensure!(
            output.code == Some(code),
            "`underpin {command}` should exit with {code}\n{}",
            output.transcript()
        );
        Ok(output)
    }

    /// Starts the program.
    pub fn spawn(&self, command: &str) -> Result<Running> {
        self.underpin.spawn(command.split_whitespace())
    }
}

/// The program as the same person on the same machine, whoever runs the test.
fn program(dir: &Path, kubeconfig: &Path) -> Result<Underpin> {
    Ok(Underpin::new(dir, kubeconfig)?
        .env("USER", "tester")
        .env("HOSTNAME", "testhost"))
}
