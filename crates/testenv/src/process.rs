//! Child processes that cannot outlive their owner, and signals.
//!
//! Linux can kill a child when its parent dies, but asking for it needs `unsafe` code between
//! fork and exec. A pipe does the same: each child runs under a small shell that holds the read
//! end of a pipe. When the owner ends, however it ends, the kernel closes the write end, the
//! shell sees the end of its input and kills the child.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Runs "$@" in the background, prints its process id, and kills it at the end of input.
/// `read` is built in, so that no helper process stays behind.
const SUPERVISOR: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- 1>&2 &
child=$!
echo "$child"
exec 1>&2
( while read -r _ <&3; do :; done; kill -KILL "$child" ) 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill -KILL "$watcher" 2>/dev/null
exit "$code"
"#;

/// Pause between two looks at a process.
const POLL: Duration = Duration::from_millis(20);

/// A running program that ends when this value is dropped or this process ends.
#[derive(Debug)]
pub struct Supervised {
    name: String,
    shell: Child,
    pid: u32,
}

impl Supervised {
    /// Starts `program` with `args`, its output appended to `log`, in a process group of its own
    /// (Ctrl-C in the terminal does not reach it).
    pub fn spawn(name: &str, program: &Path, args: &[String], log: &Path) -> Result<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("log of {name}: {}", log.display()))?;
        let mut shell = Command::new("sh")
            .arg("-c")
            .arg(SUPERVISOR)
            .arg(name)
            .arg(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("start sh for {name}"))?;
        let stdout = shell
            .stdout
            .take()
            .context("no pipe from the supervising shell")?;
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .context("process id of the child")?;
        let pid = line
            .trim()
            .parse()
            .with_context(|| format!("{name}: no process id"))?;
        Ok(Self {
            name: name.to_owned(),
            shell,
            pid,
        })
    }

    /// The program's name in messages and logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program's own process id (not the shell's).
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether the program still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.shell.try_wait(), Ok(None))
    }

    /// Kills the program (SIGKILL) and waits until it is gone.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // Closing the pipe is the order to kill.
        drop(self.shell.stdin.take());
        // Fails only when there is no such child, that is, when it has been waited for.
        drop(self.shell.wait());
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for the end of its input and removes a folder, twice: programs that were killed at the
/// same moment may still have written to it.
const REMOVER: &str = r#"
while read -r _; do :; done
rm -rf -- "$1"
sleep 1
rm -rf -- "$1"
"#;

/// A folder that is removed when this value is dropped and when this process ends, however that
/// ends (values in statics are never dropped).
#[derive(Debug)]
pub(crate) struct RemovedAtEnd {
    shell: Child,
    path: PathBuf,
}

impl RemovedAtEnd {
    /// Watches over `path`, which must exist.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", REMOVER, "remover"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("start sh to watch over a temporary folder")?;
        Ok(Self {
            shell,
            path: path.to_owned(),
        })
    }
}

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        // At once and here; then the shell is not needed any more. Fails only if the folder is
        // gone, or was made unreadable on purpose.
        drop(fs::remove_dir_all(&self.path));
        drop(self.shell.kill());
        drop(self.shell.wait());
    }
}

/// Sends SIGKILL to a process. Fails when there is no such process or it is not ours.
pub fn kill(pid: u32) -> Result<()> {
    signal(pid, Signal::KILL)
}

/// Sends SIGTERM to a process. Fails when there is no such process or it is not ours.
pub fn terminate(pid: u32) -> Result<()> {
    signal(pid, Signal::TERM)
}

/// Sends SIGINT to a process, as Ctrl-C does. Fails when there is no such process or it is not ours.
pub fn interrupt(pid: u32) -> Result<()> {
    signal(pid, Signal::INT)
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(target) = raw else {
        bail!("{pid} is no process id")
    };
    kill_process(target, signal).with_context(|| format!("signal {signal:?} to process {pid}"))
}

/// Runs a command to its end, at most `limit`; then it is killed and the call fails.
pub fn run_limited(command: &mut Command, limit: Duration) -> Result<ExitStatus> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let begin = Instant::now();
    loop {
        if let Some(status) = child
            .try_wait()
            .with_context(|| format!("wait for {program}"))?
        {
            return Ok(status);
        }
        if begin.elapsed() > limit {
            child.kill().with_context(|| format!("stop {program}"))?;
            child
                .wait()
                .with_context(|| format!("wait for {program}"))?;
            bail!(
                "{program} did not end within {} s and was stopped",
                limit.as_secs()
            );
        }
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path) -> Supervised {
        let log = dir.join("log");
        Supervised::spawn("sleeper", Path::new("sleep"), &["600".to_owned()], &log).unwrap()
    }

    /// A process that is gone, or dead and not yet collected by whoever inherited it.
    fn is_gone(pid: u32) -> bool {
        fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
            stat.rsplit(')').next().unwrap().trim().starts_with('Z')
        })
    }

    #[test]
    fn stop_kills_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = sleeper(dir.path());
        assert!(child.is_running());
        let pid = child.pid();
        child.stop();
        assert!(is_gone(pid));
    }

    #[test]
    fn a_program_that_ends_by_itself_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = sleeper(dir.path());
        kill(child.pid()).unwrap();
        let begin = Instant::now();
        while child.is_running() {
            assert!(
                begin.elapsed() < Duration::from_secs(10),
                "still running after SIGKILL"
            );
            thread::sleep(POLL);
        }
    }

    #[test]
    fn a_folder_goes_with_its_watcher_and_with_the_pipe() {
        let dir = tempfile::tempdir().unwrap();
        for close_pipe in [false, true] {
            let path = dir.path().join("watched");
            fs::create_dir_all(path.join("deep")).unwrap();
            let mut watcher = RemovedAtEnd::new(&path).unwrap();
            assert!(path.exists());
            if close_pipe {
                drop(watcher.shell.stdin.take());
                watcher.shell.wait().unwrap();
                assert!(!path.exists());
            }
            drop(watcher);
            assert!(!path.exists());
        }
    }

    #[test]
    fn the_owner_s_death_by_sigkill_takes_the_program_along() {
        // The owner is a shell that holds the pipe's write end and is killed without warning.
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("supervisor.sh");
        fs::write(&script, SUPERVISOR).unwrap();
        let mut owner = Command::new("sh")
            .arg("-c")
            .arg("{ exec sleep 600; } | sh \"$1\" sleep 601")
            .arg("owner")
            .arg(&script)
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(owner.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let pid: u32 = line.trim().parse().unwrap();
        assert!(!is_gone(pid));
        // The writer of the pipe is the only `sleep 600` below the owner, once it is that.
        let writer = || -> Option<u32> {
            let children = format!("/proc/{0}/task/{0}/children", owner.id());
            let children = fs::read_to_string(children).unwrap();
            let writer = children.split_whitespace().find(|child| {
                fs::read_to_string(format!("/proc/{child}/cmdline"))
                    .is_ok_and(|line| line == "sleep\x00600\x00")
            });
            writer.map(|pid| pid.parse().unwrap())
        };
        let begin = Instant::now();
        let writer = loop {
            if let Some(writer) = writer() {
                break writer;
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "no writer");
            thread::sleep(POLL);
        };
        kill(writer).unwrap();
        let begin = Instant::now();
        while !is_gone(pid) {
            assert!(
                begin.elapsed() < Duration::from_secs(10),
                "the program outlived its owner"
            );
            thread::sleep(POLL);
        }
        owner.wait().unwrap();
    }
}
