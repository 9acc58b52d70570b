//! The stored form of a claim: pure, both ways.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use underpin_model::{Claim, GroupKind, Lock, Object, Unread, hexadecimal, names};

/// Bytes of data in one ConfigMap; the API server's limit is 1 MiB, metadata and field names
/// included.
const CHUNK_LIMIT: usize = 700 * 1024;
/// Hexadecimal digits of a shard's digest in its name.
const SHARD_NAME_DIGITS: usize = 8;
/// Bytes set aside in the head for the list of shards.
const SHARD_LIST_RESERVE: usize = 16 * 1024;

const FORMAT: &str = "format";
const CLAIM: &str = "claim";
const LOCK: &str = "lock";
const ENTRIES: &str = "entries";
const SHARDS: &str = "shards";
/// Every key of a head's data.
pub(crate) const HEAD_KEYS: &[&str] = &[FORMAT, CLAIM, LOCK, ENTRIES, SHARDS];
/// The one key of a shard's data.
pub(crate) const SHARD_KEY: &str = "shard";
/// The key of the lock in a head's data.
pub(crate) const LOCK_KEY: &str = LOCK;

/// Why something stored is not a claim, or a claim cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredError {
    /// It is written in a form that this version of Underpin does not know.
    #[error(
        "claim {name} is stored as `{found}`, and this version of Underpin reads `{}`; \
         use the version that wrote it",
        Claim::FORMAT
    )]
    Format {
        /// The claim.
        name: String,
        /// The form it is in; empty when it does not say.
        found: String,
    },
    /// A part of it is damaged.
    #[error("claim {name} is damaged: {part}: {reason}; restore its ConfigMap from a backup")]
    Damaged {
        /// The claim.
        name: String,
        /// The part.
        part: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A shard that the head refers to is not there.
    #[error("claim {name} lacks its shard {shard}; restore that ConfigMap from a backup")]
    MissingShard {
        /// The claim.
        name: String,
        /// The ConfigMap.
        shard: String,
    },
    /// It does not fit.
    #[error("claim {name} cannot be stored: {part} has {size} bytes, and {limit} fit")]
    TooLarge {
        /// The claim.
        name: String,
        /// The part.
        part: String,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

/// A claim in its stored form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// Data of the head.
    pub(crate) data: BTreeMap<String, String>,
    /// What the head refers to.
    pub(crate) shards: Vec<Shard>,
}

/// A part of a claim's entries in a ConfigMap of its own, named by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) name: String,
    pub(crate) content: String,
}

/// How the head refers to a shard.
#[derive(Serialize, Deserialize)]
struct ShardReference {
    name: String,
    sha256: String,
}

/// The stored form of `claim`.
pub(crate) fn encode(name: &str, claim: &Claim) -> Result<Encoded, StoredError> {
    encode_within(name, claim, CHUNK_LIMIT)
}

fn encode_within(name: &str, claim: &Claim, limit: usize) -> Result<Encoded, StoredError> {
    let damaged = |reason: serde_json::Error| StoredError::Damaged {
        name: name.to_owned(),
        part: CLAIM.to_owned(),
        reason: reason.to_string(),
    };
    let mut value = serde_json::to_value(claim).map_err(damaged)?;
    let mut take = |field: &str| value.as_object_mut().and_then(|map| map.remove(field));
    let entries = match take("entries") {
        Some(Value::Object(entries)) => entries,
        _ => Map::new(),
    };
    let lock = take("lock");
    let claim_text = value.to_string();
    let fixed = claim_text.len() + SHARD_LIST_RESERVE.min(limit / 4);
    let Some(first_limit) = limit.checked_sub(fixed) else {
        return Err(StoredError::TooLarge {
            name: name.to_owned(),
            part: "the claim without its entries".to_owned(),
            size: claim_text.len(),
            limit,
        });
    };
    let mut chunks = split(name, entries, first_limit, limit)?.into_iter();
    let inline = chunks.next().unwrap_or_else(|| "{}".to_owned());
    let shards: Vec<Shard> = chunks
        .map(|content| Shard {
            name: shard_name(name, &content),
            content,
        })
        .collect();
    let mut data = BTreeMap::from([
        (FORMAT.to_owned(), Claim::FORMAT.to_owned()),
        (CLAIM.to_owned(), claim_text),
        (ENTRIES.to_owned(), inline),
    ]);
    if let Some(lock) = lock {
        data.insert(LOCK.to_owned(), lock.to_string());
    }
    if !shards.is_empty() {
        let references: Vec<ShardReference> = shards
            .iter()
            .map(|shard| ShardReference {
                name: shard.name.clone(),
                sha256: digest(&shard.content),
            })
            .collect();
        let text = serde_json::to_string(&references).map_err(damaged)?;
        data.insert(SHARDS.to_owned(), text);
    }
    Ok(Encoded { data, shards })
}

