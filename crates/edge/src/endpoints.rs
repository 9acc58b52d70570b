//! What others ask the edge: whether it lives, whether it is ready, its numbers, and whether a host is
//! to get a certificate.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::Instant};

use crate::{edge::Shared, status::Status};

/// How many are answered at once.
const AT_ONCE: usize = 64;
/// How long a client may take for the head of its request.
const HEAD: std::time::Duration = std::time::Duration::from_secs(10);

/// Listens, and answers until the future is dropped.
pub(crate) async fn answer(listener: TcpListener, status: Shared<Status>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most often: others give some back.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let status = Arc::clone(&status);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let response = respond(&request, &status);
                async move { Ok::<_, Infallible>(response) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), service);
            // A client that went away is told nothing.
            let _ = served.await;
            drop(place);
        });
    }
}

/// The address that is listened at.
pub(crate) async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

fn respond(request: &Request<Incoming>, status: &Shared<Status>) -> Response<Full<Bytes>> {
    let status = status.lock().unwrap_or_else(PoisonError::into_inner);
    let uri = request.uri();
    let (code, text) = match (request.method(), uri.path()) {
        (&Method::GET | &Method::HEAD, path) => read(path, uri.query(), &status),
        _ => (
            StatusCode::METHOD_NOT_ALLOWED,
            "only GET is answered\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = code;
    let content = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content);
    response
}

fn read(path: &str, query: Option<&str>, status: &Status) -> (StatusCode, String) {
    match path {
        "/healthz" if status.is_alive(Instant::now()) => (StatusCode::OK, "alive\n".to_owned()),
        "/healthz" => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the loop does not go round\n".to_owned(),
        ),
        "/readyz" => match status.readiness() {
            Ok(text) => (StatusCode::OK, text),
            Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text),
        },
        "/metrics" => (StatusCode::OK, status.metrics()),
        "/ask" => {
            let mut fields = query.unwrap_or_default().split('&');
            let domain = fields.find_map(|field| field.strip_prefix("domain="));
            if domain.is_some_and(|domain| status.serves(domain)) {
                (StatusCode::OK, "served\n".to_owned())
            } else {
                (StatusCode::NOT_FOUND, "not served here\n".to_owned())
            }
        }
        _ => (StatusCode::NOT_FOUND, "nothing is here\n".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_question_has_its_own_answer() {
        let mut status = Status {
            alive: Some(Instant::now()),
            not_ready: Some("nothing is published".to_owned()),
            hosts: ["a.example".to_owned()].into(),
            ..Status::default()
        };
        let code =
            |path: &str, query: Option<&str>, status: &Status| read(path, query, status).0.as_u16();
        assert_eq!(code("/healthz", None, &status), 200);
        assert_eq!(code("/readyz", None, &status), 503);
        assert_eq!(code("/ask", Some("domain=a.example"), &status), 200);
        assert_eq!(code("/ask", Some("domain=b.example"), &status), 404);
        assert_eq!(code("/ask", None, &status), 404);
        assert_eq!(code("/config", None, &status), 404);
        status.not_ready = None;
        assert_eq!(code("/readyz", None, &status), 200);
        tokio::time::advance(std::time::Duration::from_mins(4)).await;
        assert_eq!(code("/healthz", None, &status), 503);
    }
}
