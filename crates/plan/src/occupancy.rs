//! Who is in a namespace: everything that counts, whoever made it.

use underpin_model::{Claim, ClaimId, Object, ObjectKey, Owner, Unread, World};
use underpin_refs::{Presence, presence};

use crate::Ownership;

/// Occupants named in a one-line summary.
const NAMED_IN_SUMMARY: usize = 3;

/// One object that keeps a namespace from being empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// The object.
    pub key: ObjectKey,
    /// Whose it is.
    pub owner: Owner,
    /// RFC 3339 time of its creation, if known.
    pub created: Option<String>,
}

/// Who is in a namespace, and what could not be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Objects that count, sorted by key.
    pub occupants: Vec<Occupant>,
    /// Lists that failed: with any of them, the namespace is not proven empty.
    pub unread: Vec<Unread>,
    /// Environments other than the asking one whose claim places them there.
    pub placed: Vec<String>,
    /// Environments other than the asking one that live elsewhere and whose claim records an object
    /// here that is not there: they may be about to create it.
    pub expecting: Vec<String>,
}

impl Occupancy {
    /// Whether nothing is left and everything could be counted.
    pub fn is_proven_empty(&self) -> bool {
        self.occupants.is_empty()
            && self.unread.is_empty()
            && self.placed.is_empty()
            && self.expecting.is_empty()
    }

    /// Why the namespace is not proven empty, in one line.
    pub fn summary(&self) -> String {
        let mut parts = Vec::new();
        if !self.placed.is_empty() {
            parts.push(format!("home of {}", self.placed.join(", ")));
        }
        if !self.expecting.is_empty() {
            let names = self.expecting.join(", ");
            parts.push(format!(
                "recorded as the place of objects to come of {names}"
            ));
        }
        if !self.occupants.is_empty() {
            let count = self.occupants.len();
            let noun = if count == 1 { "object" } else { "objects" };
            let named: Vec<String> = self
                .occupants
                .iter()
                .take(NAMED_IN_SUMMARY)
                .map(|occupant| format!("{} ({})", occupant.key, occupant.owner))
                .collect();
            let more = if count > NAMED_IN_SUMMARY {
                ", …"
            } else {
                ""
            };
            parts.push(format!("holds {count} {noun}: {}{more}", named.join(", ")));
        }
        if let Some(unread) = self.unread.first() {
            let more = match self.unread.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            parts.push(format!("could not be counted completely: {unread}{more}"));
        }
        if parts.is_empty() {
            "empty".to_owned()
        } else {
            parts.join("; ")
        }
    }
}

/// Counts a namespace, leaving out the objects that `leaves` says are going anyway. `asking` is
/// the claim on whose behalf it is counted: its own placement does not count.
pub fn occupancy(
    world: &World,
    ownership: &Ownership,
    namespace: &str,
    asking: Option<&ClaimId>,
    leaves: impl Fn(&Object) -> bool,
) -> Occupancy {
    let occupants = world
        .in_namespace(namespace)
        .filter(|object| {
            !leaves(object) && presence(object, world, ownership.claims()) == Presence::Counts
        })
        .map(|object| Occupant {
            key: object.key.clone(),
            owner: ownership.owner(world, object),
            created: object.created().map(str::to_owned),
        });
    Occupancy {
        occupants: occupants.collect(),
        unread: world
            .unread_in(namespace)
            .filter(|unread| namespaced(world, unread))
            .cloned()
            .collect(),
        placed: placed_in(world, namespace, asking)
            .map(Claim::display_name)
            .collect(),
        expecting: expecting(world, namespace, asking)
            .map(Claim::display_name)
            .collect(),
    }
}

/// Claims other than `asking` that live elsewhere and record objects in a namespace that are not
/// there. An `up` records them before it creates the first: whoever counts in between must not
/// take the namespace for empty.
fn expecting<'w>(
    world: &'w World,
    namespace: &'w str,
    asking: Option<&'w ClaimId>,
) -> impl Iterator<Item = &'w Claim> {
    world.claims.iter().filter(move |claim| {
        let lives_here = claim
            .placement
            .as_ref()
            .is_some_and(|placement| placement.namespace == namespace);
        let mut entries = claim.entries.values();
        Some(&claim.id) != asking
            && claim.retired.is_none()
            && !lives_here
            && entries.any(|entry| {
                entry.key.namespace.as_deref() == Some(namespace) && world.get(&entry.key).is_none()
            })
    })
}

/// Claims other than `asking` that still live in a namespace.
pub fn placed_in<'w>(
    world: &'w World,
    namespace: &'w str,
    asking: Option<&'w ClaimId>,
) -> impl Iterator<Item = &'w Claim> {
    world.claims.iter().filter(move |claim| {
        Some(&claim.id) != asking
            && claim.retired.is_none()
            && claim
                .placement
                .as_ref()
                .is_some_and(|placement| placement.namespace == namespace)
    })
}

/// Whether a failed list can hide objects of a namespace at all.
pub(crate) fn namespaced(world: &World, unread: &Unread) -> bool {
    unread
        .kind
        .as_ref()
        .is_none_or(|kind| world.is_namespaced(kind) != Some(false))
}
