//! An HTTP server whose answers a test gives.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) after: Duration,
}

impl Told {
    pub(crate) fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            after: Duration::ZERO,
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// An error as registries write it.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{code}"}}]}}"#);
        Self::new(status, body).with("content-type", "application/json")
    }
}

pub(crate) type Handler = dyn Fn(&Asked) -> Told + Send + Sync;

/// A running server. It ends with this value.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) log: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Asked) -> Told + Send + Sync + 'static) -> Self {
        Self::start_behind(None, handler).await
    }

    /// The same, perhaps behind TLS.
    pub(crate) async fn start_behind(
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&Asked) -> Told + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let log: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let handler: Arc<Handler> = Arc::new(handler);
        let kept = Arc::clone(&log);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (handler, log) = (Arc::clone(&handler), Arc::clone(&kept));
                let service = service_fn(move |request| {
                    let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
                    async move { Ok::<_, Infallible>(answer(&*handler, &log, request).await) }
                });
                let tls = tls.clone();
                tokio::spawn(async move {
                    let http = http1::Builder::new();
                    // Clients that do not trust it, or are done, break off.
                    let _ = match tls {
                        None => http.serve_connection(TokioIo::new(stream), service).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => {
                                http.serve_connection(TokioIo::new(stream), service).await
                            }
                            Err(_) => Ok(()),
                        },
                    };
                });
            }
        });
        Self { host, log, task }
    }

    /// `METHOD PATH` of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter()
            .map(|it| format!("{} {}", it.method, it.path))
            .collect()
    }

    pub(crate) fn count(&self, beginning: &str) -> usize {
        let requests = self.requests();
        requests
            .iter()
            .filter(|it| it.starts_with(beginning))
            .count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    handler: &Handler,
    log: &Mutex<Vec<Asked>>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    };
    log.lock().unwrap().push(asked.clone());
    let told = handler(&asked);
    tokio::time::sleep(told.after).await;
    let mut response = Response::builder().status(told.status);
    for (name, value) in &told.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(told.body)).unwrap()
}
