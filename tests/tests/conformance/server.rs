//! The two sides: a real API server, and the sandbox within this process.

use std::{fmt::Write as _, time::Duration};

use anyhow::{Context, Result};
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use serde_json::Value;
use underpin_sandbox::{Config, ReplyBody, Request, State, User};

use crate::expand::Concrete;

/// Longest wait for an answer.
const LIMIT: Duration = Duration::from_secs(30);
/// Pause before a real server is asked again.
const PAUSE: Duration = Duration::from_millis(40);
/// Time that passes before the sandbox is asked again.
const STEP: SignedDuration = SignedDuration::from_millis(100);

/// One side.
pub(crate) enum Server {
    /// A real one; requests go over the wire.
    Real(kube::Client),
    /// A sandbox of this sequence's own. Its time stands still but for pauses.
    Sandbox(Box<State>),
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    /// Text where it is no JSON.
    pub(crate) body: Value,
}

impl Server {
    /// A sandbox with one node, as the real server's.
    pub(crate) fn sandbox() -> Self {
        Self::Sandbox(Box::new(State::new(Config {
            begin: Timestamp::now(),
            rbac: true,
            ..Config::default()
        })))
    }

    /// Sends a request. Any status is an answer.
    pub(crate) async fn send(&mut self, request: &Concrete) -> Result<Answer> {
        match self {
            Self::Real(client) => {
                let exchange = send_real(client, request);
                tokio::time::timeout(LIMIT, exchange)
                    .await
                    .context("no answer in time")?
            }
            Self::Sandbox(state) => Ok(send_within(state, request)),
        }
    }

    /// Lets some time pass.
    pub(crate) async fn pause(&mut self) {
        match self {
            Self::Real(_) => tokio::time::sleep(PAUSE).await,
            Self::Sandbox(state) => {
                let next = state.now().saturating_add(STEP);
                state.advance_to(next.unwrap_or(Timestamp::MAX));
            }
        }
    }
}

async fn send_real(client: &kube::Client, request: &Concrete) -> Result<Answer> {
    let mut uri = request.path.clone();
    if !request.query.is_empty() {
        let _ = write!(uri, "?{}", request.query);
    }
    let mut builder = http::Request::builder()
        .method(request.method.clone())
        .uri(uri)
        .header(ACCEPT, &request.accept)
        .header(USER_AGENT, &request.agent);
    if !request.content_type.is_empty() {
        builder = builder.header(CONTENT_TYPE, &request.content_type);
    }
    if let Some(user) = &request.user {
        builder = builder.header("Impersonate-User", user);
    }
    let request = builder.body(Body::from(request.body.clone().into_bytes()))?;
    let response = client.send(request).await?;
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await?;
    Ok(Answer {
        code,
        body: document(&bytes),
    })
}

fn send_within(state: &mut State, request: &Concrete) -> Answer {
    let user = request.user.as_ref().map(|name| User {
        name: name.clone(),
        groups: vec!["system:authenticated".to_owned()],
    });
    let request = Request {
        method: request.method.clone(),
        path: request.path.clone(),
        query: parameters(&request.query),
        accept: request.accept.clone(),
        content_type: request.content_type.clone(),
        user_agent: request.agent.clone(),
        body: request.body.clone().into(),
        user: user.unwrap_or_else(User::admin),
    };
    let reply = state.handle(&request);
    let body = match reply.body {
        ReplyBody::Json(value) => value,
        ReplyBody::Object(value) => value.as_ref().clone(),
        ReplyBody::Text(text) => document(text.as_bytes()),
        ReplyBody::Bytes(bytes) => document(&bytes),
        ReplyBody::Watch(_) => "a watch".into(),
    };
    Answer {
        code: reply.code,
        body,
    }
}

fn document(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned().into())
}

fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

/// Without percent-encoding.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
