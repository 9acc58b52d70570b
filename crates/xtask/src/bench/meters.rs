//! What a run costs: the server's own count of requests, time, and peak memory.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// Pause between two looks at a process's memory. Its peak only grows, so that no more is missed
/// than what it grew by since the last look.
const MEMORY_POLL: Duration = Duration::from_millis(2);
/// The server writes a request down after it has answered it: the log is complete when it has not
/// grown for so long.
const LOG_PAUSE: Duration = Duration::from_millis(200);
/// Looks at the log at most.
const LOG_LOOKS: usize = 100;
/// KiB in a MB (10⁶ bytes).
const KIB_PER_MB: f64 = 1e6 / 1024.0;
const NANOSECONDS: f64 = 1e9;
/// How much of a failed program's output goes into the error, in bytes.
const OUTPUT_LIMIT: usize = 2_000;
/// The file into which a program prints.
const OUTPUT: &str = "output";

/// Requests by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// Lists, a page each.
    pub(super) list: usize,
    /// Single objects and discovery.
    pub(super) get: usize,
    /// Of any verb, if they change nothing.
    pub(super) dry_run: usize,
    /// Patches that count.
    pub(super) patch: usize,
    /// All others: creations, updates, deletions.
    pub(super) other: usize,
}

impl Calls {
    pub(super) fn total(&self) -> usize {
        self.list + self.get + self.dry_run + self.patch + self.other
    }

    fn add(&mut self, verb: &str, uri: &str) {
        let field = match verb {
            _ if uri.contains("dryRun=") => &mut self.dry_run,
            "list" => &mut self.list,
            "get" => &mut self.get,
            "patch" => &mut self.patch,
            _ => &mut self.other,
        };
        *field += 1;
    }
}

/// The server's audit log, kept for some users and none else.
pub(super) struct AuditLog {
    policy: PathBuf,
    log: PathBuf,
}

impl AuditLog {
    /// To be kept in `dir` of what `users` send.
    pub(super) fn create(dir: &Path, users: &[&str]) -> Result<Self> {
        let policy = dir.join("audit-policy.json");
        let log = dir.join("audit.log");
        let rules = json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "users": users}],
        });
        fs::write(&policy, rules.to_string())
            .with_context(|| format!("write {}", policy.display()))?;
        Ok(Self { policy, log })
    }

    /// Flags of the API server. It writes each line before it goes on, which costs every client
    /// the same and leaves none out.
    pub(super) fn flags(&self) -> Vec<String> {
        vec![
            format!("--audit-policy-file={}", self.policy.display()),
            format!("--audit-log-path={}", self.log.display()),
            "--audit-log-mode=blocking".to_owned(),
        ]
    }

    /// What a user has sent so far. Waits until the log is complete.
    pub(super) fn calls(&self, user: &str) -> Result<Calls> {
        let mut size = None;
        for _ in 0..LOG_LOOKS {
            thread::sleep(LOG_PAUSE);
            let now = fs::metadata(&self.log).map_or(0, |metadata| metadata.len());
            if size == Some(now) {
                let text = fs::read_to_string(&self.log)
                    .with_context(|| format!("read {}", self.log.display()))?;
                return count(&text, user);
            }
            size = Some(now);
        }
        bail!("{} does not come to rest", self.log.display())
    }
}

/// Counts a user's requests in an audit log, each once, however many stages of it were written.
fn count(log: &str, user: &str) -> Result<Calls> {
    let (mut calls, mut seen) = (Calls::default(), BTreeSet::new());
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).context("read a line of the audit log")?;
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        if event["user"]["username"] == user && seen.insert(text("auditID")) {
            calls.add(&text("verb"), &text("requestURI"));
        }
    }
    Ok(calls)
}

/// A program that ran to its end.
pub(super) struct Ran {
    pub(super) elapsed: Duration,
    /// Peak resident memory in KiB.
    pub(super) memory: u64,
}

/// Runs a program that must end with exit code `expect`. What it prints goes to a file in `dir`,
/// not to a terminal that would have to be drawn.
pub(super) fn run(command: &mut Command, dir: &Path, expect: i32) -> Result<Ran> {
    let path = dir.join(OUTPUT);
    let output = File::create(&path).with_context(|| format!("create {}", path.display()))?;
    let errors = output.try_clone().context("share a file")?;
    let begin = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let (status, memory) = watched(&mut child)?;
    let elapsed = begin.elapsed();
    ensure!(
        status.code() == Some(expect),
        "{command:?} ended with {status}, not with {expect}:\n{}",
        end_of(&path)
    );
    Ok(Ran { elapsed, memory })
}

