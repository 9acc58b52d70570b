//! One HTTP exchange with the API server: time limit, bounded retries, errors.

use std::{
    error::Error as StdError,
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use http::{HeaderMap, Method, Request, StatusCode, header, response::Parts};
use kube::{Client, client::Body};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Act, ClusterError,
    limiter::{Limiter, Permit},
    status::Refusal,
};

/// Attempts of one request, the first included.
const ATTEMPT_LIMIT: u32 = 5;
/// Pause before the first repetition; doubled with each further one.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// Longest pause, whatever the server asks for: the caller's time limit counts too.
const BACKOFF_LIMIT: Duration = Duration::from_secs(8);
/// `User-Agent` of every request.
const USER_AGENT: &str = concat!("underpin/", env!("CARGO_PKG_VERSION"));

/// The connection of one cluster, with the names that errors speak of.
pub(crate) struct Transport {
    client: Client,
    pub(crate) server: String,
    pub(crate) user: String,
    /// Whether any answer ever came: until then a refused connection is final at once.
    reached: AtomicBool,
    /// Bounds how many bulk reads are under way.
    limiter: Limiter,
}

/// When a request may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Whenever it may succeed: doing it twice does no more than once.
    Always,
    /// Only when the server surely did not begin with it.
    OnlyIfRefused,
}

/// One request.
pub(crate) struct Call {
    pub(crate) act: Act,
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) uri: String,
    pub(crate) accept: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) repeat: Repeat,
    /// Whether it is one of many, to be sent no faster than the server bears.
    pub(crate) bulk: bool,
    /// Limit of everything: all attempts and the pauses between.
    pub(crate) timeout: Duration,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) value: Value,
}

/// Plain JSON.
pub(crate) const ACCEPT_JSON: &str = "application/json";
/// One object's metadata; plain JSON where a server cannot do that.
pub(crate) const ACCEPT_METADATA: &str =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
/// Whatever there is: what comes is a text.
pub(crate) const ACCEPT_TEXT: &str = "*/*";
/// `Content-Type` of a server-side apply; JSON is YAML.
pub(crate) const APPLY_PATCH: &str = "application/apply-patch+yaml";
/// `Content-Type` of an RFC 7386 merge patch.
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

impl Call {
    /// A read.
    pub(crate) fn get(act: Act, uri: String, accept: &'static str, timeout: Duration) -> Self {
        Self {
            act,
            method: Method::GET,
            uri,
            accept,
            content_type: ACCEPT_JSON,
            body: Vec::new(),
            repeat: Repeat::Always,
            bulk: false,
            timeout,
        }
    }

    /// A read that is one of many.
    pub(crate) fn get_bulk(act: Act, uri: String, accept: &'static str, timeout: Duration) -> Self {
        Self {
            bulk: true,
            ..Self::get(act, uri, accept, timeout)
        }
    }

    fn request(&self) -> Result<Request<Body>, ClusterError> {
        let mut builder = Request::builder()
            .method(self.method.clone())
            .uri(&self.uri)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, self.accept);
        if !self.body.is_empty() {
            builder = builder.header(header::CONTENT_TYPE, self.content_type);
        }
        builder
            .body(Body::from(self.body.clone()))
            .map_err(|error| self.decode_error(&error))
    }

    fn decode_error(&self, reason: &dyn std::fmt::Display) -> ClusterError {
        ClusterError::Decode {
            act: Box::new(self.act.clone()),
            reason: reason.to_string(),
        }
    }

    fn timed_out(&self) -> ClusterError {
        ClusterError::Timeout {
            act: Box::new(self.act.clone()),
            after: self.timeout,
        }
    }
}

/// How an attempt failed, and whether another one makes sense.
struct Failure {
    error: ClusterError,
    retry: Retry,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    /// The server did not begin with it.
    Refused,
    /// It may or may not have been done.
    Unclear,
}

impl Transport {
    pub(crate) fn new(client: Client, server: String, user: String) -> Self {
        Self {
            client,
            server,
            user,
            reached: AtomicBool::new(false),
            limiter: Limiter::default(),
        }
    }

    /// Sends a request until it succeeds, fails for good, or the time is over.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, ClusterError> {
        // Waiting for one's turn does not count: the server has not been asked yet.
        let mut permit = self.permit(call).await;
        let deadline = Instant::now() + call.timeout;
        let mut backoff = BACKOFF_FIRST;
        for attempt in 1.. {
            let outcome = tokio::time::timeout_at(deadline, self.attempt(call)).await;
            let Ok(outcome) = outcome else {
                return Err(call.timed_out());
            };
            let failure = match outcome {
                Ok(reply) => {
                    if let Some(permit) = permit {
                        permit.succeeded();
                    }
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            if let (Some(permit), ClusterError::Throttled { .. }) = (permit.take(), &failure.error)
            {
                permit.throttled();
            }
            let again = match failure.retry {
                Retry::Never => false,
                Retry::Refused => true,
                Retry::Unclear => call.repeat == Repeat::Always,
            };
            let pause = asked_pause(&failure.error)
                .unwrap_or(backoff)
                .min(BACKOFF_LIMIT);
            if !again || attempt >= ATTEMPT_LIMIT || Instant::now() + pause >= deadline {
                return Err(failure.error);
            }
            tokio::time::sleep(pause).await;
            backoff *= 2;
            permit = tokio::time::timeout_at(deadline, self.permit(call))
                .await
                .map_err(|_| failure.error)?;
        }
        Err(call.timed_out())
    }

    /// Sends a request once whose answer goes on for as long as it likes. The time limit is that of
    /// the answer's beginning.
    pub(crate) async fn open(&self, call: &Call) -> Result<Body, ClusterError> {
        let request = call.request()?;
        let sent = tokio::time::timeout(call.timeout, self.client.send(request));
        let Ok(sent) = sent.await else {
            return Err(call.timed_out());
        };
        let response = sent.map_err(|error| self.connection_failure(&error).error)?;
        self.reached.store(true, Ordering::Relaxed);
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(body);
        }
        let body = tokio::time::timeout(call.timeout, body.collect_bytes()).await;
        let Ok(body) = body else {
            return Err(call.timed_out());
        };
        let body = body.map_err(|error| self.connection_failure(&error).error)?;
        Err(self.refused(call, &parts, &body))
    }

