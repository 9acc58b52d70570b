//! A real registry of images: Debian's `docker-registry`, which deletes by digest alone.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::build::SUITE;
use crate::ports;
use crate::process::{RemovedAtEnd, Supervised};
use crate::tool::{PROGRAMS, Tool};

const NAME: &str = "docker-registry";
/// Names a ready program.
const VARIABLE: &str = "UNDERPIN_DOCKER_REGISTRY";
/// How often another port is tried when somebody has taken the one that was free.
const STARTS: usize = 5;
/// Longest time until it listens.
const START: Duration = Duration::from_secs(20);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(20);

const TOOL: Tool = Tool {
    name: NAME,
    suite: SUITE,
    packages: &[NAME],
    part: PROGRAMS,
    program: NAME,
};

/// The registry to use; fails with the commands that bring one.
pub fn find() -> Result<PathBuf> {
    TOOL.find(VARIABLE)
}

/// The registry, fetched from Debian's archive if there is none on this machine (7 MB).
pub fn ensure() -> Result<PathBuf> {
    TOOL.ensure(VARIABLE)
}

/// How a registry is started.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether manifests can be deleted.
    pub is_delete_enabled: bool,
    /// The line of an htpasswd file, with a bcrypt hash; without one nobody is asked who they are.
    pub htpasswd: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            is_delete_enabled: true,
            htpasswd: None,
        }
    }
}

/// A running registry that ends, and whose folder goes, when this value is dropped.
#[derive(Debug)]
pub struct DockerRegistry {
    port: u16,
    program: PathBuf,
    configuration: PathBuf,
    server: Supervised,
    folder: TempDir,
    _watcher: RemovedAtEnd,
}

impl DockerRegistry {
    /// Starts one on a free port of 127.0.0.1, with nothing in it.
    pub fn start(options: Options) -> Result<Self> {
        let program = find()?;
        let folder = tempfile::Builder::new()
            .prefix("underpin-registry-test-")
            .tempdir()
            .context("create a folder for the registry")?;
        let watcher = RemovedAtEnd::new(folder.path())?;
        let configuration = folder.path().join("config.yml");
        for _ in 0..STARTS {
            let [port] = ports::free()?;
            let text = configured(&options, folder.path(), port)?;
            fs::write(&configuration, text).context("write the registry's configuration")?;
            if let Some(server) = serve(&program, &configuration, folder.path(), port)? {
                return Ok(Self {
                    port,
                    program,
                    configuration,
                    server,
                    folder,
                    _watcher: watcher,
                });
            }
        }
        bail!(
            "{NAME} did not start {STARTS} times; its log ends with: {}",
            {
                let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(5).collect();
                tail.join("\n")
            }
        )
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it keeps what was pushed.
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// What it wrote to its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Stops it, has it collect the blobs that no manifest holds, and starts it again.
    pub fn collect_garbage(&mut self) -> Result<()> {
        crate::kill(self.server.pid())?;
        let begin = Instant::now();
        while self.server.is_running() {
            if begin.elapsed() > START {
                bail!("{NAME} does not end");
            }
            thread::sleep(POLL);
        }
        let mut command = std::process::Command::new(&self.program);
        command.arg("garbage-collect").arg(&self.configuration);
        let output = command.output().context("run garbage-collect")?;
        if !output.status.success() {
            bail!(
                "garbage-collect: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let (folder, port) = (self.folder.path(), self.port);
        let server = serve(&self.program, &self.configuration, folder, port)?;
        self.server = server.with_context(|| format!("{NAME} did not start again"))?;
        Ok(())
    }
}

fn configured(options: &Options, folder: &Path, port: u16) -> Result<String> {
    let storage = folder.join("storage");
    let (storage, enabled) = (storage.display(), options.is_delete_enabled);
    let mut text = format!(
        "version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n    rootdirectory: {storage}\n  \
         delete:\n    enabled: {enabled}\nhttp:\n  addr: 127.0.0.1:{port}\n"
    );
    if let Some(line) = options.htpasswd {
        let path = folder.join("htpasswd");
        fs::write(&path, format!("{line}\n")).context("write the registry's htpasswd")?;
        let path = path.display();
        text.push_str(&format!(
            "auth:\n  htpasswd:\n    realm: underpin-test\n    path: {path}\n"
        ));
    }
    Ok(text)
}

/// Starts the program; `None` when it ends before it listens, as it does on a port that is taken.
fn serve(program: &Path, config: &Path, folder: &Path, port: u16) -> Result<Option<Supervised>> {
    let arguments = ["serve".to_owned(), config.display().to_string()];
    let mut server = Supervised::spawn(NAME, program, &arguments, &folder.join("log"))?;
    let begin = Instant::now();
    while begin.elapsed() < START {
        if !server.is_running() {
            return Ok(None);
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            // It may be another one's: then this one is about to end.
            thread::sleep(POLL);
            return Ok(server.is_running().then_some(server));
        }
        thread::sleep(POLL);
    }
    bail!("{NAME} does not listen after {} s", START.as_secs())
}
