//! One connection: TLS, HTTP, and whose request it is.

use std::{
    convert::Infallible,
    io,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::Watcher},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::Access;
use crate::{AnswerBody, Failure, Sandbox, User, access};

/// How long a client may take to shake hands.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a client may take to send a request's head.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// What all connections share.
pub(super) struct Front {
    pub(super) sandbox: Sandbox,
    /// Who is let in.
    pub(super) users: Arc<RwLock<Vec<Access>>>,
    pub(super) acceptor: TlsAcceptor,
}

impl Front {
    /// Serves one connection until it ends. A client that breaks it off is no failure of ours.
    pub(super) async fn connection(self: Arc<Self>, stream: TcpStream, watcher: Watcher) {
        // Small answers are sent at once; where that cannot be had they merely come later.
        let _ = stream.set_nodelay(true);
        let accept = self.acceptor.accept(stream);
        let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_LIMIT, accept).await else {
            return;
        };
        let mut builder = Builder::new(TokioExecutor::new());
        let timer = TokioTimer::new();
        builder.http1().timer(timer).header_read_timeout(HEAD_LIMIT);
        let service = service_fn(move |request| {
            let front = self.clone();
            async move { front.answer(request).await }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let _ = watcher.watch(connection).await;
    }

    /// The sandbox's answer; an error breaks the connection.
    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<AnswerBody>> {
        match self.user(request.headers()) {
            Some(user) => self.sandbox.as_user(user).oneshot(request).await,
            None => Ok(unauthorized()),
        }
    }

    /// Whose token it is: one of ours, or one that the cluster gave to a service account.
    fn user(&self, headers: &HeaderMap) -> Option<User> {
        let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let token = token.trim();
        let known = {
            let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
            let access = users.iter().find(|access| access.token == token);
            access.map(|access| access.user.clone())
        };
        known.or_else(|| {
            self.sandbox
                .look(|state| access::authenticate(state, token))
        })
    }
}

fn unauthorized() -> Response<AnswerBody> {
    let status = Failure::new(401, "Unauthorized", "Unauthorized").to_value();
    let body = Full::new(Bytes::from(status.to_string()));
    let body = UnsyncBoxBody::new(body.map_err(|never: Infallible| match never {}));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
