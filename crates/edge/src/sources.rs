//! Watches of everything that the edge looks at, each a task.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use underpin_cluster::{Change, Cluster, ClusterError, claims::ClaimStore};
use underpin_model::{Depth, GroupKind, Object, ResourceKind, Unread, World};
use underpin_route::{EdgeObject, Settings};

use crate::seen::{ClaimsRead, Told};

/// First pause after a failure; doubled with each further one.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How many messages may wait to be taken in.
const WAITING: usize = 4_096;

/// What the sources have to say.
#[derive(Debug)]
pub(crate) enum Message {
    /// Of objects.
    Objects(Told),
    /// The claims, or why they cannot be read.
    Claims(Result<ClaimsRead, String>),
}

/// What is looked at, in the version in which every server has it.
fn wanted(read: &Settings) -> Vec<ResourceKind> {
    let mut kinds = vec![
        ResourceKind::v1("", "Namespace", "namespaces", false),
        ResourceKind::v1("", "Service", "services", true),
        ResourceKind::v1("networking.k8s.io", "Ingress", "ingresses", true),
    ];
    if read.endpoints {
        let group = "discovery.k8s.io";
        kinds.push(ResourceKind::v1(
            group,
            "EndpointSlice",
            "endpointslices",
            true,
        ));
    }
    kinds
}

/// The kinds that are looked at, in the version that a cluster serves them in.
pub(crate) async fn kinds(
    cluster: &Cluster,
    read: &Settings,
) -> Result<Vec<ResourceKind>, ClusterError> {
    let (known, unread) = cluster.discover().await?;
    Ok(wanted(read)
        .into_iter()
        .filter_map(|kind| {
            let known = known.get(&kind.kind).cloned();
            // A group that could not be discovered is asked for all the same: unknown is not absent.
            let is_unknown = unread.iter().any(|unread| unread.covers(&kind.kind, None));
            known.or_else(|| is_unknown.then_some(kind))
        })
        .collect())
}

/// The world, read once, and what `down`s took.
pub async fn read_once(
    cluster: &Cluster,
    read: &Settings,
    claims_namespace: &str,
) -> Result<(World, BTreeMap<String, u64>), ClusterError> {
    let mut world = World::default();
    for kind in kinds(cluster, read).await? {
        match cluster.list(&kind, None, Depth::Full).await {
            Ok(objects) => objects.into_iter().for_each(|object| world.insert(object)),
            Err(error) => world.unread.push(Unread {
                kind: Some(kind.kind.clone()),
                group: String::new(),
                namespace: None,
                reason: error.to_string(),
            }),
        }
    }
    let claims = ClaimStore::new(cluster.clone(), claims_namespace);
    let mut taken_down = BTreeMap::new();
    match load_claims(&claims).await {
        Ok(read) => (world.claims, taken_down) = (read.claims, read.taken_down),
        Err(reason) => world.unread.push(Unread {
            // As if Services could not be read: whose they are is not known.
            kind: Some(GroupKind::core("Service")),
            group: String::new(),
            namespace: None,
            reason,
        }),
    }
    Ok((world, taken_down))
}

async fn load_claims(claims: &ClaimStore) -> Result<ClaimsRead, String> {
    match claims.load_all_and_taken_down().await {
        Ok((claims, unread, taken_down)) => match unread.first() {
            None => Ok(ClaimsRead { claims, taken_down }),
            Some(unread) => Err(format!("whose objects are is not known: {unread}")),
        },
        Err(error) => Err(format!("whose objects are is not known: {error}")),
    }
}

/// Begins to watch. The tasks end with the set.
pub(crate) fn watch(
    cluster: &Cluster,
    kinds: &[ResourceKind],
    read: &Settings,
    claims_namespace: &str,
) -> (JoinSet<()>, mpsc::Receiver<Message>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut tasks = JoinSet::new();
    for kind in kinds {
        let source = Source {
            cluster: cluster.clone(),
            kind: kind.clone(),
            namespace: None,
            depth: Depth::Full,
            read: read.clone(),
        };
        let sender = sender.clone();
        tasks.spawn(async move {
            source
                .follow(|told| {
                    let sender = sender.clone();
                    async move { sender.send(Message::Objects(told)).await.is_ok() }
                })
                .await;
        });
    }
    let source = Source {
        cluster: cluster.clone(),
        kind: ResourceKind::v1("", "ConfigMap", "configmaps", true),
        namespace: Some(claims_namespace.to_owned()),
        depth: Depth::Metadata,
        read: read.clone(),
    };
    let store = ClaimStore::new(cluster.clone(), claims_namespace);
    tasks.spawn(async move { follow_claims(&source, &store, &sender).await });
    (tasks, receiver)
}

