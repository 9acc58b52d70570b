//! One request, one answer, over connections that are kept.

use std::{
    error::Error,
    io,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use ::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::{BuilderVerifierExt, Verifier};

use crate::client::ClientError;

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("cannot connect: {0}")]
    Untrusted(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("there was no whole answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Connections to wherever.
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Http {
    /// Trusts whom the machine trusts, and the authorities in a file besides.
    pub(crate) fn new(authorities: Option<&Path>) -> Result<Self, ClientError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(authorities)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client })
    }

    /// Sends a request and reads the whole answer, at most `limit` bytes of it.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limit: usize,
        time: Duration,
    ) -> Result<Answer, SendError> {
        let sent = async {
            let response = self.client.request(request).await.map_err(|error| {
                if is_tls(&error) {
                    SendError::Untrusted(causes(&error))
                } else if error.is_connect() {
                    SendError::Connect(causes(&error))
                } else {
                    SendError::Broken(causes(&error))
                }
            })?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, limit).collect().await;
            let body = body.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    SendError::TooLong(limit)
                } else {
                    SendError::Broken(causes(&*error))
                }
            })?;
            Ok(Answer {
                status: parts.status,
                headers: parts.headers,
                body: body.to_bytes(),
            })
        };
        let sent = tokio::time::timeout(time, sent).await;
        sent.unwrap_or(Err(SendError::TimedOut(time)))
    }
}

/// Whether an error is one of TLS, which stays the same however often it is tried.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let mut one = Some(error);
    while let Some(error) = one {
        if error.is::<rustls::Error>() {
            return true;
        }
        // An error of I/O does not name the one in it as its source.
        let inner = error.downcast_ref::<io::Error>();
        let inner = inner.and_then(io::Error::get_ref);
        one = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

/// What an error says, without the layers above that only say where.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Trusts whom the machine trusts; its authorities are read once.
static PLATFORM: LazyLock<Result<ClientConfig, String>> = LazyLock::new(|| {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.and_then(BuilderVerifierExt::with_platform_verifier);
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(builder.with_no_client_auth())
});

fn tls(authorities: Option<&Path>) -> Result<ClientConfig, ClientError> {
    let Some(path) = authorities else {
        return PLATFORM.clone().map_err(ClientError::Tls);
    };
    let unusable = |problem: String| ClientError::Authorities {
        path: path.to_owned(),
        problem,
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(error.to_string()))?;
    if certificates.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(certificates, Arc::clone(&provider))
        .map_err(|error| unusable(error.to_string()))?;
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Tls(error.to_string()))?;
    // The verifier checks as the platform does; only the authorities are more.
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    Ok(builder.with_no_client_auth())
}
