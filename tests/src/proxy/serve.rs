//! The proxy's server.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use kube::client::Body;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use underpin_testenv::kill;

use super::Action;
use super::record::{Record, RequestInfo, is_mutating};

/// Largest request body. The API server itself takes 3 MB.
const BODY_LIMIT: usize = 16 << 20;
/// Longest wait for the name of the victim.
const VICTIM_LIMIT: Duration = Duration::from_secs(30);
/// Headers that belong to one connection and are not passed on.
const OF_ONE_CONNECTION: [HeaderName; 2] = [CONNECTION, TRANSFER_ENCODING];

type Policy = Box<dyn Fn(&RequestInfo) -> Action + Send + Sync>;
type Error = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, Error>>;

#[derive(Default)]
struct State {
    records: Vec<Record>,
    mutations: u64,
    killed: bool,
}

/// What all connections share.
pub(super) struct Shared {
    client: kube::Client,
    policy: Mutex<Arc<Policy>>,
    state: Mutex<State>,
    victim: watch::Sender<Option<u32>>,
    /// One mutating request at a time, so that "after the n-th" means exactly n effects.
    gate: tokio::sync::Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A policy that panics leaves the state valid.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(client: kube::Client) -> Self {
        Self {
            client,
            policy: Mutex::new(Arc::new(Box::new(|_| Action::Pass))),
            state: Mutex::default(),
            victim: watch::Sender::new(None),
            gate: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn set_policy(&self, policy: Policy) {
        *lock(&self.policy) = Arc::new(policy);
        self.victim.send_replace(None);
        lock(&self.state).killed = false;
    }

    pub(super) fn set_victim(&self, process: u32) {
        self.victim.send_replace(Some(process));
    }

    pub(super) fn has_killed(&self) -> bool {
        lock(&self.state).killed
    }

    pub(super) fn records(&self) -> Vec<Record> {
        lock(&self.state).records.clone()
    }

    pub(super) fn clear(&self) {
        let mut state = lock(&self.state);
        state.records.clear();
        state.mutations = 0;
    }

    fn arrive(&self, request: &Request<Bytes>) -> RequestInfo {
        let (path, query) = (
            request.uri().path(),
            request.uri().query().unwrap_or_default(),
        );
        let mutating = is_mutating(request.method(), path, query, request.body());
        let mut state = lock(&self.state);
        state.mutations += u64::from(mutating);
        let info = RequestInfo {
            number: state.records.len() as u64 + 1,
            mutation: mutating.then_some(state.mutations),
            method: request.method().to_string(),
            path: path.to_owned(),
            query: query.to_owned(),
        };
        state.records.push(Record {
            request: info.clone(),
            at: Timestamp::now(),
            upstream: None,
            delivered: None,
        });
        info
    }

    /// Completes a record, unless the records were cleared meanwhile.
    fn note(&self, info: &RequestInfo, change: impl FnOnce(&mut Record)) {
        let mut state = lock(&self.state);
        if let Some(record) = state
            .records
            .iter_mut()
            .find(|record| record.request == *info)
        {
            change(record);
        }
    }

    /// Decides and acts. An error cuts the connection.
    async fn handle(&self, request: Request<Incoming>) -> Result<Answer, Error> {
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await?.to_bytes();
        let request = Request::from_parts(parts, body);
        let (path, query) = (
            request.uri().path(),
            request.uri().query().unwrap_or_default(),
        );
        let mutating = is_mutating(request.method(), path, query, request.body());
        let _one_at_a_time = if mutating {
            Some(self.gate.lock().await)
        } else {
            None
        };
        let info = self.arrive(&request);
        if mutating && self.has_killed() {
            return Err(cut("the victim is dead"));
        }
        let policy = Arc::clone(&lock(&self.policy));
        let answer = self.act(policy(&info), &info, request).await?;
        let status = answer.status().as_u16();
        self.note(&info, |record| record.delivered = Some(status));
        Ok(answer)
    }

    async fn act(
        &self,
        action: Action,
        info: &RequestInfo,
        request: Request<Bytes>,
    ) -> Result<Answer, Error> {
        match action {
            Action::Pass => self.forward(info, request).await,
            Action::Delay(pause) => {
                sleep(pause).await;
                self.forward(info, request).await
            }
            Action::Answer {
                status,
                reason,
                retry_after,
            } => refuse(status, reason, retry_after),
            Action::CutBefore => Err(cut("before the effect")),
            Action::CutAfter => {
                // The whole answer is there: the effect is complete.
                self.forward(info, request)
                    .await?
                    .into_body()
                    .collect()
                    .await?;
                Err(cut("after the effect"))
            }
            Action::KillBefore => {
                self.kill().await?;
                Err(cut("the victim was killed before the effect"))
            }
            Action::KillAfter => {
                self.forward(info, request)
                    .await?
                    .into_body()
                    .collect()
                    .await?;
                self.kill().await?;
                Err(cut("the victim was killed after the effect"))
            }
        }
    }

    async fn kill(&self) -> Result<(), Error> {
        let mut victim = self.victim.subscribe();
        let named = timeout(VICTIM_LIMIT, victim.wait_for(Option::is_some)).await??;
        let process = named.ok_or_else(|| cut("no victim named"))?;
        drop(named);
        // First, for whoever waits for the process may ask at once.
        lock(&self.state).killed = true;
        kill(process)?;
        Ok(())
    }

    async fn forward(&self, info: &RequestInfo, request: Request<Bytes>) -> Result<Answer, Error> {
        let (mut parts, body) = request.into_parts();
        strip(&mut parts.headers);
        parts.headers.remove(HOST);
        parts.version = http::Version::default();
        parts.extensions.clear();
        let response = self
            .client
            .send(Request::from_parts(parts, Body::from(body)))
            .await?;
        let status = response.status().as_u16();
        self.note(info, |record| record.upstream = Some(status));
        let (mut parts, body) = response.into_parts();
        strip(&mut parts.headers);
        parts.version = http::Version::default();
        parts.extensions.clear();
        Ok(Response::from_parts(
            parts,
            body.map_err(Into::into).boxed_unsync(),
        ))
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in OF_ONE_CONNECTION {
        headers.remove(name);
    }
}

fn cut(why: &str) -> Error {
    io::Error::other(why).into()
}

fn refuse(status: u16, reason: &str, retry_after: Option<u32>) -> Result<Answer, Error> {
    let body = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": format!("injected by the test proxy: {reason}"),
        "reason": reason,
        "code": status,
    });
    let mut builder = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json");
    if let Some(seconds) = retry_after {
        builder = builder.header(RETRY_AFTER, seconds);
    }
    let body = Full::from(serde_json::to_vec(&body)?).map_err(|never| match never {});
    Ok(builder.body(body.boxed_unsync())?)
}

/// Serves connections for ever.
pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // An error concerns one connection that was lost before it was taken.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| shared.handle(request));
            let io = TokioIo::new(stream);
            // Ends with an error whenever the policy cut it.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(io, service)
                    .await,
            );
        });
    }
}
