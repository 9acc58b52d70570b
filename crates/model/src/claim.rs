//! The claim: what one stack's environment owns, and where it lives.
//!
//! These are the stored types too; the stored form carries its version in
//! [`Claim::FORMAT`] and fields are only ever added with a default.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Code, LogicalKey, Object, ObjectKey};

/// A claim's own identity: 32 hexadecimal digits, drawn at random when the claim is first
/// written. Unlike the uid of the object that stores it, it survives a restore from a backup.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimId(pub String);

impl fmt::Display for ClaimId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an environment owns and where it lives: one per stack and environment in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Identity of the claim.
    pub id: ClaimId,
    /// Stack, as written.
    pub stack: String,
    /// Environment, as written.
    pub environment: String,
    /// Parent environment, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The cluster it belongs to; a run against another one is refused.
    pub cluster_uid: String,
    /// Where the environment lives; absent until the first `up` or `import` has decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// What it owns, by declared identity.
    #[serde(default, with = "entries")]
    pub entries: BTreeMap<LogicalKey, Entry>,
    /// Set when `down` has retired the environment; what is still recorded then was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Retirement>,
    /// Who holds the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
    /// What was done, newest last, at most [`Claim::HISTORY_LIMIT`] records.
    #[serde(default)]
    pub history: Vec<HistoryRecord>,
    /// The `resourceVersion` under which the claim was read: every write compares and swaps on
    /// it. Never stored.
    #[serde(skip)]
    pub resource_version: String,
}

/// The namespace an environment lives in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Its name.
    pub namespace: String,
    /// Its uid, once it is known to exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// How the environment came by it.
    pub provenance: NamespaceProvenance,
    /// Whether sharing it with others was asked for.
    #[serde(default)]
    pub shared: bool,
}

/// How an environment came by its namespace. Only one that it created is deleted by `down`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamespaceProvenance {
    /// This environment created it.
    Created,
    /// It was there when the environment was imported.
    Imported,
    /// It was there when the environment was first deployed.
    Existing,
}

/// One object that the claim owns, or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Where it lives.
    pub key: ObjectKey,
    /// `apiVersion` in which it was last applied.
    pub api_version: String,
    /// Its uid, once recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// How far the record has come.
    pub state: EntryState,
    /// Second half of the object's stamp, drawn when the entry was first intended.
    pub nonce: String,
    /// Whether this environment created the object, rather than adopting or importing it.
    #[serde(default)]
    pub created: bool,
    /// Whether no manifest declares it: a Namespace that is there because the placement needs it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub implicit: bool,
    /// Protection keys seen on the object, declared or live. Removing one from the manifest alone
    /// keeps the protection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protection: Vec<String>,
    /// Keyed digest of what was last applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl Entry {
    /// Whether it records this very uid.
    fn is_of(&self, uid: Option<&str>) -> bool {
        self.uid.is_some() && self.uid.as_deref() == uid
    }
}

/// How far the record of an object has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryState {
    /// Written before the create call: the object may or may not exist.
    Intended,
    /// Written after: the object existed with the recorded uid.
    Applied,
}

/// When and why an environment was torn down, with a namespace kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retirement {
    /// RFC 3339 time.
    pub at: String,
    /// Why the namespace was kept.
    pub kept_because: String,
}

/// The lock on a claim: a lease that its holder renews.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lock {
    /// Unique per run.
    pub holder: String,
    /// Who that is, for people: user, host, process and command.
    pub who: String,
    /// RFC 3339 time, as the holder's clock told it.
    pub acquired: String,
    /// Changes with each renewal; only its change counts, never its value.
    pub renewed: String,
    /// How long others must watch it stay unchanged before they take over.
    pub lease_seconds: u32,
}

/// One run on the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRecord {
    /// Number of the run, from 1, given by [`Claim::record`]; `None` in records of versions that
    /// did not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// RFC 3339 time.
    pub at: String,
    /// Who, as the kubeconfig names them; self-asserted.
    pub who: String,
    /// `up`, `down`, `import`.
    pub command: String,
    /// What came of it, in one line.
    pub outcome: String,
    /// How many objects it changed or recorded; `None` in records of versions that did not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<usize>,
    /// What became of a copy of what an `up` applied; `None` where there is nothing to copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<RevisionContent>,
    /// Findings that were accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedFinding>,
}

/// What became of the copy of what an `up` applied, redacted, for comparing revisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RevisionContent {
    /// It is in the ConfigMap of this name, beside the claim. Revisions that applied the same share
    /// one.
    Stored(String),
    /// There is none, and why.
    NotKept(String),
}

