//! kubectl as a process: the second opinion on what the cluster holds.

mod objects;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{ControlPlane, Running};

/// Says that kubectl shall not wait for ever for a server that is away.
const REQUEST_TIMEOUT: &str = "--request-timeout=30s";

/// What a process left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// One text for a snapshot: exit code, standard output, standard error.
    pub fn transcript(&self) -> String {
        let code = self
            .code
            .map_or_else(|| "killed".to_owned(), |code| code.to_string());
        format!(
            "exit: {code}\n----- stdout\n{}\n----- stderr\n{}",
            self.stdout, self.stderr
        )
    }
}

/// Runs a command to its end with `stdin`, collecting both outputs.
pub(crate) fn collect(command: &mut Command, stdin: &str) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let pipe = child.stdin.take();
    let input = stdin.to_owned();
    // Beside the reading, or both sides could wait for each other on a full pipe.
    let writer = thread::spawn(move || {
        // A process that ends without reading its input is free to do so.
        pipe.map(|mut pipe| pipe.write_all(input.as_bytes()))
    });
    let output = child
        .wait_with_output()
        .with_context(|| format!("wait for {program}"))?;
    drop(writer.join());
    Ok(Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// kubectl with a fixed kubeconfig, the administrator's unless told otherwise.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kubectl {
    /// Speaks to `control_plane` as its administrator.
    pub fn new(control_plane: &ControlPlane) -> Self {
        Self {
            program: control_plane.kubectl().to_owned(),
            kubeconfig: control_plane.kubeconfig(),
            cache: control_plane.dir().join("kubectl-cache"),
        }
    }

    /// Speaks to whatever `kubeconfig` names, and remembers what it discovers in `cache`.
    pub fn with(kubeconfig: &Path, cache: &Path) -> Result<Self> {
        Ok(Self {
            program: underpin_testenv::kubectl::find()?,
            kubeconfig: kubeconfig.to_owned(),
            cache: cache.to_owned(),
        })
    }

    /// The same kubectl with another kubeconfig (of a [`crate::Proxy`], or another user).
    #[must_use]
    pub fn with_kubeconfig(&self, kubeconfig: &Path) -> Self {
        Self {
            kubeconfig: kubeconfig.to_owned(),
            ..self.clone()
        }
    }

    /// Runs kubectl; any exit code is an answer.
    pub fn try_run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Output> {
        self.with_input(args, "")
    }

    /// Runs kubectl and returns its standard output. Fails unless it succeeds.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        succeed(self.with_input(args, "")?)
    }

    /// Runs kubectl with `input` on its standard input; any exit code is an answer.
    pub fn with_input<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Result<Output> {
        let mut command = self.command();
        command.arg(REQUEST_TIMEOUT).args(args);
        collect(&mut command, input)
    }

    /// Starts kubectl, which may take as long as it likes: for watches.
    pub fn spawn<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Running> {
        Running::start(self.command().args(args))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .env_remove("KUBECONFIG");
        command
    }

    /// Server-side apply of YAML or JSON as `manager`. Fails on conflicts.
    pub fn apply(&self, manager: &str, text: &str) -> Result<String> {
        succeed(self.try_apply(manager, text)?)
    }

    /// Server-side apply; any exit code is an answer.
    pub fn try_apply(&self, manager: &str, text: &str) -> Result<Output> {
        let manager = format!("--field-manager={manager}");
        self.with_input(
            [
                "apply",
                "--server-side",
                "--validate=false",
                &manager,
                "-f",
                "-",
            ],
            text,
        )
    }

    /// The objects that `args` name, as JSON. Fails if one does not exist.
    pub fn get(&self, args: &[&str]) -> Result<Value> {
        let text = self.run(["get", "-o", "json"].iter().chain(args))?;
        serde_json::from_str(&text).context("read kubectl's JSON")
    }

    /// Like [`Kubectl::get`], but `None` for one named object that does not exist.
    pub fn find(&self, args: &[&str]) -> Result<Option<Value>> {
        let text = self.run(
            ["get", "--ignore-not-found", "-o", "json"]
                .iter()
                .chain(args),
        )?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&text)
            .map(Some)
            .context("read kubectl's JSON")
    }

    /// The uid of one object.
    pub fn uid(&self, args: &[&str]) -> Result<String> {
        let object = self.get(args)?;
        object["metadata"]["uid"]
            .as_str()
            .map(str::to_owned)
            .context("the object has no uid")
    }
}

fn succeed(output: Output) -> Result<String> {
    if output.code != Some(0) {
        bail!("kubectl failed\n{}", output.transcript());
    }
    Ok(output.stdout)
}
