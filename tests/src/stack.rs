//! A stack on disk, and the program called in its folder.

use std::path::Path;

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::{Output, Running, Underpin, write_files};

/// The lease of runs whose death a test waits out, in seconds. Twice the shortest there is: on a
/// busy machine a run may stand still for seconds, and must not lose its lock before it is killed.
pub const SHORT_LEASE: &str = "8";

/// The file of a stack that has one environment and one manifest.
const MANIFEST: &str = "app.yaml";

/// A temporary folder with a stack file and what it names, and the program called in it, by the
/// same person on the same machine whoever runs the test.
///
/// Lines are command lines, such as `up --yes -e production`, and are split at white space.
#[derive(Debug)]
pub struct Stack {
    dir: TempDir,
    program: Underpin,
}

impl Stack {
    /// A folder with `files`, each a relative path and its text.
    pub fn new(kubeconfig: &Path, files: &[(&str, &str)]) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("underpin-stack-")
            .tempdir()?;
        write_files(dir.path(), files)?;
        let program = program(dir.path(), kubeconfig)?;
        Ok(Self { dir, program })
    }

    /// A stack `name` of one environment, `test`, so that none has to be named. It lives in a
    /// namespace of the stack's name, with `manifest` as its objects.
    pub fn single(name: &str, kubeconfig: &Path, manifest: &str) -> Result<Self> {
        let environment = format!("{{ namespace: {name} }}");
        Self::with_environment(name, kubeconfig, manifest, &environment)
    }

    /// The same with `environment` as the environment's declaration in the stack file (YAML flow).
    pub fn with_environment(
        name: &str,
        kubeconfig: &Path,
        manifest: &str,
        environment: &str,
    ) -> Result<Self> {
        let file = format!(
            "apiVersion: underpin.dev/v1\nkind: Stack\nmetadata: {{ name: {name} }}\nspec:\n  \
             sources: [{{ manifests: {MANIFEST} }}]\n  environments:\n    test: {environment}\n"
        );
        let files = [("underpin.yaml", file.as_str()), (MANIFEST, manifest)];
        Self::new(kubeconfig, &files)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes one more file, or another text into one.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        write_files(self.path(), &[(name, text)])
    }

    /// Replaces the objects of a stack of one manifest.
    pub fn declare(&self, manifest: &str) -> Result<()> {
        self.write(MANIFEST, manifest)
    }

    /// The program on the same files through another kubeconfig.
    pub fn through(&self, kubeconfig: &Path) -> Result<Underpin> {
        program(self.path(), kubeconfig)
    }

    /// Runs the program to its end; any exit code is an answer.
    pub fn run(&self, line: &str) -> Result<Output> {
        self.run_with(line, &[])
    }

    /// Like [`Stack::run`], with further arguments that may hold white space.
    pub fn run_with(&self, line: &str, further: &[&str]) -> Result<Output> {
        let words = line.split_whitespace();
        self.program.run(words.chain(further.iter().copied()))
    }

    /// Runs the program and fails, with all that it wrote, unless it ends with `code`.
    pub fn expect(&self, code: i32, line: &str) -> Result<Output> {
        self.expect_with(code, line, &[])
    }

    /// Like [`Stack::expect`], with further arguments that may hold white space.
    pub fn expect_with(&self, code: i32, line: &str, further: &[&str]) -> Result<Output> {
        let output = self.run_with(line, further)?;
        ensure!(
            output.code == Some(code),
            "`underpin {line}` {further:?} should exit with {code}\n{}",
            output.transcript()
        );
        Ok(output)
    }

    /// Starts the program and returns at once.
    pub fn spawn(&self, line: &str) -> Result<Running> {
        self.program.spawn(line.split_whitespace())
    }
}

fn program(dir: &Path, kubeconfig: &Path) -> Result<Underpin> {
    Ok(Underpin::new(dir, kubeconfig)?
        .env("USER", "tester")
        .env("HOSTNAME", "testhost"))
}
