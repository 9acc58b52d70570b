//! A plan frozen into a document: what `reap` may delete, and nothing else.
//!
//! The document is sealed with the hash of its own content. Whoever carries it out plans anew and
//! compares: what has come to be needed since, or has another tag, is not deleted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use underpin_model::wording::count;

use crate::{
    digest::Digest,
    plan::{Plan, PlanInput, Reason},
    reference::{Host, RepositoryPath, Tag},
    registry::{Deletion, Reading, Registry},
};

/// A plan as it was agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FrozenPlan {
    /// [`FrozenPlan::SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub at: Timestamp,
    /// The registry that it is for.
    pub registry: Host,
    /// What deleting takes away there.
    pub deletion: FrozenDeletion,
    /// How many roots there were, for people.
    pub roots: usize,
    /// Where roots were read.
    pub sources: BTreeSet<String>,
    /// What goes, in its order.
    pub groups: Vec<FrozenGroup>,
    /// Hash of everything above; the whole document with this field empty.
    pub hash: String,
}

/// What deleting takes away, as [`Deletion`] has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names of `Deletion`")]
pub enum FrozenDeletion {
    TagsAlone,
    DigestsWithTags,
}

/// Manifests that go together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FrozenGroup {
    /// The repository.
    pub repository: RepositoryPath,
    /// Since when nothing has needed them, for people.
    pub candidate_since: Timestamp,
    /// The manifests, in the order in which they go.
    pub manifests: Vec<FrozenManifest>,
}

/// A manifest that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FrozenManifest {
    /// Its digest.
    pub digest: Digest,
    /// Every tag of it.
    pub tags: Vec<Tag>,
}

/// Why a document is no frozen plan.
#[derive(Debug, thiserror::Error)]
pub enum FrozenPlanError {
    /// It cannot be read at all.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// It is another kind of document, or of another version.
    #[error("the document is `{0}`, and a plan for images is `{known}`", known = FrozenPlan::SCHEMA)]
    Schema(String),
    /// Somebody has changed it.
    #[error("the document was changed after it was made: its content does not have its hash")]
    Changed,
}

/// What keeps a part of a frozen plan from being carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The repository.
    pub repository: RepositoryPath,
    /// The manifest, unless it is about the plan as a whole.
    pub digest: Option<Digest>,
    /// What moved, in one sentence without a full stop.
    pub message: String,
}

impl FrozenPlan {
    /// Version of the document.
    pub const SCHEMA: &'static str = "underpin.dev/images/plan/v1";

    /// Freezes and seals a plan.
    pub fn of(plan: &Plan, input: &PlanInput<'_>) -> Self {
        let groups = plan.deletions.iter().map(|group| FrozenGroup {
            repository: group.repository.clone(),
            candidate_since: group.candidate_since,
            manifests: group
                .manifests
                .iter()
                .map(|doomed| FrozenManifest {
                    digest: doomed.digest.clone(),
                    tags: doomed.tags.clone(),
                })
                .collect(),
        });
        let mut frozen = Self {
            schema: Self::SCHEMA.to_owned(),
            at: input.now,
            registry: input.registry.host.clone(),
            deletion: match input.registry.deletion {
                Deletion::TagsAlone => FrozenDeletion::TagsAlone,
                Deletion::DigestsWithTags => FrozenDeletion::DigestsWithTags,
            },
            roots: input.roots.len(),
            sources: input
                .sources
                .iter()
                .map(|one| one.name.to_string())
                .collect(),
            groups: groups.collect(),
            hash: String::new(),
        };
        frozen.hash = frozen.content_hash();
        frozen
    }

    /// The document.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a document, if nobody has changed it.
    pub fn read(text: &str) -> Result<Self, FrozenPlanError> {
        // What it claims to be is looked at first: of another document, it is the better message.
        let named = serde_json::from_str::<Schema>(text).map_err(|error| syntax(&error))?;
        if named.schema != Self::SCHEMA {
            return Err(FrozenPlanError::Schema(crate::excerpt(&named.schema)));
        }
        let plan: Self = serde_json::from_str(text).map_err(|error| syntax(&error))?;
        if plan.content_hash() != plan.hash {
            return Err(FrozenPlanError::Changed);
        }
        Ok(plan)
    }

