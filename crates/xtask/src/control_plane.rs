//! `cargo xtask control-plane …`

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};
use underpin_testenv::{
    Components, ControlPlane, Options, build, caddy, registry, skopeo, terminate,
};

/// Longest wait for `up` and `down`. Starting takes 5 s on an idle machine.
const LIMIT: Duration = Duration::from_mins(3);
/// Pause between two looks.
const POLL: Duration = Duration::from_millis(100);
/// In the folder: the serving process's id, and the mark that the control plane is ready.
const PID: &str = "serve.pid";
const READY: &str = "ready";
const LOG: &str = "serve.log";

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Find the components, or build them from Debian's packages (5 to 10 minutes, once).
    Build,
    /// Find caddy, docker-registry and skopeo, or fetch them from Debian's packages.
    Tools,
    /// Start a control plane in DIR and leave it running.
    Up {
        /// A new or empty folder.
        dir: PathBuf,
    },
    /// Stop the control plane in DIR and remove DIR.
    Down {
        /// The folder given to `up`.
        dir: PathBuf,
    },
    /// Say which components of the control plane in DIR run.
    Status {
        /// The folder given to `up`.
        dir: PathBuf,
    },
    /// Run a command with KUBECONFIG set to a throwaway control plane.
    Run {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, required = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Serve DIR in the foreground (what `up` starts in the background).
    #[command(hide = true)]
    Serve {
        /// The folder.
        dir: PathBuf,
    },
}

