//! Why a manifest stays, and why nothing may be deleted at all.

use std::fmt;

use jiff::Timestamp;
use underpin_model::wording::count;

use crate::{
    digest::Digest,
    needs::{By, RootNumber},
    record::RootsSeen,
    reference::Tag,
};

/// Why a manifest stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A root needs it.
    Needed(RootNumber, By),
    /// An index that stays holds it.
    ChildOf(Digest),
    /// It says something of a manifest that stays.
    RefersTo(Digest),
    /// What stays says something of it.
    ReferredBy(Digest),
    /// It holds a child that is needed and has no tag: what nothing holds is collected by some
    /// registries.
    Holds(Digest),
    /// What of its repository is needed cannot be told.
    Opaque(String),
    /// Something about itself is not known, or it could not be put back.
    Held(String),
    /// It carries a tag that may be moved to it or from it while it is deleted.
    MutableTag(Tag),
    /// It was seen for the first time too short a while ago.
    Young {
        /// When that was.
        since: Timestamp,
        /// When it will be old enough.
        until: Timestamp,
    },
    /// It is one of the newest of its repository.
    Newest,
    /// No earlier run has found that nothing needs it, or not long enough ago.
    Waits {
        /// The earlier run, if there was one.
        since: Option<Timestamp>,
        /// The earliest time at which a run can delete it.
        until: Timestamp,
    },
    /// What must go together with it waits.
    WaitsFor(Digest),
    /// More of the repository would go than one run may take.
    OverShare {
        /// How many images of the repository one run may take.
        most: usize,
    },
    /// More would go than one run may take.
    OverNumber {
        /// How many manifests one run may take.
        most: usize,
    },
    /// Something stops the run.
    Stopped,
}

/// Why nothing may be deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Nothing at all names anything of the registry.
    NoRoots,
    /// Far fewer roots than in the last run, or in one of the week before it.
    FewerRoots {
        /// How many there were.
        before: RootsSeen,
        /// How many there are.
        now: usize,
    },
    /// A source that could not be read completely.
    SourceUnread {
        /// Which.
        source: String,
        /// Why.
        reason: String,
        /// The text by which an operator says that nothing of this registry is needed there.
        consent: Option<String>,
    },
    /// A source that the last run had and this one does not.
    SourceGone {
        /// Which.
        source: String,
    },
    /// A part of the registry that could not be read.
    RegistryUnread {
        /// Which.
        what: String,
        /// Why.
        reason: String,
    },
    /// A text that is to name an image, cannot be read, and may mean one of the registry.
    Unreadable {
        /// Who says it.
        root: RootNumber,
    },
    /// The last run lies in the future.
    Clock {
        /// When it says that it was.
        recorded: Timestamp,
    },
}

impl Reason {
    /// Whether it stays because something needs it, straight or through others.
    pub fn is_need(&self) -> bool {
        matches!(self, Self::Needed(..) | Self::Holds(_))
    }

    /// Whether it would go if it were not for the pace: a later run may take it.
    pub fn is_pace(&self) -> bool {
        matches!(
            self,
            Self::Waits { .. }
                | Self::WaitsFor(_)
                | Self::OverShare { .. }
                | Self::OverNumber { .. }
                | Self::Stopped
        )
    }
}

/// In a sentence that begins with the manifest; a root is told by its number.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needed(root, By::Tag(tag)) => write!(f, "root {root} needs it by tag {tag}"),
            Self::Needed(root, By::Digest) => write!(f, "root {root} needs it by its digest"),
            Self::Needed(root, By::Configuration) => {
                write!(f, "root {root} needs it by the digest of its configuration")
            }
            Self::ChildOf(digest) => write!(f, "the index {digest} holds it"),
            Self::RefersTo(digest) => write!(f, "it says something of {digest}, which stays"),
            Self::ReferredBy(digest) => write!(f, "{digest} says something of it, and stays"),
            Self::Holds(digest) => write!(f, "it holds {digest}, which is needed"),
            Self::Opaque(reason) => write!(f, "its repository is not known well enough: {reason}"),
            Self::Held(reason) => f.write_str(reason),
            Self::MutableTag(tag) => {
                write!(
                    f,
                    "it carries the tag {tag}, which may be pushed anew, and this registry cannot \
                     delete a digest without its tags"
                )
            }
            Self::Young { since, until } => {
                write!(
                    f,
                    "it was seen first at {since:.0}, and may go from {until:.0} on"
                )
            }
            Self::Newest => f.write_str("it is one of the newest of its repository"),
            Self::Waits { since, until } => match since {
                Some(since) => write!(
                    f,
                    "nothing has needed it since {since:.0}, and it may go from {until:.0} on"
                ),
                None => write!(
                    f,
                    "nothing needs it, which this run is the first to find; it may go from {until:.0} on"
                ),
            },
            Self::WaitsFor(digest) => {
                write!(f, "it goes together with {digest}, which may not go yet")
            }
            Self::OverShare { most } => {
                let most = count(*most, "image");
                write!(f, "one run may take {most} of this repository")
            }
            Self::OverNumber { most } => {
                let most = count(*most, "manifest");
                write!(f, "one run may take {most}")
            }
            Self::Stopped => f.write_str("the run is stopped, and deletes nothing"),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoots => f.write_str("nothing that was read names an image of this registry"),
            Self::FewerRoots { before, now } => {
                let images = if *now == 1 { "image is" } else { "images are" };
                write!(
                    f,
                    "{now} {images} named, and in the run of {:.0} there were {}",
                    before.at, before.number
                )
            }
            Self::SourceUnread { source, reason, .. } => {
                write!(f, "{source} could not be read completely: {reason}")
            }
            Self::SourceGone { source } => {
                write!(f, "the last run also read {source}, and this one does not")
            }
            Self::RegistryUnread { what, reason } => {
                write!(f, "could not read {what}: {reason}")
            }
            Self::Unreadable { root } => {
                write!(
                    f,
                    "root {root} cannot be read, and may name an image of this registry"
                )
            }
            Self::Clock { recorded } => {
                write!(
                    f,
                    "the last run is recorded at {recorded}, which is yet to come"
                )
            }
        }
    }
}
