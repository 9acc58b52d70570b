//! The states that objects can be in.

use std::fmt;

/// How an object is, by its own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is as it was declared, or gives no sign of its state.
    Current,
    /// It is not there yet; the text says how far it is.
    InProgress(String),
    /// It will not get there by itself; the text says why.
    Failed(String),
    /// It is being deleted.
    Terminating,
}

impl State {
    /// In progress, and how far.
    pub(crate) fn progress(text: impl Into<String>) -> Self {
        Self::InProgress(text.into())
    }

    /// Whether there is nothing to wait for.
    pub fn is_current(&self) -> bool {
        *self == Self::Current
    }

    /// One word for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::InProgress(_) => "in-progress",
            Self::Failed(_) => "failed",
            Self::Terminating => "terminating",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("ready"),
            Self::InProgress(text) | Self::Failed(text) => f.write_str(text),
            Self::Terminating => f.write_str("is being deleted"),
        }
    }
}
