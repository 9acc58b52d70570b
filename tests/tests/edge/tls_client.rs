//! A client over TLS that trusts everybody, shows the certificate, and speaks either version of HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::Answer;

/// Longest time for an answer.
const LIMIT: Duration = Duration::from_secs(20);

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

/// A request: the name that TLS is asked for, and the host that HTTP is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) port: u16,
    pub(crate) version: Version,
    pub(crate) name: &'a str,
    pub(crate) host: &'a str,
    pub(crate) method: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

impl<'a> Asked<'a> {
    /// `GET /` of a host.
    pub(crate) fn get(port: u16, version: Version, host: &'a str) -> Self {
        Self {
            port,
            version,
            name: host,
            host,
            method: "GET",
            headers: &[],
        }
    }

    /// The answer, and the certificate that was shown.
    pub(crate) fn ask(&self) -> Result<(Answer, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let asked = tokio::time::timeout(LIMIT, self.asked());
            asked.await.context("no answer in time")?
        })
    }

    async fn asked(&self) -> Result<(Answer, Vec<u8>)> {
        let at = SocketAddr::from(([127, 0, 0, 1], self.port));
        let stream = TcpStream::connect(at).await.context("connect")?;
        let name = ServerName::try_from(self.name.to_owned())?;
        let connector = TlsConnector::from(Arc::new(config(self.version)?));
        let stream = connector.connect(name, stream).await.context("TLS")?;
        let shown = stream.get_ref().1.peer_certificates();
        let shown = shown.and_then(|all| all.first()).context("a certificate")?;
        let shown = shown.to_vec();
        let mut request = Request::builder().method(self.method);
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        let stream = TokioIo::new(stream);
        let response = match self.version {
            Version::One => {
                let request = request.uri("/").header("host", self.host);
                let (mut sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                sender
                    .send_request(request.body(Empty::<Bytes>::new())?)
                    .await?
            }
            Version::Two => {
                let request = request.uri(format!("https://{}/", self.host));
                let executor = TokioExecutor::new();
                let (mut sender, connection) = http2::handshake(executor, stream).await?;
                tokio::spawn(connection);
                sender
                    .send_request(request.body(Empty::<Bytes>::new())?)
                    .await?
            }
        };
        let (parts, body) = response.into_parts();
        let headers = parts.headers.iter();
        let headers = headers.map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        let answer = Answer {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: String::from_utf8(body.collect().await?.to_bytes().to_vec())?,
        };
        Ok((answer, shown))
    }
}

fn config(version: Version) -> Result<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting))
        .with_no_client_auth();
    config.alpn_protocols = vec![match version {
        Version::One => b"http/1.1".to_vec(),
        Version::Two => b"h2".to_vec(),
    }];
    Ok(config)
}

#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = ring::default_provider().signature_verification_algorithms;
        known.supported_schemes()
    }
}
