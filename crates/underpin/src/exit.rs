//! Exit codes: a public contract for scripts.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Nothing to do, or done.
    Done = 0,
    /// Something went wrong.
    Error = 1,
    /// Wrong usage; the argument parser's own code.
    Usage = 2,
    /// A rule blocks.
    Blocked = 3,
    /// Stopped at the deadline or by an interrupt; another run continues.
    Stopped = 4,
    /// Another run holds the lock.
    Busy = 5,
    /// Changes are pending; only with `plan --detailed-exitcode`.
    Pending = 6,
    /// There are warnings; only with `--strict`.
    Warnings = 7,
}

impl Exit {
    /// Every code, in order.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Error,
        Self::Usage,
        Self::Blocked,
        Self::Stopped,
        Self::Busy,
        Self::Pending,
        Self::Warnings,
    ];

    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// When a command ends with it, as the manual pages and the reference say.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or nothing to do",
            Self::Error => "an error",
            Self::Usage => "wrong usage",
            Self::Blocked => "blocked by a rule",
            Self::Stopped => "stopped at the deadline or by an interrupt; run again to continue",
            Self::Busy => "another run holds the lock of the environment or registry",
            Self::Pending => "changes are pending; only with --detailed-exitcode",
            Self::Warnings => "there are warnings; only with --strict",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