pub(crate) fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Build => {
            let found = build::ensure()?;
            let dir = found.kubectl.parent().context("folder of the components")?;
            say(&format!("{}", dir.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Tools => {
            for tool in [caddy::ensure()?, registry::ensure()?, skopeo::ensure()?] {
                say(&format!("{}", tool.display()))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Up { dir } => up(&dir),
        Task::Down { dir } => down(&dir),
        Task::Status { dir } => status(&dir),
        Task::Run { command } => run_command(&command),
        Task::Serve { dir } => serve(&dir),
    }
}

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("write to standard output")
}

fn up(dir: &Path) -> Result<ExitCode> {
    build::ensure()?;
    fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
    let dir = dir
        .canonicalize()
        .with_context(|| format!("resolve {}", dir.display()))?;
    let mut entries = fs::read_dir(&dir).with_context(|| format!("list {}", dir.display()))?;
    ensure!(
        entries.next().is_none(),
        "{} is not empty; name a new folder",
        dir.display()
    );
    let log = dir.join(LOG);
    let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
    let errors = output
        .try_clone()
        .with_context(|| format!("share {}", log.display()))?;
    let program = env::current_exe().context("path of this program")?;
    let mut server = Command::new(program)
        .args(["control-plane", "serve"])
        .arg(&dir)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .context("start the server")?;
    let pid = dir.join(PID);
    fs::write(&pid, server.id().to_string()).with_context(|| format!("write {}", pid.display()))?;
    let begin = Instant::now();
    while !dir.join(READY).exists() {
        if server.try_wait().context("look at the server")?.is_some() {
            bail!(
                "{}",
                fs::read_to_string(&log).unwrap_or_default().trim_end()
            );
        }
        if begin.elapsed() > LIMIT {
            terminate(server.id())?;
            bail!(
                "not ready after {} s, logs in {}",
                LIMIT.as_secs(),
                dir.display()
            );
        }
        thread::sleep(POLL);
    }
    say(&format!("KUBECONFIG={}", dir.join("kubeconfig").display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The id of the process that serves `dir`, if it runs. Checks the command line, for ids are
/// used again.
fn server_of(dir: &Path) -> Result<Option<u32>> {
    let path = dir.join(PID);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{} is not the folder of a control plane", dir.display()))?;
    let pid: u32 = text
        .trim()
        .parse()
        .with_context(|| format!("read {}", path.display()))?;
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line.split(|byte| *byte == 0).collect();
    let ours =
        words.contains(&b"serve".as_slice()) && words.contains(&dir.as_os_str().as_encoded_bytes());
    Ok(ours.then_some(pid))
}

fn down(dir: &Path) -> Result<ExitCode> {
    let dir = dir
        .canonicalize()
        .with_context(|| format!("resolve {}", dir.display()))?;
    if let Some(pid) = server_of(&dir)? {
        terminate(pid)?;
        let begin = Instant::now();
        while server_of(&dir)?.is_some() {
            ensure!(begin.elapsed() < LIMIT, "process {pid} does not end");
            thread::sleep(POLL);
        }
    }
    fs::remove_dir_all(&dir).with_context(|| format!("remove {}", dir.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn status(dir: &Path) -> Result<ExitCode> {
    let dir = dir
        .canonicalize()
        .with_context(|| format!("resolve {}", dir.display()))?;
    let server = server_of(&dir)?;
    let components = fs::read_to_string(dir.join(READY)).unwrap_or_default();
    for line in components.lines() {
        let (name, pid) = line.split_once(' ').context("read the component list")?;
        // All end with the server, so a foreign process with this id cannot be taken for one.
        let runs = server.is_some() && Path::new("/proc").join(pid).exists();
        say(&format!(
            "{name} {}",
            if runs {
                format!("running, process {pid}")
            } else {
                "down".to_owned()
            }
        ))?;
    }
    if server.is_none() {
        say("the control plane is down")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn serve(dir: &Path) -> Result<ExitCode> {
    let mut control_plane = ControlPlane::start_in(dir, &Components::find()?, &Options::default())?;
    let list: Vec<String> = control_plane
        .status()
        .into_iter()
        .map(|(name, pid, _)| format!("{name} {pid}"))
        .collect();
    let ready = dir.join(READY);
    let partial = dir.join("ready.partial");
    fs::write(&partial, list.join("\n")).with_context(|| format!("write {}", partial.display()))?;
    fs::rename(&partial, &ready).with_context(|| format!("write {}", ready.display()))?;
    wait_for_signal(None)?;
    drop(control_plane);
    Ok(ExitCode::SUCCESS)
}

fn run_command(command: &[String]) -> Result<ExitCode> {
    let control_plane = ControlPlane::start(&build::ensure()?, &Options::default())?;
    let (program, args) = command.split_first().context("a command to run")?;
    let kubectl = control_plane
        .components()
        .kubectl
        .parent()
        .context("folder of kubectl")?;
    let own = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(env::split_paths(&own).chain([kubectl.to_owned()]))
        .context("search path")?;
    let mut run = Command::new(program);
    run.args(args)
        .env("KUBECONFIG", control_plane.kubeconfig())
        .env("PATH", path);
    let code = wait_for_signal(Some((run, program)))?;
    drop(control_plane);
    Ok(code)
}

/// Waits for SIGINT, SIGTERM or SIGHUP, or for the end of `command` if there is one. A signal is
/// passed on as SIGTERM and the command's end awaited: a terminal's Ctrl-C reaches it anyway,
/// and it may still need the control plane to clean up.
fn wait_for_signal(command: Option<(Command, &String)>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("runtime")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("handle SIGINT")?;
        let mut end = signal(SignalKind::terminate()).context("handle SIGTERM")?;
        let mut hangup = signal(SignalKind::hangup()).context("handle SIGHUP")?;
        let any = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = end.recv() => {}
                _ = hangup.recv() => {}
            }
        };
        let Some((command, program)) = command else {
            any.await;
            return Ok(ExitCode::SUCCESS);
        };
        let mut child = tokio::process::Command::from(command)
            .spawn()
            .with_context(|| format!("start {program}"))?;
        tokio::select! {
            status = child.wait() => return Ok(crate::exit_code(status.context("wait")?)),
            () = any => {}
        }
        if let Some(pid) = child.id() {
            terminate(pid)?;
        }
        if let Ok(status) = tokio::time::timeout(LIMIT, child.wait()).await {
            Ok(crate::exit_code(status.context("wait")?))
        } else {
            child.kill().await.context("stop the command")?;
            Ok(ExitCode::FAILURE)
        }
    })
}