    fn content_hash(&self) -> String {
        let unsealed = Self {
            hash: String::new(),
            ..self.clone()
        };
        let text = serde_json::to_string(&unsealed).unwrap_or_default();
        Digest::of(text.as_bytes()).to_string()
    }

    /// What moved since, as far as it matters, when `fresh` is the plan of now, of the registry as it is
    /// now. What is known to be gone does not matter: a run that was cut is run again. What could
    /// not be read, or was not asked for, may have come to be needed.
    pub fn moved(&self, fresh: &Plan, registry: &Registry) -> Vec<Movement> {
        let mut movements = Vec::new();
        for group in &self.groups {
            let now = fresh.repositories.get(&group.repository);
            for frozen in &group.manifests {
                let Some(manifest) = now.and_then(|now| now.manifests.get(&frozen.digest)) else {
                    if let Some(message) = registry.unseen(&group.repository, &frozen.digest) {
                        movements.push(Movement {
                            repository: group.repository.clone(),
                            digest: Some(frozen.digest.clone()),
                            message,
                        });
                    }
                    continue;
                };
                let mut note = |message: String| {
                    movements.push(Movement {
                        repository: group.repository.clone(),
                        digest: Some(frozen.digest.clone()),
                        message,
                    });
                };
                let new: Vec<String> = manifest
                    .tags
                    .iter()
                    .filter(|tag| !frozen.tags.contains(tag))
                    .map(ToString::to_string)
                    .collect();
                if !new.is_empty() {
                    let (tags, been) = (
                        count(new.len(), "tag"),
                        if new.len() == 1 { "has" } else { "have" },
                    );
                    note(format!(
                        "{tags} {been} come to point to it: {}",
                        new.join(", ")
                    ));
                }
                // How much one run may take was decided when the plan was frozen.
                let limits = |reason: &&Reason| {
                    matches!(reason, Reason::OverShare { .. } | Reason::OverNumber { .. })
                };
                if let Some(reason) = manifest.reasons.iter().find(|reason| !limits(reason)) {
                    note(format!("it stays now: {reason}"));
                }
            }
        }
        movements
    }

    /// How many manifests it deletes.
    pub fn number(&self) -> usize {
        self.groups.iter().map(|group| group.manifests.len()).sum()
    }
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

fn syntax(error: &serde_json::Error) -> FrozenPlanError {
    let text = error.to_string();
    // The place is told apart from the message.
    let message = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(message, _)| message);
    FrozenPlanError::Syntax {
        line: error.line(),
        column: error.column(),
        message: message.to_owned(),
    }
}

impl FrozenManifest {
    /// Whether it may still be deleted, once its repository's tags have been read again right
    /// before: no tag has come to point to it, and of none it is unknown where it points.
    pub fn may_go(&self, tags: &BTreeMap<Tag, Reading<Digest>>) -> Result<(), String> {
        for (tag, reading) in tags {
            match reading {
                Reading::Unread(reason) => {
                    return Err(format!("what tag {tag} points to is not known: {reason}"));
                }
                Reading::Present(digest) if *digest == self.digest && !self.tags.contains(tag) => {
                    return Err(format!("tag {tag} has come to point to it"));
                }
                Reading::Present(_) | Reading::Absent => {}
            }
        }
        Ok(())
    }
}

/// Tags that were to stay and are gone, or whose manifest is, after some manifests were deleted:
/// deletions and pushes at the same time can take more than was asked for. They are to be put back
/// at once.
pub fn lost(
    before: &BTreeMap<Tag, Digest>,
    deleted: &BTreeSet<&Digest>,
    after: &BTreeMap<Tag, Reading<Digest>>,
) -> BTreeMap<Tag, Digest> {
    let stayed = before
        .iter()
        .filter(|(_, digest)| !deleted.contains(digest));
    let gone = stayed.filter(|(tag, _)| matches!(after.get(*tag), None | Some(Reading::Absent)));
    gone.map(|(tag, digest)| (tag.clone(), digest.clone()))
        .collect()
}
