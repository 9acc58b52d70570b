//! Steps of the build: progress lines, logs, limits.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::run_limited;

/// Longest time for one step. The longest, kube-apiserver, takes 4 minutes on 2 idle cores.
const LIMIT: Duration = Duration::from_mins(45);
/// Lines of a log that go into an error.
const LOG_LINES: usize = 20;

/// Progress of one build.
pub(crate) struct Steps {
    begin: Instant,
    logs: PathBuf,
}

impl Steps {
    /// Starts the clock; logs go to `logs`.
    pub(crate) fn begin(logs: &Path) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("create {}", logs.display()))?;
        Ok(Self {
            begin: Instant::now(),
            logs: logs.to_owned(),
        })
    }

    /// One progress line on standard error, with the seconds since the start.
    pub(crate) fn say(&self, text: &str) -> Result<()> {
        writeln!(
            io::stderr(),
            "[{:>4} s] {text}",
            self.begin.elapsed().as_secs()
        )
        .context("report progress")
    }

    /// Runs a command with its output in the log of `step`.
    ///
    /// Fails when the program is missing (naming the way out), fails or takes too long.
    pub(crate) fn run(&self, step: &str, command: &mut Command) -> Result<()> {
        let path = self.logs.join(format!("{step}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))?;
        let both = log
            .try_clone()
            .with_context(|| format!("share {}", path.display()))?;
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(log).stderr(both);
        let status = run_limited(command, LIMIT).map_err(|error| {
            let missing = error
                .chain()
                .filter_map(|cause| cause.downcast_ref::<io::Error>())
                .any(|cause| cause.kind() == io::ErrorKind::NotFound);
            if missing {
                error.context(format!("step {step}: {}", way_out(&program)))
            } else {
                error.context(format!("step {step}, log {}", path.display()))
            }
        })?;
        if !status.success() {
            let bytes = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            bail!(
                "step {step}: {program}: {status}; end of {}:\n{tail}",
                path.display()
            );
        }
        Ok(())
    }
}

fn way_out(program: &str) -> String {
    let program = Path::new(program)
        .file_name()
        .map_or(program.into(), |name| name.to_string_lossy());
    match &*program {
        "apt-get" | "dpkg-deb" => format!(
            "{program} is not on this machine; it belongs to Debian and its derivatives. \
             Elsewhere set KUBEBUILDER_ASSETS to a folder with {}",
            crate::Components::NAMES.join(", ")
        ),
        other => format!("{other} is not on this machine: install it (apt-get install {other})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(program: &str, args: &[&str], parts: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        let steps = Steps::begin(dir.path()).unwrap();
        let error = steps
            .run("try", Command::new(program).args(args))
            .unwrap_err();
        let text = format!("{error:#}");
        for part in parts {
            assert!(text.contains(part), "{part:?} not in {text}");
        }
    }

    #[test]
    fn a_failure_names_step_log_and_last_lines() {
        check(
            "sh",
            &["-c", "echo why; exit 3"],
            &["step try", "exit status: 3", "try.log", "why"],
        );
    }

    #[test]
    fn a_missing_program_names_the_way_out() {
        check(
            "/nowhere/apt-get",
            &[],
            &["apt-get is not on this machine", "KUBEBUILDER_ASSETS"],
        );
        check("/nowhere/tar", &[], &["apt-get install tar"]);
    }
}