/// Packs entries, in order, into as few JSON objects as the limits allow; the first has its own.
fn split(
    name: &str,
    entries: Map<String, Value>,
    first_limit: usize,
    limit: usize,
) -> Result<Vec<String>, StoredError> {
    let mut chunks = Vec::new();
    let mut chunk = String::from("{");
    let mut room = first_limit;
    for (key, entry) in entries {
        let text = format!("{}:{entry}", Value::String(key.clone()));
        // A comma and the closing brace beside it.
        if chunk.len() + text.len() + 2 > room {
            chunks.push(std::mem::replace(&mut chunk, String::from("{")) + "}");
            room = limit;
            if text.len() + 2 > limit {
                return Err(StoredError::TooLarge {
                    name: name.to_owned(),
                    part: format!("the entry of {key}"),
                    size: text.len(),
                    limit,
                });
            }
        }
        if chunk.len() > 1 {
            chunk.push(',');
        }
        chunk.push_str(&text);
    }
    chunks.push(chunk + "}");
    Ok(chunks)
}

/// The claim that a head's data and its shards' contents hold; without its `resourceVersion`.
pub(crate) fn decode(
    name: &str,
    data: &BTreeMap<String, String>,
    shards: &BTreeMap<String, String>,
) -> Result<Claim, StoredError> {
    let format = data.get(FORMAT).map_or("", String::as_str);
    if format != Claim::FORMAT {
        return Err(StoredError::Format {
            name: name.to_owned(),
            found: format.to_owned(),
        });
    }
    let damaged = |part: &str, reason: &str| StoredError::Damaged {
        name: name.to_owned(),
        part: part.to_owned(),
        reason: reason.to_owned(),
    };
    let text = |key: &str| {
        data.get(key)
            .ok_or_else(|| damaged(key, "the key is missing"))
    };
    let mut entries = parse_object(text(ENTRIES)?).map_err(|reason| damaged(ENTRIES, &reason))?;
    for reference in references(name, data)? {
        let content = shards
            .get(&reference.name)
            .ok_or_else(|| StoredError::MissingShard {
                name: name.to_owned(),
                shard: reference.name.clone(),
            })?;
        if digest(content) != reference.sha256 {
            return Err(damaged(
                &reference.name,
                "its content is not what was written",
            ));
        }
        let more = parse_object(content).map_err(|reason| damaged(&reference.name, &reason))?;
        for (key, entry) in more {
            if entries.insert(key, entry).is_some() {
                return Err(damaged(&reference.name, "it repeats an entry"));
            }
        }
    }
    let mut claim = parse_object(text(CLAIM)?).map_err(|reason| damaged(CLAIM, &reason))?;
    claim.insert("entries".to_owned(), Value::Object(entries));
    if let Some(lock) = data.get(LOCK) {
        let lock = parse_object(lock).map_err(|reason| damaged(LOCK, &reason))?;
        claim.insert("lock".to_owned(), Value::Object(lock));
    }
    serde_json::from_value(Value::Object(claim)).map_err(|error| damaged(CLAIM, &error.to_string()))
}

/// The lock in a head's data.
pub(crate) fn decode_lock(
    name: &str,
    data: &BTreeMap<String, String>,
) -> Result<Option<Lock>, StoredError> {
    data.get(LOCK)
        .map(|text| serde_json::from_str(text))
        .transpose()
        .map_err(|error| StoredError::Damaged {
            name: name.to_owned(),
            part: LOCK.to_owned(),
            reason: error.to_string(),
        })
}

/// The names of the shards that a head's data refers to.
pub(crate) fn shard_names(
    name: &str,
    data: &BTreeMap<String, String>,
) -> Result<BTreeSet<String>, StoredError> {
    let references = references(name, data)?;
    Ok(references
        .into_iter()
        .map(|reference| reference.name)
        .collect())
}

