//! The admin endpoint of a Caddy.
//!
//! What Caddy says to a configuration that it does not take may quote the entries, so that it is never
//! passed on.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    Address,
    exchange::{Answer, Connection, ExchangeError},
};

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time for Caddy to take on a configuration: 10 000 sites take it about 2 s.
const LOAD: Duration = Duration::from_mins(1);
/// How often a request is sent whose connection breaks.
const ATTEMPTS: u32 = 4;
/// Pause between two of these.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest time for everything else.
const ASK: Duration = Duration::from_secs(10);

/// Why a Caddy does not do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// It was not reached.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// It does not take what it was given.
    #[error("Caddy does not take the configuration (status {0})")]
    Refused(u16),
    /// It answers what no Caddy answers.
    #[error("what listens at {0} does not answer as Caddy does")]
    NoCaddy(String),
}

/// An admin endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    address: Address,
}

impl Admin {
    pub(crate) fn new(address: Address) -> Self {
        Self { address }
    }

    /// A connection for many requests.
    pub(crate) async fn open(&self) -> Result<Connection, ExchangeError> {
        Connection::open(&self.address, CONNECT).await
    }

    /// What runs, as Caddy writes it.
    pub(crate) async fn config(&self) -> Result<Bytes, AdminError> {
        let answer = self
            .send(Method::GET, "/config/", "", &Bytes::new(), ASK)
            .await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            _ => Err(self.no_caddy()),
        }
    }

    /// Tells what runs, part by part, to what is begun anew each time it is asked.
    pub(crate) async fn config_into<T>(
        &self,
        begin: impl Fn() -> T,
        take: impl Fn(&mut T, &[u8]),
    ) -> Result<T, AdminError> {
        let request = || self.request(Method::GET, "/config/", "", Bytes::new());
        match self.send_into(request, ASK, begin, take).await? {
            (StatusCode::OK, _, taken) => Ok(taken),
            _ => Err(self.no_caddy()),
        }
    }

    /// Has a document run. When this returns without an error, it does.
    pub(crate) async fn load(&self, document: Bytes) -> Result<(), AdminError> {
        let json = "application/json";
        let answer = self
            .send(Method::POST, "/load", json, &document, LOAD)
            .await?;
        match answer.status {
            StatusCode::OK => Ok(()),
            status if status.is_client_error() || status.is_server_error() => {
                Err(AdminError::Refused(status.as_u16()))
            }
            _ => Err(self.no_caddy()),
        }
    }

    /// Sends a request that does no more if it is done twice. For each document Caddy opens its admin
    /// endpoint anew, and a connection that comes at that moment may be reset.
    async fn send(
        &self,
        method: Method,
        path: &'static str,
        content: &'static str,
        body: &Bytes,
        limit: Duration,
    ) -> Result<Answer, ExchangeError> {
        let request = || self.request(method.clone(), path, content, body.clone());
        let take = |whole: &mut BytesMut, part: &[u8]| whole.extend_from_slice(part);
        let (status, headers, body) = self.send_into(request, limit, BytesMut::new, take).await?;
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }

    /// The same, where the body goes part by part into what is begun anew with each attempt.
    async fn send_into<T>(
        &self,
        request: impl Fn() -> Request<Full<Bytes>>,
        limit: Duration,
        begin: impl Fn() -> T,
        take: impl Fn(&mut T, &[u8]),
    ) -> Result<(StatusCode, HeaderMap, T), ExchangeError> {
        let end = Instant::now() + limit;
        let mut attempt = 1;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut taken = begin();
            let mut connection = self.open().await?;
            let sent = connection.send_and_take(request(), left, |part| take(&mut taken, part));
            match sent.await {
                Err(ExchangeError::Broken { .. } | ExchangeError::Answer { .. })
                    if attempt < ATTEMPTS =>
                {
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer.map(|(status, headers)| (status, headers, taken)),
            }
        }
    }

    /// What Caddy makes of a Caddyfile; `None` when it does not take it.
    pub(crate) async fn adapt(
        &self,
        connection: &mut Connection,
        text: &str,
    ) -> Result<Option<Value>, AdminError> {
        let body = Bytes::copy_from_slice(text.as_bytes());
        let request = self.request(Method::POST, "/adapt", "text/caddyfile", body);
        let Answer { status, body, .. } = connection.send(request, ASK).await?;
        if status == StatusCode::BAD_REQUEST {
            return Ok(None);
        }
        let answer: Option<Value> = serde_json::from_slice(&body).ok();
        let result = answer.and_then(|mut answer| Some(answer.get_mut("result")?.take()));
        match result.filter(|_| status == StatusCode::OK) {
            Some(result) => Ok(Some(result)),
            None => Err(self.no_caddy()),
        }
    }

    fn no_caddy(&self) -> AdminError {
        AdminError::NoCaddy(self.address.to_string())
    }

    fn request(
        &self,
        method: Method,
        path: &'static str,
        content: &'static str,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        // Caddy compares the host with its own address, which for a socket is none.
        let host = match &self.address {
            Address::Tcp(address) => address.to_string(),
            Address::Unix(_) => String::new(),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = http::Uri::from_static(path);
        let headers = request.headers_mut();
        if let Ok(host) = host.parse() {
            headers.insert(header::HOST, host);
        }
        if !content.is_empty() {
            headers.insert(
                header::CONTENT_TYPE,
                header::HeaderValue::from_static(content),
            );
        }
        request
    }
}
