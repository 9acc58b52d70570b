//! Listening, and stopping.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};

use super::{Identity, ServeError, connection, kubeconfig};
use crate::{Sandbox, User};

/// Most connections at once; further ones wait until one is closed.
const CONNECTION_LIMIT: usize = 1_024;
/// How often the cluster's clock is moved on, so that work does not pile up while nobody asks.
const TICK: Duration = Duration::from_millis(500);
/// How long requests that are under way may take when the server stops. Watches, which never end
/// by themselves, are cut off then.
const GRACE: Duration = Duration::from_secs(2);
/// Pause after a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A token and whom it stands for.
#[derive(Clone)]
pub struct Access {
    /// Sent as `Authorization: Bearer …`; nobody may be able to guess it.
    pub token: String,
    /// Who it is.
    pub user: User,
}

/// What a server is started with.
pub struct Options {
    /// The port; 0 for any that is free.
    pub port: u16,
    /// Who is let in. The first is the kubeconfig's current context.
    pub users: Vec<Access>,
}

/// A sandbox that is being served.
pub struct Server {
    address: SocketAddr,
    kubeconfig: String,
    users: Arc<RwLock<Vec<Access>>>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Begins to serve a sandbox on 127.0.0.1. Must be called on a tokio runtime.
    pub async fn start(sandbox: Sandbox, options: Options) -> Result<Self, ServeError> {
        Self::start_as(sandbox, options, &Identity::generate()?).await
    }

    /// The same with the identity of another server, which must have ended if the port is its own.
    pub async fn start_as(
        sandbox: Sandbox,
        options: Options,
        identity: &Identity,
    ) -> Result<Self, ServeError> {
        let asked = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let failed = |source| ServeError::Listen {
            port: options.port,
            source,
        };
        let listener = TcpListener::bind(asked).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let kubeconfig = kubeconfig::render(address, identity.certificate(), &options.users);
        let users = Arc::new(RwLock::new(options.users));
        let (stop, stopped) = watch::channel(false);
        let front = connection::Front {
            sandbox,
            users: users.clone(),
            acceptor: identity.acceptor.clone(),
        };
        let serving = tokio::spawn(serve(listener, Arc::new(front), stopped));
        Ok(Self {
            address,
            kubeconfig,
            users,
            stop,
            serving,
        })
    }

    /// Lets one more in, from now on. The kubeconfig does not change.
    pub fn let_in(&self, access: Access) {
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        users.push(access);
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A kubeconfig with everything that clients need, tokens included.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// Takes no more connections, lets requests under way end, and cuts off what does not.
    pub async fn stop(self) {
        // Nobody listens any more only if the server has ended already.
        let _ = self.stop.send(true);
        let _ = self.serving.await;
    }
}

async fn serve(
    listener: TcpListener,
    front: Arc<connection::Front>,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTION_LIMIT));
    let mut connections = JoinSet::new();
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        let accept = async {
            // Never closed, so there is always a place in the end.
            let place = places.clone().acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        tokio::select! {
            biased;
            () = told(&mut stopped) => break,
            _ = ticks.tick() => drop(front.sandbox.state()),
            Some(_) = connections.join_next() => {}
            (place, accepted) = accept => match accepted {
                Ok((stream, _)) => {
                    let front = front.clone();
                    let watcher = graceful.watcher();
                    connections.spawn(async move {
                        front.connection(stream, watcher).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    // What is left after that is aborted with the set.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// Waits until the server is to stop; one that is dropped stops, too.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}