/// A blocking finding that somebody accepted by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedFinding {
    /// The rule.
    pub code: Code,
    /// What it was about.
    pub subject: String,
    /// Why it was accepted.
    pub reason: String,
}

/// The stamp on a member: whose it is, and which intent created it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The claim.
    pub claim: ClaimId,
    /// The entry's nonce.
    pub nonce: String,
}

/// A text that is not `<claim id>/<nonce>`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a stamp of the form CLAIM/NONCE")]
pub struct StampError(String);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.claim, self.nonce)
    }
}

impl FromStr for Stamp {
    type Err = StampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((claim, nonce))
                if !claim.is_empty() && !nonce.is_empty() && !nonce.contains('/') =>
            {
                Ok(Self {
                    claim: ClaimId(claim.to_owned()),
                    nonce: nonce.to_owned(),
                })
            }
            _ => Err(StampError(text.to_owned())),
        }
    }
}

impl Claim {
    /// Version of the stored form.
    pub const FORMAT: &'static str = "underpin.dev/claim/v1";
    /// History records kept.
    pub const HISTORY_LIMIT: usize = 50;
    /// Revisions whose content is kept.
    pub const CONTENT_LIMIT: usize = 5;

    /// An empty claim.
    pub fn new(id: ClaimId, stack: &str, environment: &str, cluster_uid: &str) -> Self {
        Self {
            id,
            stack: stack.to_owned(),
            environment: environment.to_owned(),
            parent: None,
            cluster_uid: cluster_uid.to_owned(),
            placement: None,
            entries: BTreeMap::new(),
            retired: None,
            lock: None,
            history: Vec::new(),
            resource_version: String::new(),
        }
    }

    /// Whether it records nothing yet: only a lock was taken, or nothing survived.
    pub fn is_blank(&self) -> bool {
        self.placement.is_none() && self.entries.is_empty()
    }

    /// `stack/environment`.
    pub fn display_name(&self) -> String {
        format!("{}/{}", self.stack, self.environment)
    }

    /// Whether the live `object` is the very one that `entry`, one of this claim's, is about:
    /// recorded with this uid, or recorded and stamped. A record whose uid differs and whose stamp
    /// is missing is somebody else's object under a name that was once ours.
    pub fn owns_as(&self, entry: &Entry, object: &Object) -> bool {
        entry.is_of(object.uid()) || self.stamped(object, entry)
    }

    /// The same of a live object with this uid and this stamp.
    pub fn owns_identity(&self, entry: &Entry, uid: Option<&str>, stamp: Option<&Stamp>) -> bool {
        entry.is_of(uid) || stamp.is_some_and(|stamp| self.is_stamp_of(entry, stamp))
    }

    fn is_stamp_of(&self, entry: &Entry, stamp: &Stamp) -> bool {
        stamp.claim == self.id && stamp.nonce == entry.nonce
    }

    /// Whether the object carries the stamp of this very entry.
    pub fn stamped(&self, object: &Object, entry: &Entry) -> bool {
        let stamp = object.stamp();
        stamp.is_some_and(|stamp| self.is_stamp_of(entry, &stamp))
    }

    /// The stamp that the entry's object carries.
    pub fn stamp_of(&self, entry: &Entry) -> Stamp {
        Stamp {
            claim: self.id.clone(),
            nonce: entry.nonce.clone(),
        }
    }

    /// Appends a history record, with the next number, and drops the oldest beyond the limit, and
    /// the oldest contents beyond theirs.
    pub fn record(&mut self, mut record: HistoryRecord) {
        record.revision = Some(self.newest_revision().unwrap_or(0).saturating_add(1));
        self.history.push(record);
        let surplus = self.history.len().saturating_sub(Self::HISTORY_LIMIT);
        self.history.drain(..surplus);
        let stored = self
            .history
            .iter_mut()
            .rev()
            .filter_map(|record| record.content.as_mut())
            .filter(|content| matches!(content, RevisionContent::Stored(_)));
        for content in stored.skip(Self::CONTENT_LIMIT) {
            *content = RevisionContent::NotKept(format!(
                "what was applied is kept for the newest {} revisions",
                Self::CONTENT_LIMIT
            ));
        }
    }

    /// The number of the newest run that has one.
    pub fn newest_revision(&self) -> Option<u64> {
        self.history.iter().filter_map(|one| one.revision).max()
    }

    /// The names of the ConfigMaps that hold what revisions applied.
    pub fn contents(&self) -> impl Iterator<Item = &str> {
        self.history
            .iter()
            .filter_map(|record| match &record.content {
                Some(RevisionContent::Stored(name)) => Some(name.as_str()),
                _ => None,
            })
    }
}

/// For leaving a flag out of the stored form; serde wants a reference.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Entries are stored as a map whose keys are the logical keys' text.
mod entries {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::{Entry, LogicalKey};

