//! What `down`s took of what an edge may serve: so that who finds it gone can tell that somebody wanted
//! that, when the objects and their claim are gone too.
//!
//! One ConfigMap beside the claims, bounded: the oldest go first. It is no claim, and nothing that is
//! deleted or kept depends on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use underpin_model::Object;

use super::{ClaimStore, store::config_map_kind, stored::data_of};
use crate::ClusterError;

/// Name of the ConfigMap. A claim's name has a dot.
const TAKEN_DOWN: &str = "underpin-taken-down";
/// The one key of its data.
const KEY: &str = "taken-down";
/// How many objects are remembered: about 100 KiB.
const LIMIT: usize = 2_000;
/// How often it is written anew because another `down` was faster.
const SWAPS: usize = 8;

/// What one `down` is about to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakenDown {
    /// When, in seconds of Unix time.
    pub at: u64,
    /// Of which environment, as `stack/environment`.
    pub environment: String,
    /// The uids of the objects.
    pub uids: Vec<String>,
}

impl ClaimStore {
    /// Adds what a `down` is about to take. Written before it is taken: of a run that is cut nothing is
    /// missing here.
    pub async fn record_taken_down(&self, taken: &TakenDown) -> Result<(), ClusterError> {
        let (kind, key) = (config_map_kind(), self.key(TAKEN_DOWN));
        let mut swaps = 0;
        loop {
            swaps += 1;
            let live = self.cluster.get(&kind, &key).await?;
            let mut records = live.as_ref().map(records).unwrap_or_default();
            if records.contains(taken) {
                // The answer to an earlier attempt was lost.
                return Ok(());
            }
            records.push(taken.clone());
            bound(&mut records);
            let data = json!({KEY: json!(records).to_string()});
            let written = if let Some(live) = &live {
                let patch = json!({
                    "metadata": {
                        "uid": live.uid(),
                        "resourceVersion": live.resource_version(),
                    },
                    "data": data,
                });
                self.cluster.merge_patch_unseen(&kind, &key, &patch).await
            } else {
                let value = json!({
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": TAKEN_DOWN, "namespace": self.namespace},
                    "data": data,
                });
                self.create_object(&kind, &key, value).await
            };
            match written {
                Err(error) if swaps < SWAPS && (error.is_conflict() || error.is_not_found()) => {}
                written => return written.map(|_| ()),
            }
        }
    }
}

/// What `down`s took, by uid and when, read out of the objects of a claims namespace. What is damaged
/// explains nothing.
pub fn parse_taken_down<'a>(
    namespace: &str,
    objects: impl IntoIterator<Item = &'a Object>,
) -> BTreeMap<String, u64> {
    let found = objects.into_iter().find(|object| {
        object.key.kind.is("", "ConfigMap")
            && object.key.namespace.as_deref() == Some(namespace)
            && object.key.name == TAKEN_DOWN
    });
    let records = found.map(records).unwrap_or_default();
    let each = records
        .into_iter()
        .flat_map(|record| record.uids.into_iter().map(move |uid| (uid, record.at)));
    each.collect()
}

fn records(object: &Object) -> Vec<TakenDown> {
    let text = data_of(object).remove(KEY).unwrap_or_default();
    let records: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
    let read = records.into_iter().map(serde_json::from_value);
    read.filter_map(Result::ok).collect()
}

/// Drops the oldest beyond the limit.
fn bound(records: &mut Vec<TakenDown>) {
    let mut left = LIMIT;
    for record in records.iter_mut().rev() {
        record.uids.truncate(left);
        left -= record.uids.len();
    }
    records.retain(|record| !record.uids.is_empty());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::Store;

    fn taken(at: u64, uids: impl IntoIterator<Item = usize>) -> TakenDown {
        TakenDown {
            at,
            environment: "shop/test".to_owned(),
            uids: uids.into_iter().map(|uid| format!("u{uid}")).collect(),
        }
    }

    async fn read(claims: &ClaimStore) -> BTreeMap<String, u64> {
        claims.load_all_and_taken_down().await.unwrap().2
    }

    /// R3.2: a recorded `down` outlives the claim.
    #[tokio::test]
    async fn r3_2_what_was_taken_down_is_remembered_and_bounded() {
        let claims = ClaimStore::new(Store::default().cluster(), "underpin-system");
        assert!(read(&claims).await.is_empty());
        claims.record_taken_down(&taken(1, 0..2)).await.unwrap();
        claims.record_taken_down(&taken(5, 2..3)).await.unwrap();
        let expect = [("u0", 1), ("u1", 1), ("u2", 5)];
        let expect = expect.map(|(uid, at)| (uid.to_owned(), at)).into();
        assert_eq!(read(&claims).await, expect);
        // It is no claim, and nothing that cannot be read.
        let (all, unread, _) = claims.load_all_and_taken_down().await.unwrap();
        assert!(all.is_empty() && unread.is_empty());
        let many = taken(9, 3..3 + LIMIT - 1);
        claims.record_taken_down(&many).await.unwrap();
        let left = read(&claims).await;
        assert_eq!(left.len(), LIMIT);
        assert!(left.contains_key("u2") && !left.contains_key("u0"));
    }

    #[test]
    fn what_is_damaged_explains_nothing() {
        for text in ["", "{}", "[1, {\"at\": 1}]"] {
            let object = Object::from_value(
                json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"name": TAKEN_DOWN, "namespace": "n"}, "data": {KEY: text}}),
                underpin_model::Depth::Full,
                underpin_model::Origin::Live,
            )
            .unwrap();
            assert!(parse_taken_down("n", [&object]).is_empty(), "{text}");
        }
    }
}
