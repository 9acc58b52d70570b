//! What two environments lay claim to at the same time.
//!
//! Something that nobody records is there for the taking, and two runs may each have read that
//! nobody does. So each first writes down what it takes and then reads what the others have
//! written: of two, at least one sees the other, and leaves it alone. (What is created needs no
//! such care: of two creations the server refuses one.)

use std::{collections::BTreeMap, time::Duration};

use underpin_model::{Claim, ClaimId, ObjectKey};

use crate::{DeployError, Deployment, session::check_claims_read};

/// Which of the objects, by key with their uid, other claims record or intend, and whose they are.
/// Asked after the own claim has been written; each request may take `time`.
pub(crate) async fn contested(
    deployment: &Deployment,
    time: Duration,
    own: &ClaimId,
    taken: &BTreeMap<&ObjectKey, Option<&str>>,
) -> Result<BTreeMap<ObjectKey, String>, DeployError> {
    if taken.is_empty() {
        return Ok(BTreeMap::new());
    }
    let store = deployment.store.with_timeout(time);
    let (claims, unread) = store.load_all().await?;
    check_claims_read(&deployment.claims_namespace, &unread)?;
    Ok(others(&claims, own, taken))
}

fn others(
    claims: &[Claim],
    own: &ClaimId,
    taken: &BTreeMap<&ObjectKey, Option<&str>>,
) -> BTreeMap<ObjectKey, String> {
    let mut contested = BTreeMap::new();
    for claim in claims.iter().filter(|claim| claim.id != *own) {
        for entry in claim.entries.values() {
            let same = taken.get(&entry.key).is_some_and(|uid| match &entry.uid {
                // An intention, of a run that is at work or was killed: it may still be carried out.
                None => claim.lock.is_some(),
                // One with another uid is about something that is no more.
                recorded => recorded.as_deref() == *uid,
            });
            if same {
                contested.insert(entry.key.clone(), claim.display_name());
            }
        }
    }
    contested
}

#[cfg(test)]
mod tests {
    use underpin_model::{Entry, EntryState, GroupKind, Lock, LogicalKey};

    use super::*;

    #[track_caller]
    fn check(id: &str, uid: Option<&str>, locked: bool, expect: bool) {
        let key = ObjectKey::namespaced(GroupKind::core("Secret"), "a", "s");
        let mut claim = Claim::new(ClaimId(id.to_owned()), "shop", "production", "cluster");
        claim.lock = locked.then(lock);
        claim.entries.insert(
            LogicalKey::of(&key, "a"),
            Entry {
                key: key.clone(),
                api_version: "v1".to_owned(),
                uid: uid.map(str::to_owned),
                state: EntryState::Intended,
                nonce: String::new(),
                created: false,
                implicit: false,
                protection: Vec::new(),
                digest: None,
            },
        );
        let taken = BTreeMap::from([(&key, Some("live"))]);
        let found = others(&[claim], &ClaimId("own".to_owned()), &taken);
        assert_eq!(found.contains_key(&key), expect, "{id} {uid:?} {locked}");
    }

    fn lock() -> Lock {
        Lock {
            holder: "1".to_owned(),
            who: "somebody".to_owned(),
            acquired: String::new(),
            renewed: String::new(),
            lease_seconds: 60,
        }
    }

    #[test]
    fn what_others_record_or_intend_is_theirs() {
        check("other", Some("live"), false, true);
        check("other", None, true, true);
        check("other", None, false, false);
        check("other", Some("former"), true, false);
        check("own", Some("live"), true, false);
    }
}
