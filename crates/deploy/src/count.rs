//! Counts what is left in a namespace, right before its deletion.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use underpin_cluster::{Cluster, ClusterError, claims::ClaimStore, is_ambient};
use underpin_model::{
    Claim, ClaimIndex, GroupKind, Object, ObjectKey, OwnerReference, ResourceKind, Unread, World,
};
use underpin_plan::{Occupancy, Ownership, occupancy};
use underpin_refs::{Neighbours, goes_by_itself};

use crate::{StopReason, tools::Tools};

/// Between two counts of a namespace whose last objects are going.
const SETTLE_POLL: Duration = Duration::from_millis(500);
/// How long that is waited for at least, whether or not waiting was asked for: what our own
/// deletions leave behind for a moment is nobody's reason to keep a namespace.
const SETTLE_LEAST: Duration = Duration::from_secs(10);
/// How often it is asked anew which kinds there are, because one went while it was counted.
const DISCOVERIES: usize = 5;
/// Lists in flight at once while counting.
const IN_FLIGHT: usize = 16;

/// What counting and deleting a namespace needs besides the shared tools.
#[derive(Clone)]
pub(crate) struct NamespaceRemoval {
    pub(crate) store: ClaimStore,
    pub(crate) world: Arc<World>,
    /// The index of the world's claims.
    pub(crate) claims: Arc<ClaimIndex>,
    pub(crate) kind: ResourceKind,
    pub(crate) patience: Duration,
}

/// Counts a namespace, and again while all that is left is about to go by itself: pods of a
/// Deployment that was deleted a moment ago, the token of a ServiceAccount.
pub(crate) async fn settled_count(
    tools: &Tools,
    removal: &NamespaceRemoval,
    namespace: &str,
) -> Result<Result<Occupancy, String>, StopReason> {
    let end = Instant::now() + removal.patience.max(SETTLE_LEAST);
    loop {
        let (left, settles) = match count(tools, removal, namespace).await? {
            Ok(counted) => counted,
            Err(why) => return Ok(Err(why)),
        };
        if left.is_proven_empty() || !settles || Instant::now() >= end {
            return Ok(Ok(left));
        }
        if let Some(reason) = tools.stop.sleep(SETTLE_POLL).await {
            return Err(reason);
        }
    }
}

/// A namespace that was listed completely.
struct Now<'a> {
    left: &'a World,
    /// The uids of all objects that are there.
    uids: BTreeSet<&'a str>,
    removal: &'a NamespaceRemoval,
}

impl Neighbours for Now<'_> {
    fn may_be_there(&self, owner: &OwnerReference) -> bool {
        self.uids.contains(owner.uid.as_str())
    }

    fn is_absent(&self, key: &ObjectKey) -> bool {
        self.left.get(key).is_none()
    }

    fn was_there(&self, key: &ObjectKey) -> bool {
        self.removal.world.get(key).is_some() || self.removal.claims.records(key)
    }
}

/// Counts a namespace afresh, and tells whether all that counts goes by itself. An error says why
/// it cannot be counted.
async fn count(
    tools: &Tools,
    removal: &NamespaceRemoval,
    namespace: &str,
) -> Result<Result<(Occupancy, bool), String>, StopReason> {
    let store = removal.store.with_timeout(tools.time()?);
    let (claims, unread) = match store.load_all().await {
        Ok(read) => read,
        Err(error) => return Ok(Err(format!("the claims could not be read: {error}"))),
    };
    let mut left = World::default();
    left.cluster.clone_from(&removal.world.cluster);
    left.claims = claims;
    if let Some(unread) = unread.first() {
        return Ok(Err(format!("a claim could not be read: {unread}")));
    }
    if let Err(why) = list_all(tools, namespace, &mut left).await? {
        return Ok(Err(why));
    }
    let ownership = Ownership::of(&left);
    // Our own objects that finalizers still hold are going; the namespace waits for them.
    let ours = |claim: &Claim| claim.id == tools.claim;
    let going =
        |object: &Object| object.is_terminating() && ownership.claims_of(&left, object).any(ours);
    let counted = occupancy(&left, &ownership, namespace, Some(&tools.claim), going);
    let cluster_wide = |object: &&Object| object.key.namespace.is_none();
    let uids: BTreeSet<&str> = left
        .objects()
        .chain(removal.world.objects().filter(cluster_wide))
        .filter_map(Object::uid)
        .collect();
    let now = Now {
        left: &left,
        uids,
        removal,
    };
    let settles = counted.unread.is_empty()
        && counted.placed.is_empty()
        && counted.expecting.is_empty()
        && counted.occupants.iter().all(|occupant| {
            left.get(&occupant.key)
                .is_some_and(|object| goes_by_itself(object, &now))
        });
    Ok(Ok((counted, settles)))
}

