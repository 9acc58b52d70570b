//! What a run reports while it goes on.

use underpin_model::{Lock, Mask, ObjectKey};

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

impl StepResult {
    /// The same without values that the mask knows: servers quote what they refuse.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        match self {
            Self::Done | Self::AlreadyDone => self,
            Self::Terminating(why) => Self::Terminating(mask.apply(&why)),
            Self::Kept(why) => Self::Kept(mask.apply(&why)),
            Self::Failed(why) => Self::Failed(mask.apply(&why)),
            Self::Skipped(why) => Self::Skipped(mask.apply(&why)),
        }
    }
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
    /// Waiting for objects to go.
    Waiting(String),
    /// How far the objects are that are waited for; told when it changes.
    Readiness(Readiness),
    /// An object that was waited for is ready.
    Ready(ObjectKey),
    /// An object is waited for no longer: it has failed, or its time is over.
    NotReady {
        /// The object.
        key: ObjectKey,
        /// The cause.
        why: String,
    },
    /// Waiting has ended.
    Waited,
    /// Worth saying, in one line.
    Note(String),
}

/// How far the objects are that are waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Waves with objects that were not ready at once, in order.
    pub waves: Vec<WaveReadiness>,
    /// What is not ready yet, by key.
    pub pending: Vec<Pending>,
}

/// How far the objects of a wave are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveReadiness {
    /// From 1; 0 for what was there unchanged.
    pub number: usize,
    /// How many have become ready.
    pub ready: usize,
    /// Of how many that were not at once.
    pub of: usize,
}

/// An object that is not ready yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The object.
    pub key: ObjectKey,
    /// Why, as far as that is known.
    pub why: String,
    /// Whether it takes longer than things usually do.
    pub late: bool,
}

/// Takes events as they happen; called from several tasks.
pub trait Observer: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_quote_is_masked() {
        let mask = Mask::new(["hunter2".to_owned()]);
        let quoted = || "spec.password: Invalid value: \"hunter2\"".to_owned();
        for result in [
            StepResult::Terminating(quoted()),
            StepResult::Kept(quoted()),
            StepResult::Failed(quoted()),
            StepResult::Skipped(quoted()),
        ] {
            let told = format!("{:?}", result.masked(&mask));
            assert!(
                told.contains("spec.password") && !told.contains("hunter2"),
                "{told}"
            );
        }
    }
}
