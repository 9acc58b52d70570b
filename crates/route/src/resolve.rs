//! One winner per key (R3.1).

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use jiff::Timestamp;
use underpin_model::{GroupKind, ObjectKey, Unread, World};

use crate::{
    candidates::{Candidate, Settings, find, is_ingress, same_object},
    endpoints::endpoint_slices,
    objects::EdgeObjects,
    published::{Holder, Published},
    table::{Conflict, Incomplete, LossReason, RouteKey, RoutingTable, Source},
};

/// What the edge is to serve in this world. `last` is what it serves now: it says who holds a key
/// against other owners, and which keys may be missing where something could not be read.
pub fn resolve(world: &World, settings: &Settings, last: &Published) -> RoutingTable {
    resolve_with(world, &EdgeObjects::of(world, settings), settings, last)
}

/// The same of a world that need not hold the objects themselves; `objects` is what of them counts.
pub fn resolve_with(
    world: &World,
    objects: &EdgeObjects,
    settings: &Settings,
    last: &Published,
) -> RoutingTable {
    let found = find(world, objects, settings);
    let mut table = RoutingTable {
        refused: found.refused,
        stale: found.stale,
        ..RoutingTable::default()
    };
    let mut asked: BTreeMap<RouteKey, Vec<Candidate>> = BTreeMap::new();
    for candidate in found.candidates {
        asked
            .entry(candidate.key.clone())
            .or_default()
            .push(candidate);
    }
    let partly_read = found.partly_read.iter();
    let partly_read: BTreeMap<&ObjectKey, &Source> = partly_read
        .map(|source| (&*source.object, source))
        .collect();
    for (key, candidates) in asked {
        let holder = last.holders.get(&key);
        let standing = holder.and_then(|holder| {
            let source = partly_read.get(&*holder.object)?;
            let asks = |candidate: &Candidate| candidate.route.source == **source;
            (holds(holder, source) && !candidates.iter().any(asks)).then_some(*source)
        });
        let holding = Holding { holder, standing };
        choose(&key, candidates, settings, holding, &mut table);
    }
    table.incomplete = incomplete(world, settings, last, &table);
    table
        .incomplete
        .extend(found.unknown.into_iter().map(|what| Incomplete {
            what,
            missing: Vec::new(),
        }));
    table
}

/// Who serves a key now.
#[derive(Clone, Copy)]
struct Holding<'a> {
    holder: Option<&'a Holder>,
    /// The same, where it does not ask for the key, and something of it is refused: nobody gets the key by
    /// that who would not get it from what it was.
    standing: Option<&'a Source>,
}

/// What decides between objects: the time of creation, and the names in reverse.
type Rank<'a> = (i64, Reverse<(Option<&'a str>, &'a str, &'a GroupKind)>);

/// Later is greater; equal times are decided by name. What has no time is only declared, and will
/// be created after everything that is there.
fn rank(source: &Source) -> Rank<'_> {
    let object = &source.object;
    let name = (
        object.namespace.as_deref(),
        object.name.as_str(),
        &object.kind,
    );
    (created(source).unwrap_or(i64::MAX), Reverse(name))
}

/// Kubernetes tells whole seconds.
fn created(source: &Source) -> Option<i64> {
    let text = source.created.as_deref()?;
    text.parse().ok().map(Timestamp::as_second)
}

fn choose(
    key: &RouteKey,
    candidates: Vec<Candidate>,
    settings: &Settings,
    holding: Holding<'_>,
    table: &mut RoutingTable,
) {
    let mut seen = BTreeSet::new();
    let mut reasons: Vec<Option<LossReason>> = candidates
        .iter()
        .map(|candidate| {
            let first = seen.insert(&candidate.route.source.object);
            let twice = (!first).then_some(LossReason::WrittenTwice);
            candidate.out.clone().or(twice)
        })
        .collect();
    leave_to_holder(&candidates, &mut reasons, holding);
    if settings.endpoints {
        leave_to_ready(&candidates, &mut reasons, holding.standing.is_some());
    }
    let source = |at: usize| &candidates[at].route.source;
    let left = (0..candidates.len()).filter(|at| reasons[*at].is_none());
    let winner = left.max_by(|left, right| rank(source(*left)).cmp(&rank(source(*right))));
    let stays = holding.standing.filter(|standing| {
        // Nothing is ahead of it but what was created later.
        winner.is_none_or(|at| rank(source(at)) < rank(standing))
    });
    let winner = winner.filter(|_| stays.is_none());
    let winning = stays.or_else(|| winner.map(source)).cloned();
    if stays.is_some() {
        table.withheld.insert(key.clone());
    }
    let latest = winning.as_ref().and_then(created);
    let by_time = |candidate: &Candidate| match (created(&candidate.route.source), latest) {
        (None, None) => LossReason::NotCreated,
        (Some(own), Some(latest)) if own == latest => LossReason::NameComesLater,
        _ => LossReason::Older,
    };
    for (at, (candidate, reason)) in candidates.into_iter().zip(reasons).enumerate() {
        if Some(at) == winner {
            table.routes.insert(key.clone(), candidate.route);
            continue;
        }
        let reason = reason.unwrap_or_else(|| by_time(&candidate));
        table.conflicts.push(Conflict {
            key: key.clone(),
            loser: (*candidate.route.source.object).clone(),
            path: candidate.route.path,
            winner: winning.as_ref().map(|source| (*source.object).clone()),
            reason,
        });
    }
}

