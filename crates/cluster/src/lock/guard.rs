//! Holding the lock.

use std::{
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
    time::Instant,
};
use underpin_model::{Claim, Lock};

use crate::{
    ClusterError, Host,
    claims::{ClaimStore, Head},
};

/// Renewals per lease.
const RENEWALS_PER_LEASE: u32 = 4;
/// Pause before a failed write is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Shortest time limit of a write, so that a lease about to run out still gets its try: the swap
/// itself decides whether it was too late.
const SHORTEST_WRITE: Duration = Duration::from_secs(1);

/// Why the claim could not be written under the lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// The lock is no longer ours. Another run may be at work: nothing more may be sent.
    #[error("the lock on {name} was lost: {reason}; run the command again to continue")]
    Lost {
        /// The claim.
        name: String,
        /// How.
        reason: String,
    },
    /// The lock is still ours and the write was refused.
    #[error(transparent)]
    Cluster(ClusterError),
}

/// When the lock was last surely ours, on both clocks: the monotonic one stands still while a
/// machine sleeps, and the other may be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    length: Duration,
    since: Instant,
    since_wall: Timestamp,
}

impl Lease {
    /// To be taken before the write that it stands for is sent.
    pub(super) fn starting_now(lock: &Lock, host: &dyn Host) -> Self {
        Self {
            length: Duration::from_secs(u64::from(lock.lease_seconds)),
            since: Instant::now(),
            since_wall: host.now(),
        }
    }

    fn renewed_now(self, host: &dyn Host) -> Self {
        Self {
            since: Instant::now(),
            since_wall: host.now(),
            ..self
        }
    }

    fn remaining(self, host: &dyn Host) -> Duration {
        // A clock that was set back tells nothing.
        let wall = host.now().duration_since(self.since_wall);
        let wall = Duration::try_from(wall).unwrap_or_default();
        self.length.saturating_sub(self.since.elapsed().max(wall))
    }
}

/// The lock, held. It renews itself in the background. Dropping it without releasing leaves the
/// lock to run out, as a kill does.
#[derive(Debug)]
pub struct LockGuard {
    inner: Arc<Inner>,
    renewer: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    store: ClaimStore,
    name: String,
    holder: String,
    /// Serialises updates and renewals.
    state: Mutex<State>,
    lease: StdMutex<Lease>,
    /// The reason, once lost.
    lost: watch::Sender<Option<String>>,
}

/// The claim as it was last written.
#[derive(Debug)]
struct State {
    claim: Claim,
    head: Head,
}

impl LockGuard {
    pub(super) fn start(
        store: ClaimStore,
        name: &str,
        claim: Claim,
        head: Head,
        lease: Lease,
    ) -> Self {
        let inner = Arc::new(Inner {
            store,
            name: name.to_owned(),
            holder: claim.lock.iter().map(|lock| lock.holder.as_str()).collect(),
            state: Mutex::new(State { claim, head }),
            lease: StdMutex::new(lease),
            lost: watch::Sender::new(None),
        });
        let renewer = tokio::spawn(renew(Arc::clone(&inner)));
        Self { inner, renewer }
    }

    /// The holder's own name, unique per run; see [`super::LockRequest::holder`].
    pub fn holder(&self) -> &str {
        &self.inner.holder
    }

    /// The claim as it was last written.
    pub async fn claim(&self) -> Claim {
        self.inner.state.lock().await.claim.clone()
    }

    /// Changes the claim and writes it. Tried again until it succeeds, is refused for good, or the
    /// lease has run out, so that after `Ok` and after [`LockError::Cluster`] it is known what is
    /// stored. What `change` does to the lock is undone.
    pub async fn update(&self, change: impl FnOnce(&mut Claim)) -> Result<Claim, LockError> {
        let mut state = self.inner.state.lock().await;
        let mut claim = state.claim.clone();
        change(&mut claim);
        claim.lock = self.inner.renewed(&state.claim);
        self.inner.write(&mut state, claim).await?;
        Ok(state.claim.clone())
    }

    /// Whether the lock was lost.
    pub fn is_lost(&self) -> bool {
        self.inner.lost.borrow().is_some()
    }

    /// How long the lock is ours for certain. No request may be sent whose time limit is longer.
    pub fn remaining(&self) -> Duration {
        if self.is_lost() {
            return Duration::ZERO;
        }
        self.inner.remaining()
    }

    /// Waits until the lock is lost.
    pub async fn lost(&self) {
        let mut lost = self.inner.lost.subscribe();
        // The sender lives as long as `self`.
        let _ = lost.wait_for(Option::is_some).await;
    }

