//! A proxy between the program under test and the API server that records every request and
//! breaks things on order.
//!
//! It listens on plain HTTP on 127.0.0.1 and speaks to the API server as the given identity.
//! Answers are streamed, so watches work; upgrades (exec, port-forward) do not.

mod record;
mod serve;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use underpin_testenv::{Kubeconfig, api};

use crate::ControlPlane;

pub use record::{Record, RequestInfo};
use serve::Shared;

/// Threads that serve the proxy.
const WORKERS: usize = 2;

/// What the proxy does with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Forwards it and its answer.
    Pass,
    /// Forwards it after a pause.
    Delay(Duration),
    /// Answers itself, with a Kubernetes `Status`; the request has no effect.
    Answer {
        /// HTTP status code.
        status: u16,
        /// The machine-readable reason, such as `Forbidden`.
        reason: &'static str,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u32>,
    },
    /// Cuts the connection; the request has no effect.
    CutBefore,
    /// Forwards it, and cuts the connection instead of answering: the effect is there, the
    /// client does not know.
    CutAfter,
    /// Kills the victim (SIGKILL); the request has no effect. No mutating request is forwarded
    /// from then on until [`Proxy::policy`] is called.
    KillBefore,
    /// Forwards it, and kills the victim after the effect and before the answer. No mutating
    /// request is forwarded from then on until [`Proxy::policy`] is called.
    KillAfter,
}

impl Action {
    /// 403, as RBAC answers.
    pub const FORBIDDEN: Self = Self::Answer {
        status: 403,
        reason: "Forbidden",
        retry_after: None,
    };
    /// 409, as a lost race on a resource version.
    pub const CONFLICT: Self = Self::Answer {
        status: 409,
        reason: "Conflict",
        retry_after: None,
    };
    /// 429, as an overloaded server.
    pub const TOO_MANY_REQUESTS: Self = Self::Answer {
        status: 429,
        reason: "TooManyRequests",
        retry_after: Some(1),
    };
    /// 500.
    pub const INTERNAL_ERROR: Self = Self::Answer {
        status: 500,
        reason: "InternalError",
        retry_after: None,
    };
    /// 504.
    pub const TIMEOUT: Self = Self::Answer {
        status: 504,
        reason: "Timeout",
        retry_after: None,
    };
}

/// The running proxy. Ends when dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    dir: TempDir,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Starts a proxy that speaks as the control plane's administrator and passes everything.
    pub fn start(control_plane: &ControlPlane) -> Result<Self> {
        Self::start_as(control_plane.admin())
    }

    /// Starts a proxy that speaks as `identity` (see [`ControlPlane::user`]).
    pub fn start_as(identity: &Kubeconfig) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .context("runtime of the proxy")?;
        let dir = tempfile::Builder::new()
            .prefix("underpin-proxy-")
            .tempdir()
            .context("temporary folder of the proxy")?;
        let (shared, listener) = runtime.block_on(async {
            let client = api::client(identity).await?;
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .context("listen")?;
            anyhow::Ok((Arc::new(Shared::new(client)), listener))
        })?;
        let address = listener.local_addr().context("address of the proxy")?;
        Kubeconfig::plain(&format!("http://{address}")).write(&dir.path().join("kubeconfig"))?;
        runtime.spawn(serve::run(listener, Arc::clone(&shared)));
        Ok(Self {
            shared,
            address,
            dir,
            runtime: Some(runtime),
        })
    }

    /// A kubeconfig that points at the proxy.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path().join("kubeconfig")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A temporary folder that lives as long as the proxy.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Decides about every request from now on. Forgets the victim and revives a proxy after a
    /// kill.
    pub fn policy(&self, policy: impl Fn(&RequestInfo) -> Action + Send + Sync + 'static) {
        self.shared.set_policy(Box::new(policy));
    }

    /// `action` for the `n`-th mutating request from the proxy's start or the last
    /// [`Proxy::clear`] on (the first is 1); all others pass.
    pub fn at_mutation(&self, n: u64, action: Action) {
        self.policy(move |request| match request.mutation {
            Some(number) if number == n => action.clone(),
            _ => Action::Pass,
        });
    }

    /// Names the process that [`Action::KillBefore`] and [`Action::KillAfter`] kill. Call
    /// it after [`Proxy::policy`]; it may come after the process has sent the request: the proxy waits for it. Until the killed process
    /// is waited for, its id is not used again.
    pub fn victim(&self, process: u32) {
        self.shared.set_victim(process);
    }

    /// Whether a kill has happened since the last call of [`Proxy::policy`].
    pub fn has_killed(&self) -> bool {
        self.shared.has_killed()
    }

    /// Everything recorded since the start or the last [`Proxy::clear`], in the order of arrival.
    pub fn records(&self) -> Vec<Record> {
        self.shared.records()
    }

    /// The mutating requests among [`Proxy::records`].
    pub fn mutations(&self) -> Vec<Record> {
        self.records()
            .into_iter()
            .filter(|record| record.request.mutation.is_some())
            .collect()
    }

    /// The requests among [`Proxy::records`] that the server refused for want of a right.
    pub fn refused(&self) -> BTreeSet<String> {
        let records = self.records().into_iter();
        let refused = records.filter(|record| record.upstream == Some(403));
        let lines =
            refused.map(|record| format!("{} {}", record.request.method, record.request.path));
        lines.collect()
    }

    /// Forgets the records and counts mutating requests from 1 again.
    pub fn clear(&self) {
        self.shared.clear();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