/// Lists every kind that is served now into `left`: since the plan some may have come, and others
/// may have gone, by this very run. An error says why it is not known which there are.
async fn list_all(
    tools: &Tools,
    namespace: &str,
    left: &mut World,
) -> Result<Result<(), String>, StopReason> {
    for discovery in 1..=DISCOVERIES {
        let (kinds, unread) = match tools.timed()?.discover().await {
            Ok(discovered) => discovered,
            Err(error) => return Ok(Err(format!("its kinds could not be discovered: {error}"))),
        };
        let lists = list_kinds(&tools.timed()?, kinds.values(), namespace).await;
        let withdrawn = |(_, list): &(_, List)| matches!(list, List::Withdrawn(_));
        if discovery < DISCOVERIES && lists.iter().any(withdrawn) {
            if let Some(reason) = tools.stop.sleep(SETTLE_POLL).await {
                return Err(reason);
            }
            continue;
        }
        left.kinds = kinds;
        left.unread = unread;
        for (kind, list) in lists {
            match list {
                List::Read(objects) => objects.into_iter().for_each(|object| left.insert(object)),
                List::Withdrawn(reason) | List::Unread(reason) => left.unread.push(Unread {
                    group: kind.group.clone(),
                    kind: Some(kind),
                    namespace: Some(namespace.to_owned()),
                    reason,
                }),
            }
        }
        return Ok(Ok(()));
    }
    Ok(Err(
        "its kinds kept changing while it was counted".to_owned()
    ))
}

/// What came of listing one kind.
enum List {
    Read(Vec<Object>),
    /// Its definition went between discovery and list.
    Withdrawn(String),
    Unread(String),
}

impl List {
    fn of(listed: Result<Vec<Object>, ClusterError>) -> Self {
        match listed {
            Ok(objects) => Self::Read(objects),
            // Discovery promised lists, and the server has none of this kind.
            Err(ClusterError::Server { code: 405, .. }) => Self::Read(Vec::new()),
            Err(error @ (ClusterError::NoMatch { .. } | ClusterError::NotFound { .. })) => {
                Self::Withdrawn(error.to_string())
            }
            Err(error) => Self::Unread(error.to_string()),
        }
    }
}

/// Lists every listable namespaced kind in a namespace, metadata only, in parallel.
async fn list_kinds(
    cluster: &Cluster,
    kinds: impl Iterator<Item = &ResourceKind>,
    namespace: &str,
) -> Vec<(GroupKind, List)> {
    let slots = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut tasks = JoinSet::new();
    let counted =
        |kind: &&ResourceKind| kind.namespaced && kind.listable && !is_ambient(&kind.kind);
    for kind in kinds.filter(counted).cloned() {
        let (cluster, slots, namespace) = (cluster.clone(), slots.clone(), namespace.to_owned());
        tasks.spawn(async move {
            let _slot = slots.acquire().await;
            let listed = cluster.list_metadata(&kind, Some(&namespace)).await;
            (kind.kind, List::of(listed))
        });
    }
    let mut all = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(listed) => all.push(listed),
            Err(error) => all.push((
                GroupKind::core("unknown"),
                List::Unread(format!("internal error while listing: {error}")),
            )),
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}
