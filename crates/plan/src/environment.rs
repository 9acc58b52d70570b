//! What is asked for: one environment of a stack, as declared.

use std::collections::BTreeSet;

use underpin_model::{ClaimId, GroupKind, ObjectKey, Place};

use crate::naming::Derivation;

/// One environment of a stack, as its stack file declares it.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Stack, as written.
    pub stack: String,
    /// Environment, as written.
    pub name: String,
    /// Parent environment, if any.
    pub parent: Option<String>,
    /// Explicit base namespace, if any.
    pub namespace: Option<String>,
    /// Whether sharing the namespace was asked for.
    pub shared: bool,
    /// Fields that are applied at creation and then left as they are live.
    pub ignored: Vec<IgnoredFields>,
    /// Largest share of what the environment owns that one `up` may remove, in percent.
    pub removal_percent: u8,
    /// Every environment of the same stack file, this one included, for collisions.
    pub declared: Vec<DeclaredEnvironment>,
    /// Objects whose conflicting fields may be taken over, as `--adopt` names them.
    pub adopt: BTreeSet<String>,
}

impl Environment {
    /// What the placement is derived from.
    pub fn derivation(&self) -> Derivation<'_> {
        Derivation {
            stack: &self.stack,
            environment: &self.name,
            parent: self.parent.as_deref(),
            namespace: self.namespace.as_deref(),
            shared: self.shared,
        }
    }

    /// `stack/environment`.
    pub fn display_name(&self) -> String {
        format!("{}/{}", self.stack, self.name)
    }
}

/// Fields left alone on the objects of one kind.
#[derive(Clone, Debug)]
pub struct IgnoredFields {
    /// Kind, as written.
    pub kind: String,
    /// Group, if the kind was written with one.
    pub group: Option<String>,
    /// Name, or all objects of the kind.
    pub name: Option<String>,
    /// Field paths.
    pub paths: Vec<String>,
}

impl IgnoredFields {
    /// Whether the rule is about this object.
    pub fn covers(&self, kind: &GroupKind, name: &str) -> bool {
        self.kind == kind.kind
            && self.group.as_ref().is_none_or(|group| *group == kind.group)
            && self.name.as_deref().is_none_or(|own| own == name)
    }
}

/// An environment as declared somewhere, for telling whether two derive one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredEnvironment {
    /// Stack, as written.
    pub stack: String,
    /// Environment, as written.
    pub name: String,
    /// Parent environment, if any.
    pub parent: Option<String>,
    /// Explicit base namespace, if any.
    pub namespace: Option<String>,
    /// Whether sharing the namespace was asked for.
    pub shared: bool,
    /// Context that it is pinned to; none means whichever is current.
    pub context: Option<String>,
    /// Where it is declared.
    pub place: Place,
}

/// Randomness and identity that the caller drew, so that planning itself stays pure.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The claim's id: as recorded, or fresh for a first run.
    pub claim: ClaimId,
    /// Seed of the nonces of new entries.
    pub seed: [u8; 16],
}

/// Something that makes the plan impossible: a manifest the server refuses, a value that cannot
/// be computed. Not a rule's verdict, and not to be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object concerned.
    pub key: ObjectKey,
    /// Where it is declared.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: Option<String>,
}
