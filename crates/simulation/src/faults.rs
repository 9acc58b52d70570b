//! What goes wrong on the way to the server, and who comes between two requests.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use tower::{Service, ServiceExt};
use underpin_sandbox::As;

/// What is done between two requests of a run: somebody else acts.
pub(crate) type Between = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The way from one run to the server. Before one of its requests, somebody else may act.
#[derive(Clone)]
pub(crate) struct Faulty {
    inner: As,
    sent: Arc<AtomicUsize>,
    between: Option<(usize, Between)>,
}

impl Faulty {
    /// A way on which nothing comes between.
    pub(crate) fn new(inner: As) -> Self {
        Self {
            inner,
            sent: Arc::default(),
            between: None,
        }
    }

    /// A way on which somebody acts before the `at`-th request (from 0).
    pub(crate) fn with(inner: As, at: usize, between: Between) -> Self {
        Self {
            between: Some((at, between)),
            ..Self::new(inner)
        }
    }
}

impl<B> Service<Request<B>> for Faulty
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = Response<UnsyncBoxBody<Bytes, io::Error>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let between = self
            .between
            .as_ref()
            .filter(|(at, _)| *at == number)
            .map(|(_, between)| Arc::clone(between));
        let inner = self.inner.clone();
        Box::pin(async move {
            if let Some(between) = between {
                between().await;
            }
            inner.oneshot(request).await
        })
    }
}
