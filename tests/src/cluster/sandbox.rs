//! A sandbox, served over HTTPS by this process, as a test's cluster.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use underpin_sandbox::serve::{Access, Identity, Options, Server};
use underpin_sandbox::{Config, NoHooks, State, User};
use underpin_testenv::kubelet::Capacity;
use underpin_testenv::{Kubeconfig, kubectl};

/// Threads that serve it.
const WORKERS: usize = 2;
/// How long its controllers take: as long as the real ones with the fake kubelet.
const LATENCY: Duration = Duration::from_millis(150);

/// An in-process cluster with one large node, roles in force, and the time of this machine.
pub(super) struct Sandbox {
    state: underpin_sandbox::Sandbox,
    identity: Identity,
    address: String,
    port: u16,
    users: Mutex<Vec<Access>>,
    server: Mutex<Option<Server>>,
    kubectl: PathBuf,
    dir: TempDir,
    runtime: Option<Runtime>,
}

impl Sandbox {
    pub(super) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .context("runtime of the sandbox")?;
        let config = Config {
            begin: Timestamp::now(),
            rbac: true,
            latency: LATENCY,
            nodes: vec![("node-1".to_owned(), Capacity::default().pods)],
            ..Config::default()
        };
        let users = vec![Access {
            token: token(&User::admin().name),
            user: User::admin(),
        }];
        let identity = Identity::generate()?;
        let (sandbox, server) = runtime.block_on(async {
            let sandbox = underpin_sandbox::Sandbox::new(State::new(config), NoHooks);
            let options = Options {
                port: 0,
                users: users.clone(),
            };
            let server = Server::start_as(sandbox.clone(), options, &identity).await?;
            anyhow::Ok((sandbox, server))
        })?;
        let dir = tempfile::Builder::new()
            .prefix("underpin-sandbox-")
            .tempdir()
            .context("temporary folder of the sandbox")?;
        let started = Self {
            state: sandbox,
            identity,
            address: format!("https://{}", server.address()),
            port: server.address().port(),
            users: Mutex::new(users),
            server: Mutex::new(Some(server)),
            kubectl: kubectl::find()?,
            dir,
            runtime: Some(runtime),
        };
        started.admin().write(&started.dir().join("kubeconfig"))?;
        Ok(started)
    }

    pub(super) fn admin(&self) -> Kubeconfig {
        self.kubeconfig(&User::admin().name)
    }

    pub(super) fn user(&self, user: &str) -> Result<Kubeconfig> {
        let access = Access {
            token: token(user),
            user: User {
                name: user.to_owned(),
                groups: vec!["system:authenticated".to_owned()],
            },
        };
        lock(&self.users).push(access.clone());
        let server = lock(&self.server);
        server
            .as_ref()
            .context("the sandbox is stopped")?
            .let_in(access);
        Ok(self.kubeconfig(user))
    }

    pub(super) fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn stop_apiserver(&self) {
        let server = lock(&self.server).take();
        if let (Some(server), Some(runtime)) = (server, &self.runtime) {
            runtime.block_on(server.stop());
        }
    }

    pub(super) fn restart_apiserver(&self) -> Result<()> {
        self.stop_apiserver();
        let options = Options {
            port: self.port,
            users: lock(&self.users).clone(),
        };
        let runtime = self.runtime.as_ref().context("the sandbox is ending")?;
        let start = Server::start_as(self.state.clone(), options, &self.identity);
        let server = runtime.block_on(start)?;
        ensure!(server.address().port() == self.port, "another port");
        *lock(&self.server) = Some(server);
        Ok(())
    }

    fn kubeconfig(&self, user: &str) -> Kubeconfig {
        Kubeconfig::plain(&self.address)
            .authority(self.identity.certificate())
            .token(&token(user))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // In the background: dropping a runtime inside another one would panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Guessable, on the loopback address of a cluster in which there is nothing.
fn token(user: &str) -> String {
    format!("token-of-{user}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked while it held the lock leaves a valid value.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
