//! The program under test, as a process.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::Output;
use crate::kubectl::collect;

/// Names a ready program.
const PROGRAM: &str = "UNDERPIN_BIN";

static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// A way to call the program: working folder, kubeconfig, environment. The environment of the
/// test process does not reach it, except `PATH`.
#[derive(Debug)]
pub struct Underpin {
    dir: PathBuf,
    kubeconfig: PathBuf,
    home: TempDir,
    env: Vec<(OsString, OsString)>,
}

impl Underpin {
    /// Calls in the folder `dir` with `kubeconfig`, and a home folder of its own.
    pub fn new(dir: &Path, kubeconfig: &Path) -> Result<Self> {
        let home = tempfile::Builder::new()
            .prefix("underpin-home-")
            .tempdir()
            .context("temporary home folder")?;
        Ok(Self {
            dir: dir.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            home,
            env: Vec::new(),
        })
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Runs the program to its end, with nothing on its standard input.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Output> {
        self.run_with_input(args, "")
    }

    /// Runs the program to its end with `input` on its standard input.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &str,
    ) -> Result<Output> {
        collect(&mut self.command(args)?, input)
    }

    /// Starts the program and returns at once: for tests that kill it or start two.
    pub fn spawn<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Running> {
        Running::start(&mut self.command(args)?)
    }

    fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<Command> {
        let mut command = Command::new(program()?);
        command
            .args(args)
            .current_dir(&self.dir)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// A program while it runs. Killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    outputs: TempDir,
}

impl Running {
    /// Starts `command` with its outputs in files and nothing to read.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let outputs = tempfile::Builder::new()
            .prefix("underpin-out-")
            .tempdir()
            .context("temporary folder for outputs")?;
        let file = |name: &str| {
            fs::File::create(outputs.path().join(name)).with_context(|| format!("create {name}"))
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(file("stdout")?)
            .stderr(file("stderr")?)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self {
            child: Some(child),
            outputs,
        })
    }

    /// What it has written to its standard output so far.
    pub fn stdout(&self) -> Result<String> {
        self.read("stdout")
    }

    fn read(&self, name: &str) -> Result<String> {
        fs::read(self.outputs.path().join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .with_context(|| format!("read {name}"))
    }

    /// Its process id; valid until [`Running::wait`] returns.
    pub fn id(&self) -> Result<u32> {
        self.child
            .as_ref()
            .map(Child::id)
            .context("the process has been waited for")
    }

    /// Waits for the end and returns what it left.
    pub fn wait(mut self) -> Result<Output> {
        let mut child = self
            .child
            .take()
            .context("the process has been waited for")?;
        let status = child.wait().context("wait for a program")?;
        Ok(Output {
            code: status.code(),
            stdout: self.read("stdout")?,
            stderr: self.read("stderr")?,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only when the process is gone already.
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Writes files below `dir`; each is a relative path and its text.
pub fn write_files(dir: &Path, files: &[(&str, &str)]) -> Result<()> {
    for (name, text) in files {
        let path = dir.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
        }
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// The program's path; built once per process unless the environment names it.
pub fn program() -> Result<&'static Path> {
    BUILT
        .get_or_init(|| find().map_err(|error| format!("{error:#}")))
        .as_deref()
        .map_err(|error| anyhow!("{error}"))
}

fn find() -> Result<PathBuf> {
    if let Some(path) = env::var_os(PROGRAM).filter(|value| !value.is_empty()) {
        return Ok(path.into());
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--package", "underpin", "--bin", "underpin"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo build")?;
    if !output.status.success() {
        bail!("cargo build --package underpin failed");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "underpin")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo built no program underpin")
}
