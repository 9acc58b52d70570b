//! A connected cluster.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::{Request, Response};
use kube::{Client, client::Body};
use tower::{BoxError, Service};
use underpin_model::GroupKind;

use crate::{
    ClusterError, Host,
    transport::{Call, Reply, Transport},
};

/// One cluster, as one user. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    transport: Arc<Transport>,
    context: Arc<str>,
    timeout: Duration,
    host: Arc<dyn Host>,
    /// Kinds that have refused a resourceVersion at creation.
    created_by_post: Arc<Mutex<BTreeSet<GroupKind>>>,
}

/// Names cluster and user, nothing of the credentials.
impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("context", &self.context)
            .field("server", &self.transport.server)
            .field("user", &self.transport.user)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// A cluster whose API server is a service in this process. Every request that is sent reaches
    /// the service exactly once: what is repeated is repeated by this crate, within its bounds.
    ///
    /// Must be called within a tokio runtime: the requests pass through a task of it, which ends
    /// with the last clone of the cluster.
    pub fn over_service<S, B>(
        service: S,
        context: &str,
        server: String,
        user: String,
        timeout: Duration,
        host: Arc<dyn Host>,
    ) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // The default namespace is never used: every path is written out.
        let client = Client::new(service, "default");
        Self::new(client, context, server, user, timeout, host)
    }

    pub(crate) fn new(
        client: Client,
        context: &str,
        server: String,
        user: String,
        timeout: Duration,
        host: Arc<dyn Host>,
    ) -> Self {
        Self {
            transport: Arc::new(Transport::new(client, server, user)),
            context: context.into(),
            timeout,
            host,
            created_by_post: Arc::default(),
        }
    }

    /// The context, as the kubeconfig names it; `in-cluster` in a pod.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The user, as the kubeconfig names it: not what the server takes it for.
    pub fn user(&self) -> &str {
        &self.transport.user
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.transport.server
    }

    /// The time limit of each request, repetitions included.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The machine that the run takes its wall clock and its randomness from.
    pub fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// The same cluster with another time limit.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// Whether an apply of this kind is known not to create under a resourceVersion.
    pub(crate) fn is_created_by_post(&self, kind: &GroupKind) -> bool {
        let known = self.created_by_post.lock();
        // A set is whole after every change.
        known.unwrap_or_else(PoisonError::into_inner).contains(kind)
    }

    /// Remembers that it does not, for as long as this connection lives.
    pub(crate) fn remember_created_by_post(&self, kind: &GroupKind) {
        let known = self.created_by_post.lock();
        known
            .unwrap_or_else(PoisonError::into_inner)
            .insert(kind.clone());
    }

    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, ClusterError> {
        self.transport.send(call).await
    }

    /// Sends a request whose answer goes on; the beginning of it is waited for.
    pub(crate) async fn open(&self, call: &Call) -> Result<Body, ClusterError> {
        self.transport.open(call).await
    }
}
