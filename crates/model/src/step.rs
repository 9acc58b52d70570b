//! Steps of a plan.

use std::{fmt, sync::Arc};

use serde_json::Value;

use crate::{FieldExpression, FieldPath, LogicalKey, Mask, Object, ObjectKey, Owner};

/// What a step does to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The object is not there; apply creates it.
    Create,
    /// The object is ours; apply changes it.
    Update,
    /// An immutable field changes: delete, then create.
    Replace,
    /// The object is ours and no longer declared, or the environment is torn down.
    Delete,
    /// The object exists without a recorded owner; apply makes it ours.
    Adopt,
    /// Nothing is done to the object.
    Keep(KeepReason),
}

/// Why an object is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepReason {
    /// Live and declared agree.
    Unchanged,
    /// No longer declared, but protected by this key.
    Protected(String),
    /// Somebody else's object; the claim does not own it.
    Foreign(Owner),
    /// A namespace that is still in use, or not ours to delete.
    InUse(String),
    /// It is already gone.
    Gone,
}

impl Action {
    /// The name of the action in output and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
            Self::Keep(_) => "keep",
        }
    }

    /// Whether the live object dies in this step.
    pub fn is_destructive(&self) -> bool {
        matches!(self, Self::Replace | Self::Delete)
    }

    /// Whether the declared object is sent to the server.
    pub fn applies(&self) -> bool {
        matches!(
            self,
            Self::Create | Self::Update | Self::Replace | Self::Adopt
        )
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("unchanged"),
            Self::Protected(key) => write!(f, "no longer declared, protected by {key}"),
            Self::Foreign(owner) => write!(f, "belongs to {owner}"),
            Self::InUse(why) => f.write_str(why),
            Self::Gone => f.write_str("already gone"),
        }
    }
}

/// One changed field. Values of Secrets are already keyed fingerprints here.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// The field.
    pub path: FieldPath,
    /// Live value; `None` when the field is added.
    pub before: Option<Value>,
    /// Value after the step; `None` when the field is removed.
    pub after: Option<Value>,
}

/// Why the server has not said what a step would come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unvalidated {
    /// Its namespace or its kind is made first, by the same plan.
    TooEarly(String),
    /// There is no right to ask, and with that none to write: Kubernetes authorises a dry run as the
    /// write itself. What is missing.
    NoRight(String),
    /// It gave no answer that holds, and what it said.
    NoAnswer(String),
}

impl Unvalidated {
    /// The reason, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TooEarly(_) => "too-early",
            Self::NoRight(_) => "no-right",
            Self::NoAnswer(_) => "no-answer",
        }
    }

    /// The reason, for people.
    pub fn message(&self) -> &str {
        match self {
            Self::TooEarly(why) | Self::NoRight(why) | Self::NoAnswer(why) => why,
        }
    }

    /// The same without values that the mask knows: servers quote what they do not take.
    #[must_use]
    pub fn masked(self, mask: &Mask) -> Self {
        match self {
            Self::TooEarly(why) => Self::TooEarly(mask.apply(&why)),
            Self::NoRight(why) => Self::NoRight(mask.apply(&why)),
            Self::NoAnswer(why) => Self::NoAnswer(mask.apply(&why)),
        }
    }
}

/// One step of a plan: one object, one action, and why.
#[derive(Clone, Debug)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// The live identity it is done to.
    pub key: ObjectKey,
    /// The declared identity.
    pub logical: LogicalKey,
    /// Why, in one sentence without a full stop.
    pub reason: String,
    /// The live object before the step, as it was read.
    pub before: Option<Object>,
    /// The object as it is sent, with namespace, stamp and left-alone fields settled; absent for
    /// `Delete`, and for `Keep` of what is no longer declared.
    pub desired: Option<Object>,
    /// Fields of `desired` that are applied at creation and then left as they are live; of a list the
    /// last first, so that the removal of one moves no other.
    pub left_alone: Vec<FieldExpression>,
    /// The object as it will be after the step, if known: the server's dry run, or `desired`.
    pub after: Option<Object>,
    /// What changes between `before` and `after`.
    pub changes: Vec<FieldChange>,
    /// Whether the server has validated this step by dry run.
    pub validated: bool,
    /// Why it has not, where it was to be asked.
    pub unvalidated: Option<Unvalidated>,
    /// Why it is not known whether the object is there: then `before` is absent, and the object is
    /// not.
    pub unseen: Option<String>,
    /// Whether conflicts with other field managers were accepted for this object.
    pub force: bool,
    /// Wave in which the step runs, from 0. Steps of one wave run in parallel.
    pub wave: usize,
    /// Objects whose steps in earlier waves must have succeeded; others may fail without harm.
    pub requires: Vec<ObjectKey>,
}

impl Step {
    /// A step with nothing known yet but what it does, to which object, as which declared one.
    pub fn new(action: Action, key: ObjectKey, logical: LogicalKey) -> Self {
        Self {
            action,
            key,
            logical,
            reason: String::new(),
            before: None,
            desired: None,
            left_alone: Vec::new(),
            after: None,
            changes: Vec::new(),
            validated: false,
            unvalidated: None,
            unseen: None,
            force: false,
            wave: 0,
            requires: Vec::new(),
        }
    }

    /// What the stack says of the object for good: `desired` without the fields that are left to
    /// others, so that it is the same whatever became of these.
    pub fn declared(&self) -> Option<Object> {
        let mut declared = self.desired.clone()?;
        if !self.left_alone.is_empty() {
            let value = Arc::make_mut(&mut declared.value);
            for field in &self.left_alone {
                field.remove(value);
            }
        }
        Some(declared)
    }

    /// Turns the step into one that leaves the object alone.
    pub fn keep(&mut self, why: KeepReason) {
        self.reason = why.to_string();
        self.action = Action::Keep(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server says may quote what it was sent.
    #[test]
    fn why_the_server_has_not_said_holds_no_secret() {
        let mask = Mask::new(["not-to-be-seen".to_owned()]);
        let said = || "webhook refused not-to-be-seen".to_owned();
        for why in [
            Unvalidated::TooEarly(said()),
            Unvalidated::NoRight(said()),
            Unvalidated::NoAnswer(said()),
        ] {
            let masked = why.clone().masked(&mask);
            assert_eq!(masked.name(), why.name());
            assert_eq!(masked.message(), "webhook refused •••");
        }
    }
}