/// The same of a program that prints one JSON document and ends well.
pub(super) fn run_for_json(command: &mut Command, dir: &Path) -> Result<(Ran, Value)> {
    let ran = run(command, dir, 0)?;
    let text = fs::read_to_string(dir.join(OUTPUT)).context("read what was measured")?;
    let found = serde_json::from_str(&text).context("read what was measured")?;
    Ok((ran, found))
}

/// What this program measures in a process of its own, when it is started with these arguments; and how many
/// MB that process had at its peak.
pub(super) fn run_apart<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> Result<(Value, f64)> {
    let dir = tempfile::tempdir().context("make a folder")?;
    let mut command = Command::new(env::current_exe().context("find this program")?);
    command.arg("bench").args(arguments);
    let (ran, found) = run_for_json(&mut command, dir.path())?;
    Ok((found, megabytes(ran.memory)))
}

/// KiB in MB.
#[allow(clippy::cast_precision_loss, reason = "no memory is that large")]
pub(super) fn megabytes(kib: u64) -> f64 {
    kib as f64 / KIB_PER_MB
}

/// What this process has used of the CPU, in seconds; it has but one thread. Zero where the kernel
/// does not tell.
pub(super) fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds: Option<f64> = text.split(' ').next().and_then(|field| field.parse().ok());
    nanoseconds.unwrap_or_default() / NANOSECONDS
}

/// Waits for a program, and looks at its memory meanwhile.
fn watched(child: &mut Child) -> Result<(std::process::ExitStatus, u64)> {
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0;
            while !ended.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&status_file).unwrap_or_default();
                peak = peak.max(peak_memory(&text).unwrap_or_default());
                thread::sleep(MEMORY_POLL);
            }
            peak
        });
        let status = child.wait().context("wait for a program");
        ended.store(true, Ordering::Relaxed);
        let peak = watcher.join().unwrap_or_default();
        Ok((status?, peak))
    })
}

/// The peak of resident memory that `/proc/PID/status` tells, in KiB.
fn peak_memory(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn end_of(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let end = &text[text.len().saturating_sub(OUTPUT_LIMIT)..];
    String::from_utf8_lossy(end).trim_end().to_owned()
}

/// The value in the middle; of two, the smaller.
pub(super) fn median<T: Copy + Ord>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, user: &str, verb: &str, uri: &str) -> String {
        json!({"auditID": id, "user": {"username": user}, "verb": verb, "requestURI": uri})
            .to_string()
    }

    #[test]
    fn requests_are_counted_once_and_for_one_user() {
        let log = [
            line("1", "up", "list", "/api/v1/pods?limit=500"),
            line("2", "up", "get", "/apis"),
            line("3", "up", "patch", "/api/v1/pods/a?dryRun=All"),
            line("4", "up", "patch", "/api/v1/pods/a"),
            line("4", "up", "patch", "/api/v1/pods/a"),
            line("5", "up", "create", "/api/v1/pods"),
            line("6", "diff", "get", "/apis"),
        ];
        let calls = count(&log.join("\n"), "up").unwrap();
        let expect = Calls {
            list: 1,
            get: 1,
            dry_run: 1,
            patch: 1,
            other: 1,
        };
        assert_eq!((calls, calls.total()), (expect, 5));
        assert!(count("no JSON", "up").is_err());
    }

    #[test]
    fn a_program_s_time_and_memory_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 0.05; exit 6"]);
        let ran = run(&mut command, dir.path(), 6).unwrap();
        assert!(ran.memory > 0 && ran.elapsed > Duration::ZERO);
    }

    #[test]
    fn a_program_that_ends_otherwise_is_an_error_with_its_output() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such thing >&2; exit 1"]);
        let error = run(&mut command, dir.path(), 0).err().unwrap().to_string();
        assert!(error.contains("no such thing"), "{error}");
    }

    #[test]
    fn peak_memory_is_read_from_the_kernel_s_words() {
        assert_eq!(
            peak_memory("VmPeak:\t9 kB\nVmHWM:\t   1234 kB\n"),
            Some(1234)
        );
        assert_eq!(peak_memory("Name:\tzombie\n"), None);
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[3, 1, 2]), Some(2));
        assert_eq!(median(&[4, 1, 3, 2]), Some(2));
        assert_eq!(median(&[5, 5, 1]), Some(5));
        assert_eq!(median::<u8>(&[]), None);
    }
}
