//! A connected cluster.

use std::{sync::Arc, time::Duration};

use kube::Client;

use crate::{
    ClusterError,
    transport::{Call, Reply, Transport},
};

/// One cluster, as one user. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    transport: Arc<Transport>,
    context: Arc<str>,
    timeout: Duration,
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
    pub(crate) fn new(
        client: Client,
        context: &str,
        server: String,
        user: String,
        timeout: Duration,
    ) -> Self {
        Self {
            transport: Arc::new(Transport::new(client, server, user)),
            context: context.into(),
            timeout,
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

    /// The same cluster with another time limit.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, ClusterError> {
        self.transport.send(call).await
    }
}