    pub(super) fn serialize<S: Serializer>(
        entries: &BTreeMap<LogicalKey, Entry>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let texts: BTreeMap<String, &Entry> = entries
            .iter()
            .map(|(key, entry)| (key.to_string(), entry))
            .collect();
        texts.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<LogicalKey, Entry>, D::Error> {
        let texts = BTreeMap::<String, Entry>::deserialize(deserializer)?;
        texts
            .into_iter()
            .map(|(text, entry)| Ok((text.parse().map_err(D::Error::custom)?, entry)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ClaimIndex, Depth, GroupKind, Origin, names};

    fn claim_with_entry(uid: Option<&str>) -> Claim {
        let mut claim = Claim::new(ClaimId("c1".into()), "wallet", "production", "cluster");
        let key = ObjectKey::namespaced(GroupKind::core("ConfigMap"), "wallet", "app");
        claim.entries.insert(
            LogicalKey::of(&key, "wallet"),
            Entry {
                key,
                api_version: "v1".into(),
                uid: uid.map(str::to_owned),
                state: EntryState::Intended,
                nonce: "n1".into(),
                created: true,
                implicit: false,
                protection: vec![],
                digest: None,
            },
        );
        claim
    }

    fn live(uid: &str, stamp: Option<&str>) -> Object {
        let mut value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "app", "namespace": "wallet", "uid": uid, "annotations": {}},
        });
        if let Some(stamp) = stamp {
            value["metadata"]["annotations"][names::STAMP_ANNOTATION] = json!(stamp);
        }
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    #[track_caller]
    fn check(recorded: Option<&str>, object: &Object, expect: bool) {
        let claims = [claim_with_entry(recorded)];
        let index = ClaimIndex::of(&claims);
        assert_eq!(index.owners(&claims, object).count(), usize::from(expect));
    }

    #[test]
    fn ownership_needs_the_recorded_uid_or_intent_and_stamp() {
        check(Some("u1"), &live("u1", None), true);
        check(Some("u1"), &live("u2", None), false);
        check(Some("u1"), &live("u2", Some("c1/n1")), true); // restored from a backup
        check(None, &live("u1", None), false); // intended, made by somebody else meanwhile
        check(None, &live("u1", Some("c1/n1")), true); // killed between create and record
        check(None, &live("u1", Some("c1/old")), false); // a former incarnation
        check(None, &live("u1", Some("c2/n1")), false); // another claim
    }

    fn stored(number: u64) -> HistoryRecord {
        HistoryRecord {
            content: Some(RevisionContent::Stored(format!("content {number}"))),
            ..HistoryRecord::default()
        }
    }

    /// Numbers go on when the history is capped, and so does the cap on contents.
    #[test]
    fn revisions_are_numbered_and_capped() {
        let mut claim = claim_with_entry(None);
        let runs = Claim::HISTORY_LIMIT as u64 + 7;
        for number in 1..=runs {
            claim.record(stored(number));
        }
        let numbers: Vec<u64> = claim.history.iter().filter_map(|r| r.revision).collect();
        assert_eq!(numbers, (8..=runs).collect::<Vec<_>>());
        let kept: Vec<&str> = claim.contents().collect();
        let expect: Vec<String> = (runs + 1 - Claim::CONTENT_LIMIT as u64..=runs)
            .map(|number| format!("content {number}"))
            .collect();
        assert_eq!(kept, expect);
        // What has no content takes no place.
        claim.record(HistoryRecord::default());
        assert_eq!(claim.contents().count(), Claim::CONTENT_LIMIT);
    }

    /// Records of versions that did not count are read, and numbers begin after them.
    #[test]
    fn records_without_a_number_are_read() {
        let old = r#"{"at": "t", "who": "ann", "command": "up", "outcome": "3 done"}"#;
        let record: HistoryRecord = serde_json::from_str(old).unwrap();
        assert_eq!((record.revision, record.changed), (None, None));
        assert_eq!(
            serde_json::to_value(&record).unwrap(),
            serde_json::from_str::<serde_json::Value>(old).unwrap()
        );
        let mut claim = claim_with_entry(None);
        claim.history.push(record);
        claim.record(HistoryRecord::default());
        assert_eq!(claim.history[1].revision, Some(1));
    }

    #[test]
    fn claims_survive_storage() {
        let mut claim = claim_with_entry(Some("u1"));
        claim.resource_version = "17".into();
        let text = serde_json::to_string(&claim).unwrap();
        let mut back: Claim = serde_json::from_str(&text).unwrap();
        assert_eq!(back.resource_version, "");
        back.resource_version = "17".into();
        assert_eq!(back, claim);
    }
}
