//! The loop: what watches tell becomes a document, and Caddy is held to it.

mod rounds;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, interval, sleep_until},
};
use underpin_cluster::{Cluster, ClusterError, Lease, LeaseHolder, Tenure};
use underpin_model::ResourceKind;

use self::rounds::Rounds;
use crate::{
    EdgeError, EdgeOptions, FolderError, Seen, Sites, Status,
    edge::{Shared, token},
    endpoints, sources,
};

/// Between two looks whether Caddy still runs what was published.
const LOOK: Duration = Duration::from_secs(5);
/// How long giving the lease back may take at the end.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// Who Events are from.
const COMPONENT: &str = "underpin-edge";

/// How the loop runs.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The edge.
    pub edge: EdgeOptions,
    /// Where the last good document and what is remembered are kept.
    pub folder: PathBuf,
    /// Where sites are asked for.
    pub sites: Sites,
    /// Where the claims are.
    pub claims_namespace: String,
    /// Where health, readiness, numbers and `ask` are answered.
    pub listen: Option<SocketAddr>,
    /// The Lease without which nothing is written.
    pub lease: Option<LeaseOptions>,
    /// How long it must be quiet before a round.
    pub quiet: Duration,
    /// Whether Events are sent.
    pub events: bool,
}

/// A Lease.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How long it lasts without being renewed.
    pub length: Duration,
}

/// What ends the loop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The cluster, before anything could be watched.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// No document can be made.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The address for questions.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// Runs until it is told to stop. `tell` is given a line at a time, for people.
pub async fn serve(
    cluster: Cluster,
    options: ServeOptions,
    tell: impl Fn(&str) + Send + Sync,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let status: Shared<Status> = Arc::new(Mutex::new(Status {
        not_ready: Some("nothing is published yet".to_owned()),
        alive: Some(Instant::now()),
        ..Status::default()
    }));
    let mut helpers = JoinSet::new();
    if let Some(address) = options.listen {
        let listener = endpoints::listen(address).await;
        let listener = listener.map_err(|source| ServeError::Listen { address, source })?;
        helpers.spawn(endpoints::answer(listener, Arc::clone(&status)));
    }
    let mut running = Rounds::new(&cluster, &options, status, &tell, &mut helpers)?;
    let (held, ours) = watch::channel(None);
    running.ours = ours;
    let mut renewing = None;
    // Kept where there is no lease: this process writes for as long as it lives.
    let _always = if let Some(lease) = &options.lease {
        let lease = lease_of(&cluster, lease)?;
        renewing = Some(tokio::spawn(hold(lease, held, stop.clone())));
        None
    } else {
        let _ = held.send(Some(Tenure {
            until: Instant::now() + FOR_EVER,
            term: 1,
        }));
        Some(held)
    };
    running.lease_changed()?;
    let kinds = tokio::select! {
        kinds = known_kinds(&cluster, &options, &tell, &mut running) => kinds,
        _ = stop.wait_for(|stop| *stop) => Vec::new(),
    };
    running.seen = Seen::new(kinds.iter().map(|kind| kind.kind.clone()));
    let (_sources, mut messages) = sources::watch(
        &cluster,
        &kinds,
        &options.edge.read,
        &options.claims_namespace,
    );
    let mut look = interval(LOOK);
    loop {
        running.status().alive = Some(Instant::now());
        let due = running.pace.due();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            message = messages.recv() => match message {
                Some(message) => running.take(message),
                // The sources end with this function alone.
                None => break,
            },
            changed = running.ours.changed() => {
                if changed.is_ok() {
                    running.lease_changed()?;
                } else {
                    // The lease was given up, to stop.
                    break;
                }
            }
            () = sleep_until(due.unwrap_or_else(|| Instant::now() + LOOK)), if due.is_some() => {
                running.turn().await?;
            }
            _ = look.tick() => running.look().await,
        }
    }
    tell("stopped; Caddy serves on what was published last");
    if let Some(renewing) = renewing {
        // It was told to stop, and gives the lease back.
        let _ = tokio::time::timeout(GIVE_BACK, renewing).await;
    }
    Ok(())
}

/// What the cluster serves; asked for until it answers. Meanwhile Caddy is held to what it last ran.
async fn known_kinds(
    cluster: &Cluster,
    options: &ServeOptions,
    tell: &(impl Fn(&str) + Send + Sync),
    running: &mut Rounds<'_>,
) -> Vec<ResourceKind> {
    loop {
        running.status().alive = Some(Instant::now());
        running.look().await;
        match sources::kinds(cluster, &options.edge.read).await {
            Ok(kinds) => return kinds,
            Err(error) => {
                tell(&format!("the cluster cannot be read: {error}"));
                running.status().holds = vec![error.to_string()];
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn lease_of(cluster: &Cluster, lease: &LeaseOptions) -> Result<Lease, ServeError> {
    let identity = format!("{COMPONENT}-{}", token(cluster.host())?);
    let (namespace, name) = (lease.namespace.as_str(), lease.name.as_str());
    Ok(Lease::new(
        cluster.clone(),
        namespace,
        name,
        identity,
        lease.length,
    ))
}

/// Longer than any process lives.
const FOR_EVER: Duration = Duration::from_hours(24 * 365 * 30);

/// Renews a lease until the process is told to stop, then gives it back.
async fn hold(
    mut lease: Lease,
    held: watch::Sender<Option<Tenure>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut renewal = interval(lease.length() / 3);
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = renewal.tick() => {}
        }
        match lease.attempt().await {
            Ok(LeaseHolder::Us(tenure)) => {
                let _ = held.send(Some(tenure));
            }
            Ok(LeaseHolder::Other(_)) => {
                held.send_if_modified(|held| held.take().is_some());
            }
            // Until it ends it is ours, whatever the API server does meanwhile.
            Err(_) => {}
        }
    }
    let _ = lease.release().await;
}