    /// Changes the claim a last time and gives the lock back, in one write.
    pub async fn release(self, change: impl FnOnce(&mut Claim)) -> Result<Claim, LockError> {
        let mut state = self.inner.state.lock().await;
        self.renewer.abort(); // it holds nothing now: the state is locked here
        let mut claim = state.claim.clone();
        change(&mut claim);
        claim.lock = None;
        // Before the lock is gone: only its holder may sweep. Shards of a write still to come are
        // written, and swept after, by that write.
        self.inner.check_not_lost()?;
        if !self.inner.remaining().is_zero() {
            // Past the lease the head may be another's, and what it refers to no garbage. What is
            // left behind harms nobody and the next release takes it along.
            let _ = self
                .inner
                .store
                .sweep(&self.inner.name, &state.head, &[&state.claim, &claim])
                .await;
        }
        self.inner.write(&mut state, claim).await?;
        Ok(state.claim.clone())
    }

    /// Deletes the claim, and the lock with it.
    pub async fn release_and_remove(self) -> Result<(), LockError> {
        let state = self.inner.state.lock().await;
        self.renewer.abort();
        self.inner.check_not_lost()?;
        let outcome = self
            .inner
            .store
            .remove(&self.inner.name, &state.claim)
            .await;
        outcome.map_err(|error| {
            if error.is_conflict() {
                self.inner.lose("another run changed the claim")
            } else {
                LockError::Cluster(error)
            }
        })
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        self.renewer.abort();
    }
}

impl Inner {
    fn lease(&self) -> Lease {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the lock is surely ours.
    fn remaining(&self) -> Duration {
        self.lease().remaining(self.store.cluster().host())
    }

    /// The lock of a claim, renewed now.
    fn renewed(&self, claim: &Claim) -> Option<Lock> {
        let now = self.store.cluster().host().now();
        claim.lock.clone().map(|lock| Lock {
            renewed: after(&lock.renewed, now).to_string(),
            ..lock
        })
    }

    fn check_not_lost(&self) -> Result<(), LockError> {
        match &*self.lost.borrow() {
            None => Ok(()),
            Some(reason) => Err(LockError::Lost {
                name: self.name.clone(),
                reason: reason.clone(),
            }),
        }
    }

    fn lose(&self, reason: &str) -> LockError {
        self.lost.send_if_modified(|lost| {
            let first = lost.is_none();
            if first {
                *lost = Some(reason.to_owned());
            }
            first
        });
        LockError::Lost {
            name: self.name.clone(),
            reason: reason.to_owned(),
        }
    }

    /// Writes the claim, or with the same entries only its lock; on success the lease begins anew.
    async fn write(&self, state: &mut State, claim: Claim) -> Result<(), LockError> {
        self.check_not_lost()?;
        loop {
            let lease = self.lease();
            let host = self.store.cluster().host();
            let renewed = lease.renewed_now(host);
            let error = match self.try_write(state, &claim, lease).await {
                Ok(written) => {
                    *state = written;
                    *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
                    return Ok(());
                }
                Err(error) => error,
            };
            if error.is_conflict() {
                return Err(self.lose("another run changed the claim"));
            }
            if !error.is_transient() {
                return Err(LockError::Cluster(error));
            }
            if lease.remaining(host).is_zero() {
                return Err(self.lose(&format!("it could not be renewed in time: {error}")));
            }
            tokio::time::sleep(RETRY_PAUSE.min(lease.remaining(host))).await;
        }
    }

    async fn try_write(
        &self,
        state: &State,
        claim: &Claim,
        lease: Lease,
    ) -> Result<State, ClusterError> {
        let host = self.store.cluster().host();
        let limit = self.store.cluster().timeout().min(lease.remaining(host));
        let store = self.store.with_timeout(limit.max(SHORTEST_WRITE));
        let only_lock = Claim {
            lock: claim.lock.clone(),
            ..state.claim.clone()
        };
        if let (true, Some(lock)) = (only_lock == *claim, &claim.lock) {
            let head = store.swap_lock(&self.name, &state.head, lock).await?;
            let claim = Claim {
                resource_version: head.resource_version.clone(),
                ..claim.clone()
            };
            return Ok(State { claim, head });
        }
        let (claim, head) = store.swap(&self.name, &state.head, claim).await?;
        Ok(State { claim, head })
    }
}

/// Renews until lost. The task ends with the guard.
async fn renew(inner: Arc<Inner>) {
    let interval = inner.lease().length / RENEWALS_PER_LEASE;
    loop {
        tokio::time::sleep(interval).await;
        let mut state = inner.state.lock().await;
        let mut claim = state.claim.clone();
        claim.lock = inner.renewed(&claim);
        match inner.write(&mut state, claim).await {
            Ok(()) => {}
            Err(LockError::Lost { .. }) => return,
            // Refused for now; somebody may set it right before the lease runs out.
            Err(LockError::Cluster(error)) => {
                if inner.remaining().is_zero() {
                    inner.lose(&format!("it could not be renewed in time: {error}"));
                    return;
                }
            }
        }
    }
}

/// The time of a renewal: now, or where the clock stood still or was set back, the least time after
/// the last one. Whoever watches must see it change.
fn after(last: &str, now: Timestamp) -> Timestamp {
    let last: Option<Timestamp> = last.parse().ok();
    last.filter(|last| *last >= now)
        .and_then(|last| last.checked_add(SignedDuration::from_nanos(1)).ok())
        .unwrap_or(now)
}
