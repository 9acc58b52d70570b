//! What of a new table may be published, and what is kept from the last good one (R3.2).
//!
//! Every key that was served and is not in the new table is a loss. A loss is *explained* by a
//! recorded cause. Explained losses wait for a short while, so that what is replaced is swapped and
//! never gone. Unexplained ones wait as long, and are held if they are many.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use underpin_model::{ObjectKey, wording::count};

use crate::{
    candidates::same_object,
    published::{Holder, Published},
    table::{LossReason, RouteKey, RoutingTable},
};

/// A loss of at least this many is held if it is not explained.
const FEW: usize = 2;
/// So is a loss of one in this many of what was published.
const SHARE: usize = 5;

/// What has been seen of objects that are gone. Times are seconds of any one clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Causes {
    /// Deletions that a watch has seen, by uid, and when.
    pub deleted: BTreeMap<String, u64>,
    /// Objects that a recorded `down` named, by uid, and when.
    pub taken_down: BTreeMap<String, u64>,
}

/// An operator's consent to the loss of these very keys since this very generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The generation that was published when the loss was held.
    pub generation: u64,
    /// The keys.
    pub keys: BTreeSet<RouteKey>,
}

/// What the guard decides on.
#[derive(Clone, Copy, Debug)]
pub struct GuardInput<'a> {
    /// What is published.
    pub last: &'a Published,
    /// What is to be.
    pub table: &'a RoutingTable,
    /// What has been seen.
    pub causes: &'a Causes,
    /// Since when keys have been missing, as the last decision said.
    pub missing_since: &'a BTreeMap<RouteKey, u64>,
    /// What an operator has consented to.
    pub acknowledged: Option<&'a Acknowledgement>,
    /// The time.
    pub now: u64,
    /// How many seconds a loss waits for its replacement.
    pub tombstone: u64,
}

/// Why a loss is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The deletion of its object was seen.
    Deleted,
    /// Its object is being deleted.
    Terminating,
    /// The namespace of its object is being deleted.
    NamespaceTerminating,
    /// A `down` took it.
    Down,
    /// An operator consented.
    Acknowledged,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deleted => "its object was deleted",
            Self::Terminating => "its object is being deleted",
            Self::NamespaceTerminating => "the namespace of its object is being deleted",
            Self::Down => "a down took its object",
            Self::Acknowledged => "its loss was consented to",
        })
    }
}

/// Why a key that is not in the new table is still served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The entry that asks for it is refused now: the last good one goes on.
    Refused,
    /// It is explained, and may be replaced until this time.
    Waiting(Cause, u64),
    /// It is not explained, and may come back until this time.
    WaitingUnexplained(u64),
    /// It is not explained, and too much is lost at once.
    Held,
    /// Nothing is published now.
    NothingPublished,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str(
                "the entry that asks for it is refused now, and the last good one goes on",
            ),
            Self::Waiting(cause, _) => write!(f, "{cause}, and may be replaced shortly"),
            Self::WaitingUnexplained(_) => {
                f.write_str("it vanished without a recorded cause, and may come back shortly")
            }
            Self::Held => {
                f.write_str("it vanished without a recorded cause, together with too many others")
            }
            Self::NothingPublished => f.write_str("nothing is published now"),
        }
    }
}

/// Why nothing, or not everything, is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A source could not be read completely.
    Incomplete(String),
    /// There is no route at all, and nothing says that this is meant.
    Empty,
    /// So much is lost without a cause.
    Vanished {
        /// How many keys are lost without a cause.
        unexplained: usize,
        /// How many were published.
        published: usize,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete(what) => write!(f, "could not read {what}"),
            Self::Empty => f.write_str("there is no route at all, and nobody consented to that"),
            Self::Vanished {
                unexplained,
                published,
            } => {
                let routes = count(*unexplained, "route");
                write!(
                    f,
                    "{routes} of {published} vanished without a recorded cause"
                )
            }
        }
    }
}

/// What may be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the new table, with what is kept, may be published.
    pub publish: bool,
    /// Why not, or why not without what is kept.
    pub holds: Vec<Hold>,
    /// Keys that are served on from the last good configuration.
    pub kept: BTreeMap<RouteKey, Kept>,
    /// Keys that are served no more, with the cause if one is recorded.
    pub dropped: BTreeMap<RouteKey, Option<Cause>>,
    /// Since when keys have been missing, for the next decision.
    pub missing_since: BTreeMap<RouteKey, u64>,
    /// The earliest time at which a wait ends and there is to be decided anew.
    pub again_at: Option<u64>,
}