/// Claims are read as a whole whenever anything that stores them changes: that happens when somebody
/// deploys. What could not be read is read again after a while: nothing tells that it can be.
async fn follow_claims(source: &Source, store: &ClaimStore, sender: &mpsc::Sender<Message>) {
    source
        .follow(|told| async move {
            if let Told::Unread(_, why) = told {
                let why = format!("whose objects are is not known: {why}");
                return sender.send(Message::Claims(Err(why))).await.is_ok();
            }
            let mut pause = PAUSE;
            loop {
                let claims = load_claims(store).await;
                let is_read = claims.is_ok();
                if sender.send(Message::Claims(claims)).await.is_err() {
                    return false;
                }
                if is_read {
                    return true;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        })
        .await;
}

/// One kind.
struct Source {
    cluster: Cluster,
    kind: ResourceKind,
    namespace: Option<String>,
    depth: Depth,
    read: Settings,
}

impl Source {
    /// What is kept of an object. The whole of it is let go at once, before it waits for anybody.
    fn keep(&self, object: &Object) -> EdgeObject {
        EdgeObject::of(object, &self.read)
    }

    /// Lists and watches for ever, or until `tell` says that nobody listens.
    async fn follow<F: Future<Output = bool>>(&self, tell: impl Fn(Told) -> F) {
        let mut pause = PAUSE;
        loop {
            let namespace = self.namespace.as_deref();
            let listed = self
                .cluster
                .list_to_watch(&self.kind, namespace, self.depth, |object| {
                    self.keep(&object)
                })
                .await;
            let told = match listed {
                Ok(listed) => {
                    pause = PAUSE;
                    let told = Told::Listed(self.kind.kind.clone(), listed.objects);
                    if !tell(told).await {
                        return;
                    }
                    match self.watch(listed.revision, &tell).await {
                        Some(told) => told,
                        None => return,
                    }
                }
                Err(error) => Some(Told::Unread(self.kind.kind.clone(), error.to_string())),
            };
            if let Some(told) = told
                && !tell(told).await
            {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Watches from a revision on, across answers that end and a server that is away for a while, so
    /// that deletions are told. Comes back when it has to be listed anew: with what is to be told
    /// before, or with none when nobody listens.
    async fn watch<F: Future<Output = bool>>(
        &self,
        mut revision: String,
        tell: &impl Fn(Told) -> F,
    ) -> Option<Option<Told>> {
        let kind = || self.kind.kind.clone();
        let mut pause = PAUSE;
        let mut away = false;
        loop {
            let namespace = self.namespace.as_deref();
            let begun = self
                .cluster
                .watch(&self.kind, namespace, self.depth, &revision)
                .await;
            let error = match begun {
                Ok(mut watching) => {
                    if std::mem::take(&mut away) && !tell(Told::ReadOn(kind())).await {
                        return None;
                    }
                    let since = Instant::now();
                    let ended = loop {
                        match watching.next().await {
                            Ok(Some(change)) => {
                                pause = PAUSE;
                                let told = match &change {
                                    Change::Set(object) => Told::Set(self.keep(object)),
                                    Change::Deleted(object) => Told::Deleted(self.keep(object)),
                                };
                                drop(change);
                                if !tell(told).await {
                                    return None;
                                }
                            }
                            Ok(None) => break None,
                            Err(error) => break Some(error),
                        }
                    };
                    if since.elapsed() > LONGEST_PAUSE {
                        pause = PAUSE;
                    }
                    watching.revision().clone_into(&mut revision);
                    ended
                }
                Err(error) => Some(error),
            };
            match error {
                Some(ClusterError::Gone { .. }) => return Some(None),
                Some(error) => {
                    away = true;
                    if !tell(Told::Unread(kind(), error.to_string())).await {
                        return None;
                    }
                }
                // A server that ends every answer at once is not asked without a pause.
                None => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
