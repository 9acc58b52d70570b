//! The lock against a mock API server, in paused time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::json;
use underpin_model::{Claim, ClaimId};

use super::{Acquired, LockError, LockGuard, LockRequest, acquire};
use crate::{Host, claims::ClaimStore, mock::Store};

const NAME: &str = "wallet.production";
const LEASE: Duration = Duration::from_secs(40);

fn start() -> (Store, ClaimStore) {
    let store = Store::default();
    let claims = ClaimStore::new(store.cluster(), "underpin-system");
    (store, claims)
}

fn request(holder: &str, wait: u64) -> LockRequest {
    LockRequest {
        holder: holder.into(),
        who: format!("{holder}@host"),
        lease: LEASE,
        wait: Duration::from_secs(wait),
    }
}

fn blank() -> Claim {
    Claim::new(ClaimId("c1".into()), "wallet", "production", "uid")
}

async fn first(claims: &ClaimStore) -> LockGuard {
    match acquire(claims, NAME, blank(), false, &request("one", 0)).await {
        Ok(Acquired::Held(guard)) => guard,
        other => panic!("{other:?}"),
    }
}

/// Acquires on the claim as it is now.
async fn again(claims: &ClaimStore, holder: &str, wait: u64) -> Acquired {
    let claim = claims.load(NAME).await.unwrap().unwrap();
    acquire(claims, NAME, claim, true, &request(holder, wait))
        .await
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_holds_and_the_other_is_told_who() {
    let (_, claims) = start();
    let guard = first(&claims).await;
    let Acquired::Busy(lock) = again(&claims, "two", 0).await else {
        panic!("not busy");
    };
    assert_eq!(
        (lock.holder.as_str(), lock.who.as_str()),
        ("one", "one@host")
    );
    // Somebody who saw no claim at all plans again.
    let outcome = acquire(&claims, NAME, blank(), false, &request("two", 0))
        .await
        .unwrap();
    assert!(matches!(outcome, Acquired::Changed), "{outcome:?}");
    guard.release(|_| {}).await.unwrap();
    assert!(matches!(again(&claims, "two", 0).await, Acquired::Held(_)));
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_changed_since_it_was_read_is_planned_again() {
    let (_, claims) = start();
    let read = first(&claims).await.release(|_| {}).await.unwrap();
    let guard = match acquire(&claims, NAME, read.clone(), true, &request("two", 0))
        .await
        .unwrap()
    {
        Acquired::Held(guard) => guard,
        other => panic!("{other:?}"),
    };
    guard
        .release(|claim| claim.parent = Some("p".into()))
        .await
        .unwrap();
    let outcome = acquire(&claims, NAME, read, true, &request("three", 0))
        .await
        .unwrap();
    assert!(matches!(outcome, Acquired::Changed), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_renews_is_never_put_out() {
    let (_, claims) = start();
    let guard = first(&claims).await;
    let outcome = again(&claims, "two", 500).await;
    assert!(matches!(outcome, Acquired::Busy(_)), "{outcome:?}");
    assert!(!guard.is_lost());
    assert!(guard.remaining() >= LEASE / 2);
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_is_put_out_after_its_lease_and_the_caller_plans_again() {
    let (_, claims) = start();
    drop(first(&claims).await);
    let begun = tokio::time::Instant::now();
    let outcome = again(&claims, "two", 0).await;
    assert!(matches!(outcome, Acquired::Busy(_)), "{outcome:?}");
    let outcome = again(&claims, "two", 500).await;
    assert!(matches!(outcome, Acquired::Changed), "{outcome:?}");
    assert!(begun.elapsed() >= LEASE);
    assert!(begun.elapsed() < LEASE * 2);
    assert!(matches!(again(&claims, "two", 0).await, Acquired::Held(_)));
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_the_holder_lets_go() {
    let (_, claims) = start();
    let guard = first(&claims).await;
    let waiting = tokio::spawn({
        let claims = claims.clone();
        async move { again(&claims, "two", 500).await }
    });
    tokio::time::sleep(LEASE * 2).await;
    guard.release(|_| {}).await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Acquired::Changed));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_back_late_has_lost() {
    let (store, claims) = start();
    let guard = first(&claims).await;
    store.edit(NAME, |claim| {
        claim["data"]["lock"] = json!({
            "holder": "two", "who": "b", "acquired": "t", "renewed": "t", "leaseSeconds": 40,
        })
        .to_string()
        .into();
    });
    let error = guard
        .update(|claim| claim.parent = Some("p".into()))
        .await
        .unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert!(guard.is_lost());
    assert_eq!(guard.remaining(), Duration::ZERO);
    guard.lost().await;
    let claim = claims.load(NAME).await.unwrap().unwrap();
    assert_eq!(
        (claim.parent, claim.lock.unwrap().holder),
        (None, "two".into())
    );
    // Giving back what is another's now sends nothing: not even garbage is ours to sweep, for the
    // claim refers to the other's shards by now.
    store.take_log();
    let error = guard.release(|_| {}).await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
    assert_eq!(store.take_log(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_label_on_the_claim_does_not_cost_the_lock() {
    let (store, claims) = start();
    let guard = first(&claims).await;
    store.edit(NAME, |claim| {
        claim["metadata"]["annotations"]["x"] = json!("y");
    });
    guard
        .update(|claim| claim.parent = Some("p".into()))
        .await
        .unwrap();
    store.edit(NAME, |claim| {
        claim["metadata"]["annotations"]["x"] = json!("z");
    });
    tokio::time::sleep(LEASE).await; // renewals
    assert!(!guard.is_lost());
}

#[tokio::test(start_paused = true)]
async fn answers_lost_on_the_way_do_not_cost_the_lock() {
    let (store, claims) = start();
    store.lose_answers(1);
    let guard = first(&claims).await;
    store.lose_answers(2);
    let claim = guard
        .update(|claim| claim.parent = Some("p".into()))
        .await
        .unwrap();
    assert_eq!(claims.load(NAME).await.unwrap(), Some(claim));
    store.lose_answers(1);
    tokio::time::sleep(LEASE).await;
    assert!(!guard.is_lost());
    store.lose_answers(1);
    let released = guard.release(|_| {}).await.unwrap();
    store.lose_answers(1);
    let outcome = acquire(&claims, NAME, released, true, &request("two", 0))
        .await
        .unwrap();
    assert!(matches!(outcome, Acquired::Held(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_away_costs_the_lock_when_the_lease_is_over() {
    let (store, claims) = start();
    let guard = first(&claims).await;
    store.set_down(true);
    tokio::time::sleep(LEASE / 2).await;
    assert!(!guard.is_lost());
    let begun = tokio::time::Instant::now();
    guard.lost().await;
    assert!(begun.elapsed() < LEASE, "{:?}", begun.elapsed());
    assert_eq!(guard.remaining(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_in_time_does_not() {
    let (store, claims) = start();
    let guard = first(&claims).await;
    store.set_down(true);
    tokio::time::sleep(LEASE / 2).await;
    store.set_down(false);
    tokio::time::sleep(LEASE).await;
    assert!(!guard.is_lost());
    guard.release(|_| {}).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn renewals_write_nothing_but_the_lock() {
    let (store, claims) = start();
    let guard = first(&claims).await;
    let before = guard.claim().await;
    store.take_log();
    tokio::time::sleep(LEASE + Duration::from_secs(1)).await;
    assert_eq!(store.take_log(), vec![format!("PATCH {NAME}"); 4]);
    let after = guard.claim().await;
    assert_ne!(before.lock, after.lock);
    assert_eq!(claims.load(NAME).await.unwrap(), Some(after));
}

#[tokio::test(start_paused = true)]
async fn updates_and_renewals_do_not_collide() {
    let (_, claims) = start();
    let guard = first(&claims).await;
    for number in 0..50 {
        guard
            .update(|claim| claim.parent = Some(number.to_string()))
            .await
            .unwrap();
        tokio::time::sleep(LEASE / 7).await;
    }
    assert!(!guard.is_lost());
    let claim = guard.release(|_| {}).await.unwrap();
    assert_eq!((claim.parent.as_deref(), claim.lock), (Some("49"), None));
}

#[tokio::test(start_paused = true)]
async fn removal_takes_the_claim_and_the_lock() {
    let (store, claims) = start();
    first(&claims).await.release_and_remove().await.unwrap();
    assert_eq!(claims.load(NAME).await.unwrap(), None);
    let guard = first(&claims).await;
    store.edit(NAME, |claim| claim["data"]["lock"] = "{}".into());
    let error = guard.release_and_remove().await.unwrap_err();
    assert!(matches!(error, LockError::Lost { .. }), "{error:?}");
}

/// A clock that is set by hand.
#[derive(Debug, Default)]
struct HandSet(Mutex<Timestamp>);

impl HandSet {
    fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap();
    }
}

impl Host for HandSet {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn random(&self, _: &mut [u8]) -> Result<(), String> {
        Err("none here".into())
    }
}

fn start_on(host: &Arc<HandSet>) -> ClaimStore {
    let cluster = Store::default().cluster_on(host.clone());
    ClaimStore::new(cluster, "underpin-system")
}

/// The monotonic clock of a machine that sleeps stands still.
#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_through_its_lease_knows() {
    let host = Arc::new(HandSet::default());
    let guard = first(&start_on(&host)).await;
    assert_eq!(guard.remaining(), LEASE);
    host.advance(LEASE / 2);
    assert_eq!(guard.remaining(), LEASE / 2);
    host.advance(LEASE);
    assert_eq!(guard.remaining(), Duration::ZERO);
}

/// A wall clock that stands still does not make the holder look dead.
#[tokio::test(start_paused = true)]
async fn renewals_are_seen_whatever_the_wall_clock_says() {
    let host = Arc::new(HandSet::default());
    let claims = start_on(&host);
    let guard = first(&claims).await;
    let outcome = again(&claims, "two", 500).await;
    assert!(matches!(outcome, Acquired::Busy(_)), "{outcome:?}");
    assert!(!guard.is_lost());
    assert_eq!(guard.holder(), "one");
}

/// What ends with a run is all of it: nothing goes on sending.
#[tokio::test(start_paused = true)]
async fn a_lock_that_was_dropped_sends_nothing_more() {
    let (store, claims) = start();
    drop(first(&claims).await);
    store.take_log();
    tokio::time::sleep(LEASE * 3).await;
    assert_eq!(store.take_log(), [""; 0]);
}