impl Decision {
    /// The keys that an operator has to consent to, for the loss to be applied.
    pub fn held(&self) -> BTreeSet<RouteKey> {
        let held = self.kept.iter().filter(|(_, kept)| **kept == Kept::Held);
        held.map(|(key, _)| key.clone()).collect()
    }

    /// What is published once this is done: the table, and what is kept with whose it was. The
    /// generation is still that of what is published: [`crate::round`](fn@crate::round) counts.
    pub fn published(&self, input: &GuardInput<'_>) -> Published {
        if !self.publish {
            return input.last.clone();
        }
        let mut next = Published::of(input.last.generation, input.table);
        for key in self.kept.keys() {
            if let Some(holder) = input.last.holders.get(key) {
                next.holders.insert(key.clone(), holder.clone());
            }
        }
        next
    }
}

/// Decides what may be published.
pub fn guard(input: &GuardInput<'_>) -> Decision {
    let table = input.table;
    let lost: Vec<(&RouteKey, &Holder)> = input
        .last
        .holders
        .iter()
        .filter(|(key, _)| !table.routes.contains_key(key))
        .collect();
    if !table.incomplete.is_empty() {
        let holds = table.incomplete.iter();
        return nothing_published(
            input,
            &lost,
            holds
                .map(|source| Hold::Incomplete(source.what.clone()))
                .collect(),
        );
    }
    let losses = losses(input, &lost);
    let unexplained: BTreeSet<&RouteKey> = losses
        .iter()
        .filter(|(_, loss)| loss.cause.is_none() && !loss.refused)
        .map(|(key, _)| *key)
        .collect();
    let gone = losses.iter().filter(|(_, loss)| !loss.refused);
    let gone: BTreeSet<&RouteKey> = gone.map(|(key, _)| *key).collect();
    let is_held = !unexplained.is_empty() && is_much(&gone, input);
    let mut decision = Decision {
        publish: true,
        holds: Vec::new(),
        kept: BTreeMap::new(),
        dropped: BTreeMap::new(),
        missing_since: losses
            .iter()
            .map(|(key, loss)| ((*key).clone(), loss.since))
            .collect(),
        again_at: None,
    };
    if is_held {
        decision.holds.push(Hold::Vanished {
            unexplained: unexplained.len(),
            published: input.last.holders.len(),
        });
    }
    for (key, loss) in losses {
        let until = loss.since.saturating_add(input.tombstone);
        let waits = input.now < until;
        let kept = match loss.cause {
            _ if loss.refused => Kept::Refused,
            None if is_held => Kept::Held,
            Some(Cause::Acknowledged) => {
                decision.dropped.insert(key.clone(), loss.cause);
                continue;
            }
            Some(cause) if waits => Kept::Waiting(cause, until),
            None if waits => Kept::WaitingUnexplained(until),
            cause => {
                decision.dropped.insert(key.clone(), cause);
                continue;
            }
        };
        if matches!(kept, Kept::Waiting(..) | Kept::WaitingUnexplained(_)) {
            decision.again_at = Some(decision.again_at.map_or(until, |at| at.min(until)));
        }
        decision.kept.insert(key.clone(), kept);
    }
    let is_first = input.last.generation == 0;
    if is_first && table.routes.is_empty() && !is_acknowledged(input, &BTreeSet::new()) {
        decision.publish = false;
        decision.holds.push(Hold::Empty);
    }
    decision
}

/// What is not seen is not missing: waits begin when everything can be read. Those that have begun go
/// on.
fn nothing_published(
    input: &GuardInput<'_>,
    lost: &[(&RouteKey, &Holder)],
    holds: Vec<Hold>,
) -> Decision {
    let kept = lost
        .iter()
        .map(|(key, _)| ((*key).clone(), Kept::NothingPublished));
    let begun = lost.iter().filter_map(|(key, _)| {
        let since = input.missing_since.get(*key)?;
        Some(((*key).clone(), *since))
    });
    Decision {
        publish: false,
        holds,
        kept: kept.collect(),
        dropped: BTreeMap::new(),
        missing_since: begun.collect(),
        again_at: None,
    }
}

struct Loss {
    since: u64,
    cause: Option<Cause>,
    refused: bool,
}

