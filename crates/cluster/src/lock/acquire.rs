//! Taking the lock.

use std::time::Duration;

use tokio::time::Instant;
use underpin_model::{Claim, Lock};

use super::{LockGuard, guard::Lease};
use crate::{
    ClusterError, Host,
    claims::{ClaimStore, Head},
};

/// How often a lock that another holds is looked at.
const POLL: Duration = Duration::from_secs(1);

/// Who wants the lock and how long.
#[derive(Clone, Debug)]
pub struct LockRequest {
    /// Unique per run.
    pub holder: String,
    /// Who that is, for people.
    pub who: String,
    /// How long the lock outlives its last renewal; whole seconds, at least one.
    pub lease: Duration,
    /// How long to wait for another holder.
    pub wait: Duration,
}

/// What came of it.
#[derive(Debug)]
pub enum Acquired {
    /// The lock is ours, on the claim as it was read.
    Held(LockGuard),
    /// Another holds it, this one, and did not let go in time.
    Busy(Lock),
    /// The claim is no longer as it was read, or its holder was found dead: read the world and
    /// plan again.
    Changed,
}

impl LockRequest {
    fn lease_seconds(&self) -> u32 {
        u32::try_from(self.lease.as_secs())
            .unwrap_or(u32::MAX)
            .max(1)
    }

    fn lock(&self, host: &dyn Host) -> Lock {
        let now = host.now().to_string();
        Lock {
            holder: self.holder.clone(),
            who: self.who.clone(),
            acquired: now.clone(),
            renewed: now,
            lease_seconds: self.lease_seconds(),
        }
    }
}

/// Takes the lock of claim `name`, as it was read (`exists`) or to be written for the first time.
///
/// The lock is had only on the very claim that was read: if anything changed since, the caller
/// plans again. Another holder is waited for, up to [`LockRequest::wait`]; one that has not renewed
/// for its lease is put out, and the caller plans again, for it may have died in the middle.
pub async fn acquire(
    store: &ClaimStore,
    name: &str,
    claim: Claim,
    exists: bool,
    request: &LockRequest,
) -> Result<Acquired, ClusterError> {
    let lock = request.lock(store.cluster().host());
    if !exists {
        return create(store, name, claim, lock).await;
    }
    match claim.lock.clone() {
        Some(other) if other.holder != request.holder => {
            wait_for(store, name, other, request).await
        }
        _ => take(store, name, claim, lock, request).await,
    }
}

async fn create(
    store: &ClaimStore,
    name: &str,
    mut claim: Claim,
    lock: Lock,
) -> Result<Acquired, ClusterError> {
    claim.lock = Some(lock.clone());
    let lease = Lease::starting_now(&lock, store.cluster().host());
    match store.create_head(name, &claim).await {
        Ok((claim, head)) => Ok(held(store, name, claim, head, lease)),
        Err(error) if error.is_already_exists() => Ok(Acquired::Changed),
        Err(error) => Err(error),
    }
}

async fn take(
    store: &ClaimStore,
    name: &str,
    mut claim: Claim,
    lock: Lock,
    request: &LockRequest,
) -> Result<Acquired, ClusterError> {
    let lease = Lease::starting_now(&lock, store.cluster().host());
    let outcome = store
        .patch_lock(name, &claim.resource_version, Some(&lock))
        .await;
    let head = match outcome {
        Ok(head) => head,
        Err(error) if error.is_conflict() => {
            let Some(head) = store.head(name).await? else {
                return Ok(Acquired::Changed);
            };
            match store.lock_of(name, &head)? {
                // Ours after all: only the answer was lost.
                Some(there) if there == lock => head,
                Some(other) if other.holder != request.holder => {
                    return wait_for(store, name, other, request).await;
                }
                _ => return Ok(Acquired::Changed),
            }
        }
        Err(error) => return Err(error),
    };
    claim.lock = Some(lock);
    claim.resource_version.clone_from(&head.resource_version);
    Ok(held(store, name, claim, head, lease))
}

fn held(store: &ClaimStore, name: &str, claim: Claim, head: Head, lease: Lease) -> Acquired {
    Acquired::Held(LockGuard::start(store.clone(), name, claim, head, lease))
}

/// Watches another holder's lock until it goes, stands still for its lease, or patience ends.
async fn wait_for(
    store: &ClaimStore,
    name: &str,
    other: Lock,
    request: &LockRequest,
) -> Result<Acquired, ClusterError> {
    let end = Instant::now() + request.wait;
    let mut seen = other;
    let mut since = Instant::now();
    loop {
        let lease = Duration::from_secs(u64::from(seen.lease_seconds.max(1)));
        let stands_until = since + lease;
        let now = Instant::now();
        if now >= end && now < stands_until {
            return Ok(Acquired::Busy(seen));
        }
        if now < stands_until {
            tokio::time::sleep(POLL.min(stands_until - now).min(end - now)).await;
        }
        let head = match store.head(name).await {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(Acquired::Changed),
            Err(error) if error.is_transient() && Instant::now() < end => {
                tokio::time::sleep(POLL.min(end - Instant::now())).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        match store.lock_of(name, &head)? {
            None => return Ok(Acquired::Changed),
            Some(lock) if lock != seen => {
                seen = lock;
                since = Instant::now();
            }
            Some(_) if Instant::now() >= stands_until => {
                return put_out(store, name, &head).await;
            }
            Some(_) => {}
        }
    }
}

/// Clears a lock that stood still. That somebody else did so, or that the holder came back at the
/// last moment, makes no difference: the caller plans again.
async fn put_out(store: &ClaimStore, name: &str, head: &Head) -> Result<Acquired, ClusterError> {
    match store.patch_lock(name, &head.resource_version, None).await {
        Ok(_) => Ok(Acquired::Changed),
        Err(error) if error.is_conflict() => Ok(Acquired::Changed),
        Err(error) => Err(error),
    }
}
