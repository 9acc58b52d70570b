//! A state behind a lock, with a clock and faults.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::{Failure, Reply, Request, State};

/// One request, as hooks see it.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number, from 0, among all requests of this sandbox.
    pub number: u64,
    /// The request.
    pub request: Request,
}

impl Call {
    /// Whether it is meant to change something: no read, no dry run, no review.
    pub fn is_write(&self) -> bool {
        let path = &self.request.path;
        let reviews = [
            "/apis/authorization.k8s.io/",
            "/apis/authentication.k8s.io/",
        ];
        self.request.method != http::Method::GET
            && !self.request.is_dry_run()
            && !reviews.iter().any(|prefix| path.starts_with(prefix))
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It is carried out after a pause.
    Delay(Duration),
    /// The server refuses it; it has no effect.
    Answer(Failure),
    /// The connection breaks; the request has no effect.
    CutBefore,
    /// The request is carried out, and the connection breaks instead of an answer.
    CutAfter,
    /// No answer ever comes; the request has no effect.
    HangBefore,
    /// The request is carried out, and no answer ever comes.
    HangAfter,
}

/// Looks on, and makes things go wrong.
pub trait Hooks: Send + Sync {
    /// Called before each request with the state as it is then.
    fn before(&self, _call: &Call, _state: &State) -> Fault {
        Fault::None
    }

    /// Called after each request that was carried out, with the state that it left. `before` is
    /// the state right before a write; reads have none.
    fn after(&self, _call: &Call, _before: Option<&State>, _after: &State, _reply: &Reply) {}
}

/// No faults.
#[derive(Clone, Copy, Debug)]
pub struct NoHooks;

impl Hooks for NoHooks {}

/// A running server. Clones share the cluster.
///
/// Its clock begins at [`crate::Config::begin`] and goes with tokio's: paused and advanced by a
/// test, or as the wall clock does.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Mutex<Shared>,
    hooks: Box<dyn Hooks>,
    /// The state's time when the sandbox was made, and tokio's time then.
    begin: (Timestamp, tokio::time::Instant),
    /// Told after every change: watches look again.
    changed: Notify,
}

struct Shared {
    state: State,
    calls: u64,
}

/// What became of a request.
pub(crate) enum Outcome {
    Reply(Reply),
    /// The connection breaks.
    Cut,
}

impl Sandbox {
    /// A server that goes on from a state.
    pub fn new(state: State, hooks: impl Hooks + 'static) -> Self {
        Self {
            inner: Arc::new(Inner {
                begin: (state.now(), tokio::time::Instant::now()),
                shared: Mutex::new(Shared { state, calls: 0 }),
                hooks: Box::new(hooks),
                changed: Notify::new(),
            }),
        }
    }

    /// The time by this server's clock.
    pub fn now(&self) -> Timestamp {
        let (begin, since) = self.inner.begin;
        let elapsed = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX);
        begin.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// The cluster as it is now: a fork, on which nothing that happens later has an effect.
    pub fn state(&self) -> State {
        let mut shared = self.lock();
        shared.state.advance_to(self.now());
        shared.state.clone()
    }

    /// Changes the cluster behind everybody's back.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut shared = self.lock();
        shared.state.advance_to(self.now());
        let result = change(&mut shared.state);
        drop(shared);
        self.inner.changed.notify_waiters();
        result
    }

    /// Number of requests so far.
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Carries out one request, with the faults that the hooks ask for.
    pub(crate) async fn call(&self, request: Request) -> Outcome {
        let call = {
            let mut shared = self.lock();
            let number = shared.calls;
            shared.calls += 1;
            Call { number, request }
        };
        let fault = {
            let mut shared = self.lock();
            shared.state.advance_to(self.now());
            self.inner.hooks.before(&call, &shared.state)
        };
        match fault {
            Fault::None | Fault::CutAfter | Fault::HangAfter => {}
            Fault::Delay(pause) => tokio::time::sleep(pause).await,
            Fault::Answer(failure) => return Outcome::Reply(failure.into()),
            Fault::CutBefore => return Outcome::Cut,
            Fault::HangBefore => std::future::pending::<()>().await,
        }
        let reply = self.carry_out(&call);
        match fault {
            Fault::CutAfter => Outcome::Cut,
            Fault::HangAfter => std::future::pending().await,
            _ => Outcome::Reply(reply),
        }
    }

    fn carry_out(&self, call: &Call) -> Reply {
        let mut shared = self.lock();
        shared.state.advance_to(self.now());
        let revision = shared.state.revision();
        let before = call.is_write().then(|| shared.state.clone());
        let reply = shared.state.handle(&call.request);
        self.inner
            .hooks
            .after(call, before.as_ref(), &shared.state, &reply);
        let changed = shared.state.revision() != revision;
        drop(shared);
        if changed {
            self.inner.changed.notify_waiters();
        }
        reply
    }

    /// Waits until something may have changed since a revision: a write, or work that falls due.
    pub(crate) async fn wait_for_change(&self, seen: u64) {
        let notified = self.inner.changed.notified();
        tokio::pin!(notified);
        // From here on no change is missed, and what came before shows in the revision.
        notified.as_mut().enable();
        let (revision, due) = self.look(|state| (state.revision(), state.next_due()));
        if revision > seen {
            return;
        }
        let pause = due.map(|due| {
            let pause = due.duration_since(self.now());
            Duration::try_from(pause).unwrap_or_default()
        });
        match pause {
            Some(pause) => {
                tokio::select! {
                    () = notified => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
            None => notified.await,
        }
    }

    /// Looks at the state as it is now, without copying it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        let mut shared = self.lock();
        shared.state.advance_to(self.now());
        look(&shared.state)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panic in a test's hook must not hide what the test has to say.
        self.inner
            .shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