fn losses<'a>(
    input: &GuardInput<'_>,
    lost: &[(&'a RouteKey, &Holder)],
) -> BTreeMap<&'a RouteKey, Loss> {
    let causes = IndexedCauses::of(input);
    let mut losses: BTreeMap<&RouteKey, Loss> = lost
        .iter()
        .map(|(key, holder)| {
            let (cause, seen) = causes.of_holder(key, holder);
            let missing = input.missing_since.get(*key).copied();
            // What another object asks for and does not get takes nothing from who serves it.
            let is_withheld = cause.is_none() && input.table.withheld.contains(*key);
            let loss = Loss {
                since: missing.or(seen).unwrap_or(input.now),
                cause,
                refused: is_withheld || causes.is_refused(holder),
            };
            (*key, loss)
        })
        .collect();
    let unexplained: BTreeSet<RouteKey> = losses
        .iter()
        .filter(|(_, loss)| loss.cause.is_none() && !loss.refused)
        .map(|(key, _)| (*key).clone())
        .collect();
    if !unexplained.is_empty() && is_acknowledged(input, &unexplained) {
        for loss in losses.values_mut() {
            if loss.cause.is_none() && !loss.refused {
                loss.cause = Some(Cause::Acknowledged);
            }
        }
    }
    losses
}

/// Whether an operator consented to the loss of exactly these keys, since what is published now.
fn is_acknowledged(input: &GuardInput<'_>, keys: &BTreeSet<RouteKey>) -> bool {
    input
        .acknowledged
        .is_some_and(|given| given.generation == input.last.generation && given.keys == *keys)
}

/// Whether a loss is one of everything, or of much: of keys, or of hosts.
fn is_much(lost: &BTreeSet<&RouteKey>, input: &GuardInput<'_>) -> bool {
    let before = &input.last.holders;
    let much = |lost: usize, of: usize| lost == of || lost >= FEW.max(of.div_ceil(SHARE));
    if much(lost.len(), before.len()) {
        return true;
    }
    let hosts = |keys: &mut dyn Iterator<Item = &RouteKey>| -> BTreeSet<String> {
        let sites = keys.filter_map(|key| key.site.as_ref());
        sites.map(|site| site.host().to_owned()).collect()
    };
    let before = hosts(&mut before.keys());
    let left = before.len()
        - hosts(&mut input.last.holders.keys().filter(|key| !lost.contains(key))).len();
    left > 0 && much(left, before.len())
}

/// Causes and what the table says of objects, to be looked up by object.
struct IndexedCauses<'a> {
    causes: &'a Causes,
    terminating: BTreeMap<&'a RouteKey, Vec<(&'a ObjectKey, Cause)>>,
    refused: BTreeSet<(&'a ObjectKey, Option<&'a str>)>,
}

impl<'a> IndexedCauses<'a> {
    fn of(input: &GuardInput<'a>) -> Self {
        let mut terminating: BTreeMap<&RouteKey, Vec<(&ObjectKey, Cause)>> = BTreeMap::new();
        for conflict in &input.table.conflicts {
            let cause = match conflict.reason {
                LossReason::Terminating => Cause::Terminating,
                LossReason::NamespaceTerminating => Cause::NamespaceTerminating,
                _ => continue,
            };
            let seen = terminating.entry(&conflict.key).or_default();
            seen.push((&conflict.loser, cause));
        }
        let refused = input.table.refused.iter();
        Self {
            causes: input.causes,
            terminating,
            refused: refused
                .map(|refusal| (&refusal.object, refusal.uid.as_deref()))
                .collect(),
        }
    }

    /// The cause of a holder's loss, and when it was seen.
    fn of_holder(&self, key: &RouteKey, holder: &Holder) -> (Option<Cause>, Option<u64>) {
        if let Some(uid) = holder.uid.as_deref() {
            let causes = [
                (&self.causes.deleted, Cause::Deleted),
                (&self.causes.taken_down, Cause::Down),
            ];
            for (seen, cause) in causes {
                if let Some(at) = seen.get(uid) {
                    return (Some(cause), Some(*at));
                }
            }
        }
        let seen = self.terminating.get(key).into_iter().flatten();
        let cause = seen
            .filter(|(object, _)| same_object(object, &holder.object))
            .map(|(_, cause)| cause.clone())
            .next();
        (cause, None)
    }

    /// Whether the holder's entry, or a part of it, is refused now.
    fn is_refused(&self, holder: &Holder) -> bool {
        self.refused
            .contains(&(&holder.object, holder.uid.as_deref()))
    }
}
