//! A connected cluster.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use kube::{Client, client::Body};
use tower::{BoxError, Service};
use underpin_model::GroupKind;

use crate::{
    ClusterError, Host,
    create::{CreationGuard, is_service},
    transport::{Call, Reply, Transport},
};

/// One cluster, as one user. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    transport: Arc<Transport>,
    context: Arc<str>,
    timeout: Duration,
    host: Arc<dyn Host>,
    /// Whether Services have refused a resourceVersion at creation.
    services_refuse_versions: Arc<AtomicBool>,
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
            services_refuse_versions: Arc::default(),
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

    /// What keeps an apply of this kind from changing an object that exists.
    pub(crate) fn creation_guard(&self, kind: &GroupKind) -> CreationGuard {
        if is_service(kind) && self.services_refuse_versions.load(Ordering::Relaxed) {
            CreationGuard::GracePeriod
        } else {
            CreationGuard::ResourceVersion
        }
    }

    /// Remembers that Services refuse a resourceVersion, for as long as this connection lives.
    pub(crate) fn remember_versions_refused(&self) {
        self.services_refuse_versions.store(true, Ordering::Relaxed);
    }

    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, ClusterError> {
        self.transport.send(call).await
    }

    /// Sends a request whose answer goes on; the beginning of it is waited for.
    pub(crate) async fn open(&self, call: &Call) -> Result<Body, ClusterError> {
        self.transport.open(call).await
    }
}