/// A key that is held by a claim's object goes to objects of that claim alone. Who serves it now
/// holds it, and goes on to while that object is missing and the key waits for it; if that is not known,
/// the oldest object that any claim records.
fn leave_to_holder(
    candidates: &[Candidate],
    reasons: &mut [Option<LossReason>],
    Holding { holder, standing }: Holding<'_>,
) {
    let left: Vec<usize> = (0..candidates.len())
        .filter(|at| reasons[*at].is_none())
        .collect();
    let holding = left
        .iter()
        .find(|at| holder.is_some_and(|holder| holds(holder, &candidates[**at].route.source)));
    let oldest = || {
        let claimed = left
            .iter()
            .filter(|at| candidates[**at].route.source.owner.is_some());
        claimed.min_by(|left, right| oldest_first(&candidates[**left], &candidates[**right]))
    };
    let served = standing.or_else(|| holding.map(|at| &candidates[*at].route.source));
    let owner = match served {
        Some(source) => source.owner.clone(),
        None => holder
            .and_then(|holder| holder.owner.clone())
            .or_else(|| candidates[*oldest()?].route.source.owner.clone()),
    };
    let Some(owner) = owner else { return };
    for at in left {
        if candidates[at].route.source.owner.as_ref() != Some(&owner) {
            reasons[at] = Some(LossReason::Held(owner.clone()));
        }
    }
}

fn oldest_first(left: &Candidate, right: &Candidate) -> std::cmp::Ordering {
    let (left_created, left_name) = rank(&left.route.source);
    let (right_created, right_name) = rank(&right.route.source);
    left_created
        .cmp(&right_created)
        .then(right_name.cmp(&left_name))
}

fn holds(holder: &Holder, source: &Source) -> bool {
    match (&holder.uid, &source.uid) {
        (Some(held), Some(uid)) => held == uid,
        _ => same_object(&holder.object, &source.object),
    }
}

/// Where something may answer behind one, those behind which nothing can do not win.
fn leave_to_ready(
    candidates: &[Candidate],
    reasons: &mut [Option<LossReason>],
    has_standing: bool,
) {
    let is_dead = |candidate: &Candidate| {
        let backends = &candidate.route.backends;
        !backends.is_empty()
            && backends
                .iter()
                .all(|backend| backend.state.is_dead() == Some(true))
    };
    let alive = candidates
        .iter()
        .zip(&*reasons)
        .any(|(candidate, reason)| reason.is_none() && !is_dead(candidate));
    if !alive && !has_standing {
        return;
    }
    for (candidate, reason) in candidates.iter().zip(reasons) {
        if reason.is_none() && is_dead(candidate) {
            *reason = Some(LossReason::NotReady);
        }
    }
}

/// The sources that could not be read completely.
fn incomplete(
    world: &World,
    settings: &Settings,
    last: &Published,
    table: &RoutingTable,
) -> Vec<Incomplete> {
    let mut sources = vec![
        GroupKind::core("Namespace"),
        GroupKind::core("Service"),
        GroupKind::new("networking.k8s.io", "Ingress"),
    ];
    if settings.endpoints {
        sources.push(endpoint_slices());
    }
    let mut found: Vec<Incomplete> = world
        .unread
        .iter()
        .filter(|unread| sources.iter().any(|kind| unread.covers(kind, None)))
        .map(|unread| {
            let lost = last
                .holders
                .iter()
                .filter(|(key, holder)| {
                    !table.routes.contains_key(key) && may_hide(world, unread, &holder.object)
                })
                .map(|(key, _)| key.clone());
            Incomplete {
                what: unread.to_string(),
                missing: lost.collect(),
            }
        })
        .collect();
    found.sort_by(|left, right| left.what.cmp(&right.what));
    found
}

/// Whether an object may be there, unseen for this reason.
fn may_hide(world: &World, unread: &Unread, object: &ObjectKey) -> bool {
    let kind = if is_ingress(&object.kind) {
        GroupKind::new("networking.k8s.io", "Ingress")
    } else {
        object.kind.clone()
    };
    let namespace = object.namespace.as_deref();
    let read_all_the_same = unread.namespace.is_none()
        && namespace.is_some_and(|namespace| {
            world
                .partly_read
                .get(&kind)
                .is_some_and(|read| read.contains(namespace))
        });
    unread.covers(&kind, namespace) && !read_all_the_same
}
