use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use underpin_model::{Action, FieldChange, Step, Unvalidated};

/// One object, what is done to it, and why.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StepDocument<'a> {
    /// What is done.
    action: ActionDocument,
    /// The object, such as `deployment.apps/wallet/web`.
    object: String,
    /// Why, in one sentence.
    reason: &'a str,
    /// Wave in which it is done, from 0: those of one wave are done in parallel.
    wave: usize,
    /// Whether the server has said by dry run what it would come to.
    validated: bool,
    /// Fields that change. Values of Secrets are fingerprints.
    changes: Vec<ChangeDocument<'a>>,
    /// Why the server has not said what it would come to, where it was to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    unvalidated: Option<UnvalidatedDocument<'a>>,
    /// Why it is not known whether the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<&'a str>,
}

impl<'a> From<&'a Step> for StepDocument<'a> {
    fn from(step: &'a Step) -> Self {
        Self {
            action: (&step.action).into(),
            object: step.key.to_string(),
            reason: &step.reason,
            wave: step.wave,
            validated: step.validated,
            changes: step.changes.iter().map(Into::into).collect(),
            unvalidated: step.unvalidated.as_ref().map(Into::into),
            unseen: step.unseen.as_deref(),
        }
    }
}

/// What is done to an object.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ActionDocument {
    /// It is not there, and is created.
    Create,
    /// It is there, and is changed.
    Update,
    /// A field that cannot be changed differs: it is deleted and created anew.
    Replace,
    /// It is deleted.
    Delete,
    /// It is there and nobody's; it is taken over.
    Adopt,
    /// Nothing.
    Keep,
}

impl From<&Action> for ActionDocument {
    fn from(action: &Action) -> Self {
        match action {
            Action::Create => Self::Create,
            Action::Update => Self::Update,
            Action::Replace => Self::Replace,
            Action::Delete => Self::Delete,
            Action::Adopt => Self::Adopt,
            Action::Keep(_) => Self::Keep,
        }
    }
}

/// A field that changes.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ChangeDocument<'a> {
    /// The field.
    path: &'a str,
    /// What it is; null where it is added.
    before: Option<&'a Value>,
    /// What it becomes; null where it is removed.
    after: Option<&'a Value>,
}

impl<'a> From<&'a FieldChange> for ChangeDocument<'a> {
    fn from(change: &'a FieldChange) -> Self {
        Self {
            path: change.path.as_str(),
            before: change.before.as_ref(),
            after: change.after.as_ref(),
        }
    }
}

/// Why the server has not said what a step would come to.
#[derive(Serialize, JsonSchema)]
struct UnvalidatedDocument<'a> {
    /// The reason.
    why: UnvalidatedReason,
    /// The same in words.
    message: &'a str,
}

/// Why the server has not said what a step would come to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum UnvalidatedReason {
    /// Its namespace or its kind is made first, by the same plan.
    TooEarly,
    /// There is no right to ask, and with that none to write.
    NoRight,
    /// It gave no answer that holds.
    NoAnswer,
}

impl<'a> From<&'a Unvalidated> for UnvalidatedDocument<'a> {
    fn from(unvalidated: &'a Unvalidated) -> Self {
        Self {
            why: match unvalidated {
                Unvalidated::TooEarly(_) => UnvalidatedReason::TooEarly,
                Unvalidated::NoRight(_) => UnvalidatedReason::NoRight,
                Unvalidated::NoAnswer(_) => UnvalidatedReason::NoAnswer,
            },
            message: unvalidated.message(),
        }
    }
}
