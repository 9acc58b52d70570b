//! Running another program to its end, as a shell would.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    process::{ExitCode, ExitStatus},
};

use tokio::process::{Child, Command};

use crate::{
    error::CommandError,
    interrupt::{self, Signal},
};

/// What shells add to the number of the signal that ended a program.
const SIGNALLED: u8 = 128;

/// Runs a command with our own terminal and these variables; returns its exit code, or 128 and the
/// signal that ended it. A SIGTERM is handed on; Ctrl-C reaches it by itself, and it decides.
pub(crate) async fn run(
    command: &[OsString],
    environment: &BTreeMap<&'static str, OsString>,
) -> Result<ExitCode, CommandError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(CommandError::usage(
            "there is no command",
            "name one after `--`",
        ));
    };
    let name = program.to_string_lossy();
    let failed = |source| CommandError::Io {
        what: format!("cannot run {name}"),
        source,
    };
    // Listened for before it begins: from now on it is the command that decides when to end.
    let mut stopped = Box::pin(interrupt::stopped());
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    loop {
        tokio::select! {
            ended = child.wait() => return ended.map(code).map_err(failed),
            signal = &mut stopped => {
                if signal == Signal::Terminate {
                    terminate(&mut child);
                }
                stopped = Box::pin(interrupt::stopped());
            }
        }
    }
}

#[cfg(unix)]
fn terminate(child: &mut Child) {
    let process = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(process) = process.and_then(rustix::process::Pid::from_raw) {
        // It may have ended just now.
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    }
}

#[cfg(not(unix))]
fn terminate(child: &mut Child) {
    let _ = child.start_kill();
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or_else(|| SIGNALLED.saturating_add(signal(status))))
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let signal = status.signal().and_then(|signal| u8::try_from(signal).ok());
    signal.unwrap_or(0)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> u8 {
    0
}
