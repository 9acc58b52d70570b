//! What a run reports while it goes on.

use underpin_model::{Lock, ObjectKey};

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// Done as planned.
    Done,
    /// It was done before, by an interrupted run or somebody else.
    AlreadyDone,
    /// The server accepted the deletion; these finalizers still hold the object.
    Terminating(String),
    /// The object was left alone after all, and why.
    Kept(String),
    /// It failed, and why.
    Failed(String),
    /// It was not tried, and why.
    Skipped(String),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The world is being read.
    Reading,
    /// The server is asked what so many applies would do.
    DryRuns(usize),
    /// The lock is held by another run; waiting for it.
    LockHeld(Lock),
    /// A wave begins: its number from 1, of how many, and how many steps it has.
    Wave {
        /// From 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// Steps in it.
        steps: usize,
    },
    /// A step ended.
    Step {
        /// `create`, `update`, …
        action: &'static str,
        /// The object.
        key: ObjectKey,
        /// How it ended.
        result: StepResult,
    },
    /// Waiting for so many objects to become ready, or to go.
    Waiting(String),
    /// Worth saying, in one line.
    Note(String),
}

/// Takes events as they happen; called from several tasks.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}
