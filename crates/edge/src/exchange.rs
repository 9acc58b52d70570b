//! HTTP with a Caddy: one connection, one request after the other.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use underpin_route::Protocol;

use crate::{Address, tls};

/// Longest answer: the configuration of a large edge, with room to spare.
const ANSWER_LIMIT: usize = 256 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Nobody listens.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// There is no certificate for a name.
    #[error("no certificate for {name} is shown at {address}")]
    NoCertificate {
        /// Where.
        address: String,
        /// The name.
        name: String,
    },
    /// TLS does not come about.
    #[error("no TLS with {address} for {name}: {source}")]
    Tls {
        /// Where.
        address: String,
        /// The name.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {address} broke: {source}")]
    Broken {
        /// Where.
        address: String,
        /// How.
        source: hyper::Error,
    },
    /// It took too long.
    #[error("{address} did not answer within {} s", after.as_secs())]
    TimedOut {
        /// Where.
        address: String,
        /// How long was waited.
        after: Duration,
    },
    /// The answer does not end, or breaks off.
    #[error("the answer of {address} is too long or broke off")]
    Answer {
        /// Where.
        address: String,
    },
}

/// An answer.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A connection.
pub(crate) struct Connection {
    address: String,
    sender: Sender,
}

enum Sender {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    pub(crate) async fn open(address: &Address, limit: Duration) -> Result<Self, ExchangeError> {
        let name = address.to_string();
        let opened = tokio::time::timeout(limit, connect(address, &name));
        opened.await.map_err(|_| ExchangeError::TimedOut {
            address: name,
            after: limit,
        })?
    }

    /// The same over TLS for a name. Where `named`, the certificate must have it.
    pub(crate) async fn open_tls(
        at: SocketAddr,
        name: &str,
        named: bool,
        protocol: Protocol,
        limit: Duration,
    ) -> Result<Self, ExchangeError> {
        let opened = tokio::time::timeout(limit, connect_tls(at, name, named, protocol));
        opened.await.map_err(|_| ExchangeError::TimedOut {
            address: at.to_string(),
            after: limit,
        })?
    }

    /// Whether it takes another request, as far as is known.
    pub(crate) fn is_open(&self) -> bool {
        match &self.sender {
            Sender::One(sender) => !sender.is_closed(),
            Sender::Two(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request, waits for the whole answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Answer, ExchangeError> {
        let mut body = BytesMut::new();
        let take = |part: &[u8]| body.extend_from_slice(part);
        let (status, headers) = self.send_and_take(request, limit, take).await?;
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }

    /// The same, where the body is taken part by part.
    pub(crate) async fn send_and_take(
        &mut self,
        request: Request<Full<Bytes>>,
        limit: Duration,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(StatusCode, HeaderMap), ExchangeError> {
        let address = self.address.clone();
        let sent = tokio::time::timeout(limit, async {
            let response = match &mut self.sender {
                Sender::One(sender) => sender.send_request(request).await,
                Sender::Two(sender) => sender.send_request(request).await,
            };
            let response = response.map_err(|source| ExchangeError::Broken {
                address: address.clone(),
                source,
            })?;
            let (parts, body) = response.into_parts();
            let mut body = Limited::new(body, ANSWER_LIMIT);
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| ExchangeError::Answer {
                    address: address.clone(),
                })?;
                if let Some(part) = frame.data_ref() {
                    take(part);
                }
            }
            Ok((parts.status, parts.headers))
        });
        match sent.await {
            Ok(answer) => answer,
            Err(_) => Err(ExchangeError::TimedOut {
                address,
                after: limit,
            }),
        }
    }
}

async fn connect(address: &Address, name: &str) -> Result<Connection, ExchangeError> {
    let refused = |source| ExchangeError::Connect {
        address: name.to_owned(),
        source,
    };
    let broken = |source| ExchangeError::Broken {
        address: name.to_owned(),
        source,
    };
    let sender = match address {
        Address::Tcp(at) => {
            let stream = tcp(*at).await.map_err(refused)?;
            sender(stream, Protocol::One).await
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await;
            sender(stream.map_err(refused)?, Protocol::One).await
        }
        #[cfg(not(unix))]
        Address::Unix(_) => return Err(refused(io::ErrorKind::Unsupported.into())),
    };
    Ok(Connection {
        address: name.to_owned(),
        sender: sender.map_err(broken)?,
    })
}

async fn tcp(at: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Begins HTTP on what is connected.
async fn sender<S>(stream: S, protocol: Protocol) -> Result<Sender, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    match protocol {
        Protocol::One => {
            let (sender, connection) = http1::handshake(stream).await?;
            tokio::spawn(connection);
            Ok(Sender::One(sender))
        }
        Protocol::Two => {
            let made = http2::handshake(TokioExecutor::new(), stream).await;
            let (sender, connection) = made?;
            tokio::spawn(connection);
            Ok(Sender::Two(sender))
        }
    }
}

async fn connect_tls(
    at: SocketAddr,
    name: &str,
    named: bool,
    protocol: Protocol,
) -> Result<Connection, ExchangeError> {
    let address = at.to_string();
    let failed = |source: io::Error| {
        let (address, name) = (at.to_string(), name.to_owned());
        if tls::lacks_certificate(&source) {
            ExchangeError::NoCertificate { address, name }
        } else {
            ExchangeError::Tls {
                address,
                name,
                source,
            }
        }
    };
    let refused = |source| ExchangeError::Connect {
        address: at.to_string(),
        source,
    };
    let broken = |source| ExchangeError::Broken {
        address: at.to_string(),
        source,
    };
    let config = tls::client(protocol, named).map_err(|error| failed(io::Error::other(error)))?;
    let server = ServerName::try_from(name.to_owned());
    let server = server.map_err(|error| failed(io::Error::other(error)))?;
    let stream = tcp(at).await.map_err(refused)?;
    let stream = TlsConnector::from(config).connect(server, stream).await;
    let sender = sender(stream.map_err(failed)?, protocol).await;
    Ok(Connection {
        address,
        sender: sender.map_err(broken)?,
    })
}
