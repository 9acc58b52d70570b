//! A sandbox as a tower service: what a `kube::Client` or an HTTP server talks to.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, combinators::UnsyncBoxBody};
use tower::Service;

use crate::{
    Failure, Reply, ReplyBody, Request, Sandbox, User, access,
    handle::{route, watch::Watch},
    sandbox::Outcome,
};

/// The body of an answer: whole, or a stream that goes on while a watch does.
pub type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;
/// The answer to come. It fails only where a fault breaks the connection.
pub type AnswerFuture =
    Pin<Box<dyn Future<Output = Result<Response<AnswerBody>, io::Error>> + Send>>;

/// Longest body that is read, in bytes: one more than is allowed, so that the API refuses it.
const READ_LIMIT: usize = crate::handle::BODY_LIMIT + 1;

/// A sandbox as one user sees it.
#[derive(Clone)]
pub struct As {
    sandbox: Sandbox,
    user: User,
}

impl Sandbox {
    /// The same cluster for requests of another user than the administrator.
    pub fn as_user(&self, user: User) -> As {
        As {
            sandbox: self.clone(),
            user,
        }
    }
}

impl<B> Service<http::Request<B>> for Sandbox
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<AnswerBody>;
    type Error = io::Error;
    type Future = AnswerFuture;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> AnswerFuture {
        Box::pin(answer(self.clone(), User::admin(), request))
    }
}

impl<B> Service<http::Request<B>> for As
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<AnswerBody>;
    type Error = io::Error;
    type Future = AnswerFuture;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> AnswerFuture {
        Box::pin(answer(self.sandbox.clone(), self.user.clone(), request))
    }
}

async fn answer<B>(
    sandbox: Sandbox,
    user: User,
    request: http::Request<B>,
) -> Result<Response<AnswerBody>, io::Error>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, READ_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(response(&sandbox, Failure::too_large().into()));
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    let user = match impersonated(&sandbox, user, &parts.headers) {
        Ok(user) => user,
        Err(failure) => return Ok(response(&sandbox, failure.into())),
    };
    let text = |name: HeaderName| {
        let value = parts.headers.get(name);
        let text = value.and_then(|value| value.to_str().ok());
        text.unwrap_or_default().to_owned()
    };
    let request = Request {
        path: parts.uri.path().to_owned(),
        query: route::query(parts.uri.query().unwrap_or_default()),
        accept: accepted(&parts.headers),
        content_type: text(header::CONTENT_TYPE),
        user_agent: text(header::USER_AGENT),
        method: parts.method,
        body,
        user,
    };
    match sandbox.call(request).await {
        Outcome::Reply(reply) => Ok(response(&sandbox, reply)),
        Outcome::Cut => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
    }
}

/// All `Accept` headers as one.
fn accepted(headers: &HeaderMap) -> String {
    let values = headers.get_all(header::ACCEPT).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

fn impersonated(sandbox: &Sandbox, user: User, headers: &HeaderMap) -> Result<User, Failure> {
    let names_another = headers
        .keys()
        .any(|name| name.as_str().starts_with("impersonate-"));
    if names_another {
        sandbox.look(|state| access::impersonate(state, &user, headers))
    } else {
        Ok(user)
    }
}

fn response(sandbox: &Sandbox, reply: Reply) -> Response<AnswerBody> {
    let body = match reply.body {
        ReplyBody::Json(value) => whole(json_bytes(&value)),
        ReplyBody::Object(value) => whole(json_bytes(&value)),
        ReplyBody::Text(text) => whole(text.into()),
        ReplyBody::Bytes(bytes) => whole(bytes),
        ReplyBody::Watch(watch) => UnsyncBoxBody::new(Events {
            sandbox: sandbox.clone(),
            watch: Some(watch),
            next: None,
        }),
    };
    let mut response = Response::new(body);
    if let Ok(code) = http::StatusCode::from_u16(reply.code) {
        *response.status_mut() = code;
    }
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(reply.content_type),
    );
    for (name, value) in reply.headers {
        // A warning may quote names that no header can carry: better none than no answer.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    response
}

fn whole(bytes: Bytes) -> AnswerBody {
    let body = Full::new(bytes).map_err(|never: Infallible| match never {});
    UnsyncBoxBody::new(body)
}

fn json_bytes(value: &serde_json::Value) -> Bytes {
    value.to_string().into()
}

/// A step of a watch: what comes next, with the watch that goes on.
type Step = Pin<Box<dyn Future<Output = (Watch, Bytes)> + Send>>;

/// The events of a watch, a JSON document a line.
struct Events {
    sandbox: Sandbox,
    /// `None` while a step is under way, and after the end.
    watch: Option<Watch>,
    next: Option<Step>,
}

impl Body for Events {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.next.is_none() {
            match this.watch.take() {
                Some(watch) if watch.is_over() => return Poll::Ready(None),
                Some(watch) => this.next = Some(Box::pin(step(this.sandbox.clone(), watch))),
                None => return Poll::Ready(None),
            }
        }
        let Some(next) = this.next.as_mut() else {
            return Poll::Ready(None);
        };
        let (watch, lines) = match next.as_mut().poll(context) {
            Poll::Ready(done) => done,
            Poll::Pending => return Poll::Pending,
        };
        this.next = None;
        this.watch = Some(watch);
        if lines.is_empty() {
            // Only what is over has nothing to say.
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(lines))))
    }
}

/// Waits for the next events.
async fn step(sandbox: Sandbox, mut watch: Watch) -> (Watch, Bytes) {
    loop {
        let (events, revision, now) =
            sandbox.look(|state| (watch.poll(state), state.revision(), state.now()));
        if !events.is_empty() || watch.is_over() {
            let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
            return (watch, lines.into());
        }
        let pause = watch.wake_at().duration_since(now);
        let pause = Duration::try_from(pause).unwrap_or_default();
        tokio::select! {
            () = sandbox.wait_for_change(revision) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
