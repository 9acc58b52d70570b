use schemars::JsonSchema;
use serde::Serialize;
use underpin_deploy::{History, RevisionComparison};
use underpin_model::{AcceptedFinding, HistoryRecord, RevisionContent};
use underpin_plan::Environment;

use super::{names, step::ChangeDocument};

/// What was done to an environment, newest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct HistoryDocument<'a> {
    /// The stack.
    stack: &'a str,
    /// The environment.
    environment: &'a str,
    /// The kubeconfig context.
    context: &'a str,
    /// How many revisions are recorded.
    total: usize,
    /// The revisions; with `--limit`, the newest so many.
    revisions: Vec<RevisionDocument<'a>>,
}

impl<'a> HistoryDocument<'a> {
    pub(crate) fn of(environment: &'a Environment, history: &'a History, limit: usize) -> Self {
        let records = history.claim.iter().flat_map(|claim| claim.history.iter());
        Self {
            stack: &environment.stack,
            environment: &environment.name,
            context: &history.cluster.context,
            total: records.clone().count(),
            revisions: records.rev().take(limit).map(Into::into).collect(),
        }
    }
}

/// One run on an environment.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RevisionDocument<'a> {
    /// Its number, from 1; null in records of versions that did not count.
    revision: Option<u64>,
    /// When, in RFC 3339.
    at: &'a str,
    /// Who, by their own account.
    who: &'a str,
    /// The command.
    command: &'a str,
    /// What came of it, in one line.
    outcome: &'a str,
    /// How many objects it changed or recorded; null in records of versions that did not count.
    changed: Option<usize>,
    /// Findings that were accepted.
    accepted: Vec<AcceptedDocument<'a>>,
    /// Whether what it applied is kept, so that `diff` can compare it.
    content_kept: bool,
    /// Why it is not kept, where there was something to keep.
    content_not_kept_because: Option<&'a str>,
}

impl<'a> From<&'a HistoryRecord> for RevisionDocument<'a> {
    fn from(record: &'a HistoryRecord) -> Self {
        let (content_kept, why) = match &record.content {
            Some(RevisionContent::Stored(_)) => (true, None),
            Some(RevisionContent::NotKept(why)) => (false, Some(why.as_str())),
            None => (false, None),
        };
        Self {
            revision: record.revision,
            at: &record.at,
            who: &record.who,
            command: &record.command,
            outcome: &record.outcome,
            changed: record.changed,
            accepted: record.accepted.iter().map(Into::into).collect(),
            content_kept,
            content_not_kept_because: why,
        }
    }
}

/// A finding that was accepted.
#[derive(Serialize, JsonSchema)]
pub(super) struct AcceptedDocument<'a> {
    /// The rule.
    code: String,
    /// What it was about.
    subject: &'a str,
    /// Why it was accepted.
    reason: &'a str,
}

impl<'a> From<&'a AcceptedFinding> for AcceptedDocument<'a> {
    fn from(accepted: &'a AcceptedFinding) -> Self {
        Self {
            code: accepted.code.to_string(),
            subject: &accepted.subject,
            reason: &accepted.reason,
        }
    }
}

/// What differs between what two revisions applied.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiffDocument<'a> {
    /// The stack.
    stack: &'a str,
    /// The environment.
    environment: &'a str,
    /// The older revision, or the one that was named first.
    from: RevisionDocument<'a>,
    /// The other.
    to: RevisionDocument<'a>,
    /// Objects that only the other applied.
    added: Vec<String>,
    /// Objects that only the first applied.
    removed: Vec<String>,
    /// Objects that both applied, differently.
    changed: Vec<ChangedDocument<'a>>,
    /// How many objects both applied alike.
    unchanged: usize,
    /// Whether the fingerprints of secrets are made with one key: else all differ.
    secrets_comparable: bool,
}

/// An object that two revisions applied differently.
#[derive(Serialize, JsonSchema)]
struct ChangedDocument<'a> {
    /// The object.
    object: String,
    /// The fields. Values of Secrets are fingerprints.
    changes: Vec<ChangeDocument<'a>>,
}

impl<'a> DiffDocument<'a> {
    pub(crate) fn of(environment: &'a Environment, compared: &'a RevisionComparison) -> Self {
        let changed = compared.diff.changed.iter();
        Self {
            stack: &environment.stack,
            environment: &environment.name,
            from: (&compared.from).into(),
            to: (&compared.to).into(),
            added: names(&compared.diff.added),
            removed: names(&compared.diff.removed),
            changed: changed
                .map(|(key, changes)| ChangedDocument {
                    object: key.to_string(),
                    changes: changes.iter().map(Into::into).collect(),
                })
                .collect(),
            unchanged: compared.diff.unchanged,
            secrets_comparable: compared.secrets_comparable,
        }
    }
}