fn references(
    name: &str,
    data: &BTreeMap<String, String>,
) -> Result<Vec<ShardReference>, StoredError> {
    let Some(text) = data.get(SHARDS) else {
        return Ok(Vec::new());
    };
    serde_json::from_str(text).map_err(|error| StoredError::Damaged {
        name: name.to_owned(),
        part: SHARDS.to_owned(),
        reason: error.to_string(),
    })
}

fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Hexadecimal SHA-256.
pub(crate) fn digest(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

fn shard_name(name: &str, content: &str) -> String {
    format!("{name}.{}", &digest(content)[..SHARD_NAME_DIGITS])
}

/// Cuts a name that is too long and ends it with a digest of the whole.
pub(crate) fn shorten(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let mut end = limit - SHARD_NAME_DIGITS - 1;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let head = name[..end].trim_end_matches(['-', '.', '_']);
    format!("{head}-{}", &digest(name)[..SHARD_NAME_DIGITS])
}

/// `data` of a ConfigMap, as far as it is text.
pub(crate) fn data_of(object: &Object) -> BTreeMap<String, String> {
    object
        .at("/data")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Every claim among the ConfigMaps of the claims namespace, sorted by stack and environment, and
/// what is one and cannot be read. ConfigMaps that are no part of a claim are passed over.
pub fn parse<'a>(
    namespace: &str,
    objects: impl IntoIterator<Item = &'a Object>,
) -> (Vec<Claim>, Vec<Unread>) {
    let config_maps: Vec<&Object> = objects
        .into_iter()
        .filter(|object| object.key.kind.is("", "ConfigMap"))
        .filter(|object| object.key.namespace.as_deref() == Some(namespace))
        .collect();
    let mut shards = BTreeMap::new();
    let mut heads = Vec::new();
    for object in config_maps {
        let mut data = data_of(object);
        let labelled = object.label(names::CLAIM_LABEL).is_some();
        if data.contains_key(FORMAT) {
            heads.push((object, data));
        } else if let Some(content) = data.remove(SHARD_KEY) {
            shards.insert(object.key.name.clone(), content);
        } else if labelled {
            heads.push((object, data));
        }
    }
    let mut claims = Vec::new();
    let mut unread = Vec::new();
    for (object, data) in heads {
        match decode(&object.key.name, &data, &shards) {
            Ok(mut claim) => {
                object
                    .resource_version()
                    .unwrap_or_default()
                    .clone_into(&mut claim.resource_version);
                claims.push(claim);
            }
            Err(error) => unread.push(Unread {
                kind: Some(GroupKind::core("ConfigMap")),
                group: String::new(),
                namespace: Some(namespace.to_owned()),
                reason: error.to_string(),
            }),
        }
    }
    claims.sort_by(|a, b| (&a.stack, &a.environment).cmp(&(&b.stack, &b.environment)));
    (claims, unread)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use underpin_model::{ClaimId, Depth, Entry, EntryState, LogicalKey, ObjectKey, Origin};

    use super::*;

    fn claim(names: &BTreeSet<String>, locked: bool) -> Claim {
        let mut claim = Claim::new(ClaimId("c1".into()), "wallet", "production", "uid");
        for name in names {
            let key = ObjectKey::namespaced(GroupKind::core("ConfigMap"), "wallet", name);
            let entry = Entry {
                key: key.clone(),
                api_version: "v1".into(),
                uid: Some(format!("uid of {name}")),
                state: EntryState::Applied,
                nonce: "n\"1\"".into(),
                created: true,
                implicit: false,
                protection: vec![],
                digest: None,
            };
            claim.entries.insert(LogicalKey::of(&key, "wallet"), entry);
        }
        claim.lock = locked.then(|| Lock {
            holder: "h".into(),
            who: "ann".into(),
            acquired: "t0".into(),
            renewed: "t1".into(),
            lease_seconds: 30,
        });
        claim
    }

    fn contents(encoded: &Encoded) -> BTreeMap<String, String> {
        let shards = encoded.shards.iter();
        shards
            .map(|shard| (shard.name.clone(), shard.content.clone()))
            .collect()
    }

    proptest! {
        #[test]
        fn claims_survive_being_split(
            names in prop::collection::btree_set("[a-z]{1,40}", 0..40),
            locked: bool,
            limit in 900_usize..6_000,
        ) {
            let claim = claim(&names, locked);
            let encoded = encode_within("wallet.production", &claim, limit).unwrap();
            let size: usize = ["claim", "entries"].iter().map(|key| encoded.data[*key].len()).sum();
            prop_assert!(size <= limit);
            for shard in &encoded.shards {
                prop_assert!(shard.content.len() <= limit);
            }
            let shards = contents(&encoded);
            prop_assert_eq!(decode("wallet.production", &encoded.data, &shards), Ok(claim));
            let named = shard_names("wallet.production", &encoded.data).unwrap();
            prop_assert_eq!(named, shards.keys().cloned().collect::<BTreeSet<_>>());
        }

        #[test]
        fn a_lost_or_changed_shard_is_noticed(
            names in prop::collection::btree_set("[a-z]{8,40}", 20..40),
            index: prop::sample::Index,
        ) {
            let encoded = encode_within("a.b", &claim(&names, false), 900).unwrap();
            let whole = contents(&encoded);
            let name = index.get(&encoded.shards).name.clone();
            let mut shards = whole.clone();
            shards.remove(&name);
            let lost = decode("a.b", &encoded.data, &shards);
            let noticed = matches!(lost, Err(StoredError::MissingShard { .. }));
            prop_assert!(noticed);
            shards.insert(name, "{}".to_owned());
            let changed = decode("a.b", &encoded.data, &shards);
            let noticed = matches!(changed, Err(StoredError::Damaged { .. }));
            prop_assert!(noticed);
        }

        #[test]
        fn short_names_fit_and_differ(a in "[a-z.-]{1,200}", b in "[a-z.-]{1,200}") {
            let (short_a, short_b) = (shorten(&a, 63), shorten(&b, 63));
            prop_assert!(short_a.len() <= 63);
            prop_assert_eq!(short_a == short_b, a == b);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let names = BTreeSet::from(["a".repeat(2_000)]);
        let error = encode_within("a.b", &claim(&names, false), 900).unwrap_err();
        assert!(matches!(error, StoredError::TooLarge { .. }), "{error}");
        let error = encode_within("a.b", &claim(&BTreeSet::new(), false), 20).unwrap_err();
        assert!(matches!(error, StoredError::TooLarge { .. }), "{error}");
    }

    fn config_map(name: &str, namespace: &str, labelled: bool, data: Value) -> Object {
        let mut value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": "7", "labels": {}},
        });
        value["data"] = data;
        if labelled {
            value["metadata"]["labels"][names::CLAIM_LABEL] = json!(name);
        }
        Object::from_value(value, Depth::Full, Origin::Live).unwrap()
    }

    /// Parses one more ConfigMap beside a good claim.
    #[track_caller]
    fn check(other: Object, expect: Option<&str>) {
        let good = encode("wallet.production", &claim(&BTreeSet::new(), true)).unwrap();
        let objects = [
            config_map("wallet.production", "system", true, json!(good.data)),
            other,
        ];
        let (claims, unread) = parse("system", &objects);
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].resource_version, "7");
        let reasons: Vec<String> = unread.iter().map(|unread| unread.reason.clone()).collect();
        match expect {
            None => assert_eq!(reasons, Vec::<String>::new()),
            Some(expect) => {
                assert_eq!(unread[0].namespace.as_deref(), Some("system"));
                assert!(reasons[0].contains(expect), "{reasons:?}");
            }
        }
    }

    #[test]
    fn an_unreadable_claim_is_unknown_and_never_absent() {
        let system = |labelled, data| config_map("x.y", "system", labelled, data);
        check(system(false, json!({"ca.crt": "-"})), None);
        check(config_map("x.y", "other", true, json!({})), None);
        check(system(true, json!({})), Some("claim x.y is stored as ``"));
        check(
            system(false, json!({"format": "underpin.dev/claim/v9"})),
            Some("underpin.dev/claim/v9"),
        );
        let format = Claim::FORMAT;
        check(
            system(true, json!({"format": format})),
            Some("claim x.y is damaged: entries"),
        );
        check(
            system(
                true,
                json!({"format": format, "entries": "{}", "claim": "{"}),
            ),
            Some("claim x.y is damaged: claim"),
        );
        check(
            system(
                true,
                json!({"format": format, "entries": "{}", "claim": "{}",
                "shards": "[{\"name\": \"x.y.1\", \"sha256\": \"0\"}]"}),
            ),
            Some("claim x.y lacks its shard x.y.1"),
        );
    }
}
