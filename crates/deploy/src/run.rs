//! What came of a run.

use std::collections::BTreeMap;

use underpin_model::{ObjectKey, Place, RevisionContent, Step};
use underpin_readiness::diagnosis::Diagnosis;

use crate::{Planned, StepResult, StopReason};

/// How a run ended.
pub enum Outcome {
    /// The plan is impossible or blocked; nothing was changed. The plan says which.
    Refused(Box<Planned>),
    /// Nothing was to be done; nothing was changed.
    Settled(Box<Planned>),
    /// The plan was carried out, as far as the summary says.
    Ran(Box<Planned>, Summary),
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Summary {
    /// How each step ended.
    pub results: BTreeMap<ObjectKey, StepResult>,
    /// What failed besides single steps: readiness, records.
    pub failures: Vec<Failure>,
    /// Why it stopped early, if it did; another run continues.
    pub stopped: Option<StopReason>,
    /// Namespaces that `down` kept, and why.
    pub kept: BTreeMap<String, String>,
    /// What became of the copy of what an `up` applied.
    pub content: Option<RevisionContent>,
    /// Whether it waited for what it deleted to be gone, and gave up: what is still going is not
    /// done then. Who does not wait asks for no more than that the deletion is accepted.
    pub waited_in_vain: bool,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The object.
    pub key: ObjectKey,
    /// What went wrong, and why: of what is not ready, the cause.
    pub message: String,
    /// Where that is declared: the field, where one is known, else the object.
    pub place: Option<Place>,
    /// What bears the cause out, where something was waited for in vain.
    pub not_ready: Option<Box<NotReady>>,
}

/// An object that was waited for in vain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotReady {
    /// What it says of itself, and how long it was waited for.
    pub state: String,
    /// Why.
    pub diagnosis: Diagnosis,
}

impl Failure {
    /// Something that went wrong other than a wait.
    pub fn new(key: ObjectKey, message: impl Into<String>) -> Self {
        Self {
            key,
            message: message.into(),
            place: None,
            not_ready: None,
        }
    }
}

impl Summary {
    /// Whether everything that was planned was done; of a deletion that was to be waited for, that
    /// the object is gone.
    pub fn is_complete(&self) -> bool {
        self.is_carried_out() && !self.waited_in_vain
    }

    /// Whether every step was taken, whatever became of it since.
    pub fn is_carried_out(&self) -> bool {
        self.stopped.is_none() && self.failures.is_empty() && !self.any_failed()
    }

    /// Whether a deletion was accepted and not brought to its end.
    pub(crate) fn any_going(&self) -> bool {
        let mut results = self.results.values();
        results.any(|result| matches!(result, StepResult::Terminating(_)))
    }

    /// Whether a step failed or was skipped.
    pub fn any_failed(&self) -> bool {
        self.results
            .values()
            .any(|result| matches!(result, StepResult::Failed(_) | StepResult::Skipped(_)))
    }

    /// Steps that were done.
    pub fn done(&self) -> usize {
        self.results
            .values()
            .filter(|result| matches!(result, StepResult::Done | StepResult::AlreadyDone))
            .count()
    }

    /// Objects that this run changed.
    pub(crate) fn changed(&self) -> usize {
        let results = self.results.values();
        results
            .filter(|result| matches!(result, StepResult::Done | StepResult::Terminating(_)))
            .count()
    }

    /// Steps that were to change something and did not, in the plan's order.
    pub fn left<'p>(&self, steps: impl Iterator<Item = &'p Step>) -> Vec<&'p ObjectKey> {
        steps
            .filter(|step| {
                !matches!(
                    self.results.get(&step.key),
                    Some(StepResult::Done | StepResult::AlreadyDone | StepResult::Kept(_))
                )
            })
            .map(|step| &step.key)
            .collect()
    }

    /// One line for the history.
    pub(crate) fn line(&self) -> String {
        let failed = self
            .results
            .values()
            .filter(|r| matches!(r, StepResult::Failed(_)))
            .count();
        let mut line = format!("{} done", self.done());
        if failed > 0 || !self.failures.is_empty() {
            line = format!("{line}, {} failed", failed + self.failures.len());
        }
        if let Some(reason) = self.stopped {
            line = format!("{line}, stopped: {reason}");
        }
        line
    }
}
