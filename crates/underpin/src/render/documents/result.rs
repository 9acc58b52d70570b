use std::{borrow::Cow, collections::BTreeMap};

use schemars::JsonSchema;
use serde::Serialize;
use underpin_deploy::{StepResult, Summary};
use underpin_plan::{Environment, Plan};

use super::{failure::FailureDocument, names};
use crate::render::{Ended, Judged};

/// What came of a plan.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum ResultDocument<'a> {
    /// It was not begun.
    Idle {
        /// Why.
        outcome: IdleOutcome,
    },
    /// It was carried out, as far as this says.
    Ran(RanDocument<'a>),
}

/// Why a plan was not begun.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IdleOutcome {
    /// It is impossible, or a rule blocks it.
    Refused,
    /// There was nothing to do.
    Unchanged,
}

impl<'a> ResultDocument<'a> {
    pub(crate) fn of(judged: Judged<'a>, ended: Ended<'a>) -> Self {
        match ended {
            Ended::Refused => Self::Idle {
                outcome: IdleOutcome::Refused,
            },
            Ended::Settled => Self::Idle {
                outcome: IdleOutcome::Unchanged,
            },
            Ended::Ran(summary) => Self::Ran(RanDocument::of(judged.plan, summary)),
        }
    }
}

/// What was done.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RanDocument<'a> {
    /// Whether everything that was planned was done.
    outcome: RanOutcome,
    /// Why it stopped early; null unless it did. Another run continues.
    stopped: Option<String>,
    /// How each step ended, by object.
    steps: BTreeMap<String, StepResultDocument<'a>>,
    /// Objects whose steps are still to be done.
    left: Vec<String>,
    /// What failed besides single steps, such as waiting for readiness.
    failures: Vec<FailureDocument<'a>>,
    /// Namespaces that were kept, and why.
    kept_namespaces: &'a BTreeMap<String, String>,
}

impl<'a> RanDocument<'a> {
    fn of(plan: &Plan, summary: &'a Summary) -> Self {
        let results = summary.results.iter();
        Self {
            outcome: if summary.is_complete() {
                RanOutcome::Done
            } else {
                RanOutcome::Incomplete
            },
            stopped: summary.stopped.map(|reason| reason.to_string()),
            steps: results
                .map(|(key, result)| (key.to_string(), result.into()))
                .collect(),
            left: names(&summary.left(plan.changing())),
            failures: summary.failures.iter().map(Into::into).collect(),
            kept_namespaces: &summary.kept,
        }
    }
}

/// Whether everything that was planned was done.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum RanOutcome {
    /// It was.
    Done,
    /// It was not.
    Incomplete,
}

/// How a step ended.
#[derive(Serialize, JsonSchema)]
struct StepResultDocument<'a> {
    /// How.
    result: StepResultName,
    /// Why, where it is not done.
    why: Option<Cow<'a, str>>,
}

/// How a step ended.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum StepResultName {
    /// It is done.
    Done,
    /// A former run had done it.
    AlreadyDone,
    /// It is being deleted, and something holds it.
    Terminating,
    /// It was left alone after all.
    Kept,
    /// It failed.
    Failed,
    /// It was not begun, since a step that it needs failed.
    Skipped,
}

impl<'a> From<&'a StepResult> for StepResultDocument<'a> {
    fn from(result: &'a StepResult) -> Self {
        let (result, why) = match result {
            StepResult::Done => (StepResultName::Done, None),
            StepResult::AlreadyDone => (StepResultName::AlreadyDone, None),
            StepResult::Terminating(held) => {
                (StepResultName::Terminating, Some(held.to_string().into()))
            }
            StepResult::Kept(why) => (StepResultName::Kept, Some(why.into())),
            StepResult::Failed(why) => (StepResultName::Failed, Some(why.into())),
            StepResult::Skipped(why) => (StepResultName::Skipped, Some(why.into())),
        };
        Self { result, why }
    }
}

/// A teardown of what is not there.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NothingRecordedDocument<'a> {
    /// The stack.
    stack: &'a str,
    /// The environment.
    environment: &'a str,
    /// What came of it.
    result: NothingRecorded,
}

/// What came of a teardown of what is not there.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
enum NothingRecorded {
    /// Nothing is recorded of the environment, so that there was nothing to do.
    NothingRecorded,
}

impl<'a> From<&'a Environment> for NothingRecordedDocument<'a> {
    fn from(environment: &'a Environment) -> Self {
        Self {
            stack: &environment.stack,
            environment: &environment.name,
            result: NothingRecorded::NothingRecorded,
        }
    }
}
