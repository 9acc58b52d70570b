//! The claim store against a mock API server.

use http::Method;
use serde_json::json;
use underpin_model::{
    Claim, ClaimId, Entry, EntryState, GroupKind, HistoryRecord, Lock, LogicalKey,
    NamespaceProvenance, ObjectKey, Placement, RevisionContent,
};

use super::{ClaimStore, RevisionError, StoredRevision};
use crate::{
    ClusterError,
    mock::{Store, cluster},
};

const NAME: &str = "wallet.production";

fn blank() -> Claim {
    Claim::new(ClaimId("c1".into()), "wallet", "production", "uid")
}

/// A claim of `count` entries of about 1 KiB.
fn large(mut claim: Claim, count: usize) -> Claim {
    claim.entries.clear();
    for number in 0..count {
        let key =
            ObjectKey::namespaced(GroupKind::core("ConfigMap"), "wallet", format!("c{number}"));
        let entry = Entry {
            key: key.clone(),
            api_version: "v1".into(),
            uid: None,
            state: EntryState::Intended,
            nonce: "0".repeat(1024),
            created: true,
            implicit: false,
            protection: vec![],
            digest: None,
        };
        claim.entries.insert(LogicalKey::of(&key, "wallet"), entry);
    }
    claim
}

fn locked(mut claim: Claim) -> Claim {
    claim.lock = Some(Lock {
        holder: "h".into(),
        who: "ann".into(),
        acquired: "t".into(),
        renewed: "t".into(),
        lease_seconds: 30,
    });
    claim
}

fn placed(mut claim: Claim) -> Claim {
    claim.placement = Some(Placement {
        namespace: "wallet".into(),
        uid: None,
        provenance: NamespaceProvenance::Created,
        shared: false,
    });
    claim
}

fn start() -> (Store, ClaimStore) {
    let store = Store::default();
    let claims = ClaimStore::new(store.cluster(), "underpin-system");
    (store, claims)
}

#[tokio::test]
async fn the_first_claim_creates_its_namespace() {
    let (store, claims) = start();
    let written = claims.create(NAME, &blank()).await.unwrap();
    assert_eq!(
        store.names("namespaces").first().map(String::as_str),
        Some("underpin-system")
    );
    assert_eq!(claims.load(NAME).await.unwrap(), Some(written.clone()));
    assert_eq!(claims.load_all().await.unwrap(), (vec![written], vec![]));
    assert_eq!(claims.load("other").await.unwrap(), None);
}

#[tokio::test]
async fn of_two_creators_one_is_told() {
    let (_, claims) = start();
    claims.create(NAME, &blank()).await.unwrap();
    let error = claims.create(NAME, &placed(blank())).await.unwrap_err();
    assert!(error.is_already_exists(), "{error:?}");
}

#[tokio::test]
async fn a_write_on_an_old_version_is_a_conflict() {
    let (_, claims) = start();
    let first = claims.create(NAME, &blank()).await.unwrap();
    let second = claims.save(NAME, &placed(first.clone())).await.unwrap();
    assert_ne!(first.resource_version, second.resource_version);
    let error = claims.save(NAME, &large(first, 1)).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    assert_eq!(claims.load(NAME).await.unwrap(), Some(second));
}

#[tokio::test]
async fn a_claim_that_was_never_read_is_not_written() {
    let (_, claims) = start();
    claims.create(NAME, &blank()).await.unwrap();
    let error = claims.save(NAME, &placed(blank())).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
}