    async fn permit(&self, call: &Call) -> Option<Permit<'_>> {
        if call.bulk {
            Some(self.limiter.permit().await)
        } else {
            None
        }
    }

    async fn attempt(&self, call: &Call) -> Result<Reply, Failure> {
        let request = call.request().map_err(Failure::last)?;
        let response = self
            .client
            .send(request)
            .await
            .map_err(|error| self.connection_failure(&error))?;
        self.reached.store(true, Ordering::Relaxed);
        let (parts, body) = response.into_parts();
        let body = body
            .collect_bytes()
            .await
            .map_err(|error| self.connection_failure(&error))?;
        if parts.status.is_success() {
            let value = if call.accept == ACCEPT_TEXT {
                Value::String(String::from_utf8_lossy(&body).into_owned())
            } else {
                serde_json::from_slice(&body)
                    .map_err(|error| Failure::last(call.decode_error(&describe_json(&error))))?
            };
            return Ok(Reply {
                headers: parts.headers,
                value,
            });
        }
        let error = self.refused(call, &parts, &body);
        Err(Failure {
            retry: retry_of(call, parts.status, &error),
            error,
        })
    }

    /// What an answer says that is no success.
    fn refused(&self, call: &Call, parts: &Parts, body: &[u8]) -> ClusterError {
        let refusal = Refusal {
            act: &call.act,
            server: &self.server,
            user: &self.user,
            code: parts.status,
            retry_after: retry_after(&parts.headers),
            body,
        };
        refusal.to_error()
    }

    /// A failure on the way: no connection, or one that broke.
    fn connection_failure(&self, error: &kube::Error) -> Failure {
        let reason = connection_reason(error);
        let broke = broken_connection(error, &reason);
        let retry = if broke {
            Retry::Unclear
        } else if self.reached.load(Ordering::Relaxed) && !matches!(error, kube::Error::Auth(_)) {
            Retry::Refused
        } else {
            Retry::Never
        };
        Failure {
            error: ClusterError::Unreachable {
                server: self.server.clone(),
                reason,
            },
            retry,
        }
    }
}

impl Failure {
    fn last(error: ClusterError) -> Self {
        Self {
            error,
            retry: Retry::Never,
        }
    }
}

/// Says where JSON is wrong, never what stands there: the body may be a Secret.
fn describe_json(error: &serde_json::Error) -> String {
    format!(
        "not JSON at line {}, column {}",
        error.line(),
        error.column()
    )
}

fn retry_of(call: &Call, code: StatusCode, error: &ClusterError) -> Retry {
    match (code.as_u16(), error) {
        (429, _) => Retry::Refused,
        // The storage behind the server, most often; of an apply it may be a refusal for good.
        (500, ClusterError::Server { .. }) if call.content_type != APPLY_PATCH => Retry::Unclear,
        (502..=504, _) | (_, ClusterError::Server { code: 504, .. }) => Retry::Unclear,
        // A quota was being counted at the same moment; nothing was written.
        (409, ClusterError::Server { .. }) => Retry::Refused,
        _ => Retry::Never,
    }
}

fn asked_pause(error: &ClusterError) -> Option<Duration> {
    match error {
        ClusterError::Throttled { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// `Retry-After` in seconds; the API server never sends a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// An error and its sources in one line, without repetitions.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut at = Some(error);
    while let Some(error) = at {
        let text = error.to_string();
        if texts.iter().any(|known| known.contains(&text)) {
            at = error.source();
            continue;
        }
        // A wrapper whose text ends with its source's adds nothing but its own name.
        texts.retain(|known| !text.contains(known.as_str()));
        texts.push(text);
        at = error.source();
    }
    texts.join(": ")
}

/// What a connection said, without the names of the layers that passed it on.
fn connection_reason(error: &kube::Error) -> String {
    let inner = match error {
        kube::Error::Service(inner) => chain(inner.as_ref()),
        other => chain(other),
    };
    inner.replace("client error (Connect): ", "")
}

/// Whether a connection that once stood broke, so that the request may have been carried out.
fn broken_connection(error: &(dyn StdError + 'static), text: &str) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::UnexpectedEof
            )
        ) {
            return true;
        }
        at = error.source();
    }
    // hyper's own word for a peer that closed before it answered; it carries no io::Error.
    text.contains("connection closed before message completed")
        || text.contains("end of file before message length reached")
}
