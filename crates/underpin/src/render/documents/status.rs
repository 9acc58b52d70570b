use schemars::JsonSchema;
use serde::Serialize;
use underpin_deploy::{ClaimStatus, KeptNamespace, NotReadyNow, Status};
use underpin_model::{HistoryRecord, Lock, RevisionContent};
use underpin_plan::Occupant;

use super::{history::AcceptedDocument, names};

/// What is recorded of a stack, and what of it is there.
#[derive(Serialize, JsonSchema)]
pub(crate) struct StatusDocument<'a> {
    /// The kubeconfig context.
    context: &'a str,
    /// Recorded environments.
    environments: Vec<EnvironmentDocument<'a>>,
    /// Environments that are declared and of which nothing is recorded.
    absent: &'a [String],
    /// Namespaces that a former `down` kept.
    kept: Vec<KeptDocument<'a>>,
}

impl<'a> From<&'a Status> for StatusDocument<'a> {
    fn from(status: &'a Status) -> Self {
        Self {
            context: &status.context,
            environments: status.claims.iter().map(Into::into).collect(),
            absent: &status.absent,
            kept: status.kept.iter().map(Into::into).collect(),
        }
    }
}

/// A recorded environment.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EnvironmentDocument<'a> {
    /// The stack.
    stack: &'a str,
    /// The environment.
    environment: &'a str,
    /// The namespace that it lives in; null before the first run has decided.
    namespace: Option<&'a str>,
    /// How many objects are recorded.
    objects: usize,
    /// Whether it was torn down, and something of it kept.
    retired: bool,
    /// Who holds its lock.
    lock: Option<LockDocument<'a>>,
    /// What was done to it, newest last.
    history: Vec<RecordDocument<'a>>,
    /// How many recorded objects are there and ready.
    ready: usize,
    /// Recorded objects that are there and not ready.
    not_ready: Vec<NotReadyNowDocument<'a>>,
    /// Objects that a run meant to make and did not record as made.
    intended: Vec<String>,
    /// Recorded objects that are not there.
    missing: Vec<String>,
    /// Recorded objects under whose name somebody else's object is.
    replaced: Vec<String>,
    /// Recorded objects that could not be read.
    unread: Vec<String>,
}

impl<'a> From<&'a ClaimStatus> for EnvironmentDocument<'a> {
    fn from(one: &'a ClaimStatus) -> Self {
        let claim = &one.claim;
        let placement = claim.placement.as_ref();
        Self {
            stack: &claim.stack,
            environment: &claim.environment,
            namespace: placement.map(|placement| placement.namespace.as_str()),
            objects: claim.entries.len(),
            retired: claim.retired.is_some(),
            lock: claim.lock.as_ref().map(Into::into),
            history: claim.history.iter().map(Into::into).collect(),
            ready: one.ready(),
            not_ready: one.not_ready.iter().map(Into::into).collect(),
            intended: names(&one.intended),
            missing: names(&one.missing),
            replaced: names(&one.replaced),
            unread: names(&one.unread),
        }
    }
}

/// Who holds a lock.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LockDocument<'a> {
    /// Who: user, host, process and command.
    who: &'a str,
    /// Since when, in RFC 3339, by their clock.
    acquired: &'a str,
    /// How long it must stay unchanged before others take it over.
    lease_seconds: u32,
}

impl<'a> From<&'a Lock> for LockDocument<'a> {
    fn from(lock: &'a Lock) -> Self {
        Self {
            who: &lock.who,
            acquired: &lock.acquired,
            lease_seconds: lock.lease_seconds,
        }
    }
}

/// One run, as it is recorded; `history` tells more of it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RecordDocument<'a> {
    /// Its number, from 1; absent in records of versions that did not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    /// When, in RFC 3339.
    at: &'a str,
    /// Who, by their own account.
    who: &'a str,
    /// The command.
    command: &'a str,
    /// What came of it, in one line.
    outcome: &'a str,
    /// How many objects it changed or recorded; absent in records of versions that did not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<usize>,
    /// What became of a copy of what it applied; absent where there was nothing to copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ContentDocument<'a>>,
    /// Findings that were accepted; absent where there were none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accepted: Vec<AcceptedDocument<'a>>,
}

impl<'a> From<&'a HistoryRecord> for RecordDocument<'a> {
    fn from(record: &'a HistoryRecord) -> Self {
        Self {
            revision: record.revision,
            at: &record.at,
            who: &record.who,
            command: &record.command,
            outcome: &record.outcome,
            changed: record.changed,
            content: record.content.as_ref().map(Into::into),
            accepted: record.accepted.iter().map(Into::into).collect(),
        }
    }
}

/// What became of a copy of what a run applied.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum ContentDocument<'a> {
    /// It is in the ConfigMap of this name.
    Stored(&'a str),
    /// There is none, and why.
    NotKept(&'a str),
}

impl<'a> From<&'a RevisionContent> for ContentDocument<'a> {
    fn from(content: &'a RevisionContent) -> Self {
        match content {
            RevisionContent::Stored(name) => Self::Stored(name),
            RevisionContent::NotKept(why) => Self::NotKept(why),
        }
    }
}

/// A recorded object that is there and not ready.
#[derive(Serialize, JsonSchema)]
struct NotReadyNowDocument<'a> {
    /// The object.
    object: String,
    /// `in-progress`, `failed` or `terminating`.
    state: &'a str,
    /// Why, by its own account.
    why: &'a str,
    /// What keeps its pods from being ready, if that is known.
    cause: Option<&'a str>,
}

impl<'a> From<&'a NotReadyNow> for NotReadyNowDocument<'a> {
    fn from(one: &'a NotReadyNow) -> Self {
        Self {
            object: one.key.to_string(),
            state: one.state,
            why: &one.why,
            cause: one.cause.as_deref(),
        }
    }
}

/// A namespace that a former `down` kept.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct KeptDocument<'a> {
    /// Its name.
    namespace: &'a str,
    /// The environment whose home it was.
    environment: &'a str,
    /// Since when it is kept, in RFC 3339.
    since: &'a str,
    /// Whether nothing is left in it, and everything could be counted.
    empty: bool,
    /// What is in it.
    occupants: Vec<OccupantDocument<'a>>,
    /// Environments that live in it.
    home_of: &'a [String],
    /// Environments that live elsewhere and may be about to make an object in it.
    expected_by: &'a [String],
    /// Lists that could not be read.
    unread: Vec<String>,
}

impl<'a> From<&'a KeptNamespace> for KeptDocument<'a> {
    fn from(kept: &'a KeptNamespace) -> Self {
        let occupancy = &kept.occupancy;
        Self {
            namespace: &kept.namespace,
            environment: &kept.environment,
            since: &kept.since,
            empty: occupancy.is_proven_empty(),
            occupants: occupancy.occupants.iter().map(Into::into).collect(),
            home_of: &occupancy.placed,
            expected_by: &occupancy.expecting,
            unread: names(&occupancy.unread),
        }
    }
}

/// An object in a namespace that was kept.
#[derive(Serialize, JsonSchema)]
struct OccupantDocument<'a> {
    /// The object.
    object: String,
    /// Whose it is.
    owner: String,
    /// When it was created, in RFC 3339, if that is known.
    created: Option<&'a str>,
}

impl<'a> From<&'a Occupant> for OccupantDocument<'a> {
    fn from(occupant: &'a Occupant) -> Self {
        Self {
            object: occupant.key.to_string(),
            owner: occupant.owner.to_string(),
            created: occupant.created.as_deref(),
        }
    }
}