#[tokio::test]
async fn a_deleted_claim_is_not_resurrected() {
    let (store, claims) = start();
    let claim = claims.create(NAME, &blank()).await.unwrap();
    store.remove(NAME);
    let error = claims.save(NAME, &placed(claim)).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    assert_eq!(claims.load(NAME).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn lost_answers_are_not_mistaken_for_conflicts() {
    let (store, claims) = start();
    claims.create("other.one", &blank()).await.unwrap();
    store.lose_answers(1);
    let claim = claims.create(NAME, &blank()).await.unwrap();
    store.lose_answers(1);
    let saved = claims.save(NAME, &placed(claim)).await.unwrap();
    assert_eq!(claims.load(NAME).await.unwrap(), Some(saved));
}

#[tokio::test]
async fn large_claims_are_sharded_and_old_shards_swept() {
    let (store, claims) = start();
    let claim = claims.create(NAME, &locked(blank())).await.unwrap();
    let claim = claims.save(NAME, &large(claim, 2_000)).await.unwrap();
    let parts = store.names("configmaps");
    assert!(parts.len() >= 3, "{parts:?}");
    assert_eq!(claims.load(NAME).await.unwrap().as_ref(), Some(&claim));
    let claim = claims.save(NAME, &large(claim, 1_500)).await.unwrap();
    assert_eq!(
        claims.load_all().await.unwrap(),
        (vec![claim.clone()], vec![])
    );
    let now = store.names("configmaps");
    assert!(now.len() < parts.len() + 2, "{now:?}");
    claims.remove(NAME, &claim).await.unwrap();
    assert_eq!(store.names("configmaps"), Vec::<String>::new());
}

#[tokio::test]
async fn a_kill_between_shards_and_head_leaves_the_old_claim() {
    let (store, claims) = start();
    let claim = claims.create(NAME, &blank()).await.unwrap();
    let old = claims.save(NAME, &large(claim, 10)).await.unwrap();
    // The shards of a write whose swap never came: as if killed.
    let stale = Claim {
        resource_version: "0".into(),
        ..large(old.clone(), 2_000)
    };
    let error = claims.save(NAME, &stale).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    assert!(store.names("configmaps").len() > 1);
    assert_eq!(claims.load_all().await.unwrap(), (vec![old], vec![]));
}

#[tokio::test]
async fn a_lost_shard_is_unread_in_the_list_and_an_error_alone() {
    let (store, claims) = start();
    let claim = claims.create(NAME, &locked(blank())).await.unwrap();
    claims.save(NAME, &large(claim, 2_000)).await.unwrap();
    let shard = store.names("configmaps").pop().unwrap();
    store.remove(&shard);
    let (all, unread) = claims.load_all().await.unwrap();
    assert_eq!(all, vec![]);
    assert!(unread[0].reason.contains(&shard), "{unread:?}");
    let error = claims.load(NAME).await.unwrap_err();
    assert!(matches!(error, ClusterError::Decode { .. }), "{error:?}");
}

#[tokio::test]
async fn removal_needs_the_version_that_was_read() {
    let (_, claims) = start();
    let first = claims.create(NAME, &blank()).await.unwrap();
    let second = claims.save(NAME, &placed(first.clone())).await.unwrap();
    assert!(claims.remove(NAME, &first).await.unwrap_err().is_conflict());
    claims.remove(NAME, &second).await.unwrap();
    claims.remove(NAME, &second).await.unwrap(); // gone already
}

fn revision(text: &str) -> StoredRevision {
    StoredRevision {
        fingerprint_key: Some("k".into()),
        objects: vec![json!({"kind": "ConfigMap", "data": {"a": text}})],
    }
}

fn recorded(mut claim: Claim, content: &str) -> Claim {
    claim.record(HistoryRecord {
        content: Some(RevisionContent::Stored(content.to_owned())),
        ..HistoryRecord::default()
    });
    claim
}

/// What revisions applied lies beside the claim and is no part of it, is shared by those that applied
/// the same, survives lost answers, and what no history refers to is swept.
#[tokio::test(start_paused = true)]
async fn contents_of_revisions_are_kept_as_long_as_the_history_names_them() {
    let (store, claims) = start();
    let claim = claims.create(NAME, &locked(blank())).await.unwrap();
    store.lose_answers(1);
    let first = claims.store_revision(NAME, &revision("1")).await.unwrap();
    let again = claims.store_revision(NAME, &revision("1")).await.unwrap();
    let orphan = claims.store_revision(NAME, &revision("2")).await.unwrap();
    assert!(first == again && first != orphan && first.starts_with(NAME));
    let stored = claims.load_revision(&first).await.unwrap();
    assert_eq!(stored, revision("1"));
    assert_eq!(
        claims.load_all().await.unwrap(),
        (vec![claim.clone()], vec![])
    );

    let claim = claims.save(NAME, &recorded(claim, &first)).await.unwrap();
    let head = claims.head(NAME).await.unwrap().unwrap();
    claims.sweep(NAME, &head, &[&claim]).await.unwrap();
    assert_eq!(store.names("configmaps"), [NAME, first.as_str()]);
    let gone = claims.load_revision(&orphan).await.unwrap_err();
    assert!(matches!(gone, RevisionError::Missing(_)), "{gone}");

    claims.remove(NAME, &claim).await.unwrap();
    assert_eq!(store.names("configmaps"), Vec::<String>::new());
}

/// Another's object under the name is neither taken for ours nor overwritten.
#[tokio::test]
async fn a_name_that_is_taken_is_told() {
    let (store, claims) = start();
    claims.create(NAME, &blank()).await.unwrap();
    let name = claims.store_revision(NAME, &revision("1")).await.unwrap();
    store.edit(&name, |object| object["binaryData"] = json!({}));
    let error = claims.store_revision(NAME, &revision("1")).await;
    assert!(matches!(error, Err(RevisionError::Damaged { .. })));
}

#[tokio::test(start_paused = true)]
async fn the_fingerprint_key_is_made_once() {
    let (store, claims) = start();
    assert_eq!(claims.fingerprint_key().await.unwrap(), None);
    store.lose_answers(2);
    let key = claims.ensure_fingerprint_key().await.unwrap();
    assert_ne!(key, [0; 32]);
    assert_eq!(claims.ensure_fingerprint_key().await.unwrap(), key);
    assert_eq!(claims.fingerprint_key().await.unwrap(), Some(key));
    store.edit("underpin-fingerprint-key", |secret| {
        secret["data"]["key"] = serde_json::json!("aHVudGVyMg==");
    });
    let error = claims.fingerprint_key().await.unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("aHVudGVyMg"),
        "{error}"
    );
}

#[test]
fn names_fit_into_kubernetes() {
    assert_eq!(ClaimStore::name("wallet", "production"), NAME);
    let long = ClaimStore::name(&"s".repeat(200), &"e".repeat(200));
    assert!(long.len() <= 240);
    assert_ne!(long, ClaimStore::name(&"s".repeat(200), &"e".repeat(201)));
}

/// Contents of revisions are large, and no claim is among them.
#[tokio::test]
async fn the_claims_are_read_without_the_contents_of_revisions() {
    let cluster = cluster(|seen| {
        assert_eq!(
            seen.query,
            "limit=500&labelSelector=%21underpin.dev%2Frevision-of"
        );
        crate::mock::Answer::Json(200, serde_json::json!({"metadata": {}, "items": []}))
    });
    let claims = ClaimStore::new(cluster, "underpin-system");
    assert_eq!(claims.load_all().await.unwrap(), (vec![], vec![]));
}

/// A claim of a thousand objects is as large as all else that a run sends.
#[tokio::test]
async fn the_server_is_not_asked_to_send_a_claim_back() {
    let (store, claims) = start();
    let claim = claims.create(NAME, &blank()).await.unwrap();
    let answering = store.clone();
    let cluster = cluster(move |seen| {
        let whole = !seen.accept.contains("as=PartialObjectMetadata;");
        assert!(!(whole && seen.method == Method::PATCH), "{}", seen.accept);
        answering.answer(seen)
    });
    let observed = ClaimStore::new(cluster, "underpin-system");
    let saved = observed.save(NAME, &placed(claim)).await.unwrap();
    assert_eq!(claims.load(NAME).await.unwrap(), Some(saved));
}
