//! What was read of a registry, and what was not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    digest::Digest,
    glob::Glob,
    manifest::Manifest,
    reference::{Host, Location, RepositoryPath, Tag},
};

/// One thing that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading<T> {
    /// It is there.
    Present(T),
    /// The registry said that it is not there.
    Absent,
    /// It could not be read, and why: it may be there, and hold anything.
    Unread(String),
}

impl<T> Reading<T> {
    /// What is there.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(there) => Some(there),
            Self::Absent | Self::Unread(_) => None,
        }
    }
}

/// What deleting takes away in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// A tag can be deleted alone; its digest and the other tags stay.
    TagsAlone,
    /// A manifest is deleted by its digest, and all its tags go with it.
    DigestsWithTags,
}

/// Something that could not be read completely. Unknown is not absent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnreadPart {
    /// What, such as `page 3 of the tags of team/web`.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// A package that is no image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its type, such as `npm`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What was read of one registry.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Its host.
    pub host: Host,
    /// Other names of the same registry.
    pub aliases: Vec<Host>,
    /// What deleting takes away.
    pub deletion: Deletion,
    /// Whether tags that differ in letter case are one.
    pub folds_case: bool,
    /// Its repositories, as far as they are managed.
    pub repositories: BTreeMap<RepositoryPath, Repository>,
    /// Packages that are no images; empty where the registry has none.
    pub packages: BTreeSet<Package>,
    /// What could not be read: pages of lists.
    pub unread: Vec<UnreadPart>,
}

/// What was read of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// What every listed tag points to; [`Reading::Absent`] for one that went between two requests.
    pub tags: BTreeMap<Tag, Reading<Digest>>,
    /// Manifests that were listed or asked for. One that nobody asked for is not in it.
    pub manifests: BTreeMap<Digest, Reading<Manifest>>,
    /// When manifests were pushed, where the registry tells.
    pub pushed: BTreeMap<Digest, Timestamp>,
    /// Blobs that were asked for.
    pub blobs: BTreeMap<Digest, Reading<()>>,
}

impl Registry {
    /// A registry of which nothing was read yet.
    pub fn new(host: Host, deletion: Deletion) -> Self {
        Self {
            host,
            aliases: Vec::new(),
            deletion,
            folds_case: false,
            repositories: BTreeMap::new(),
            packages: BTreeSet::new(),
            unread: Vec::new(),
        }
    }

    /// Whether a host is this registry.
    pub fn is_named(&self, host: &Host) -> bool {
        *host == self.host || self.aliases.contains(host)
    }

    /// All its names.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        std::iter::once(&self.host).chain(&self.aliases)
    }

    /// A repository of it as references name it.
    pub fn location(&self, repository: &RepositoryPath) -> Location {
        Location {
            host: self.host.clone(),
            repository: repository.clone(),
        }
    }

    /// Why nothing is known of a manifest that no plan has, in a sentence without a full stop; `None`
    /// where the registry said that it is not there.
    pub fn unseen(&self, repository: &RepositoryPath, digest: &Digest) -> Option<String> {
        let read = self.repositories.get(repository);
        match read.and_then(|read| read.manifests.get(digest)) {
            Some(Reading::Absent) => None,
            Some(Reading::Unread(reason)) => Some(format!("it could not be read: {reason}")),
            Some(Reading::Present(_)) => Some("it is there, and was not planned for".to_owned()),
            None => Some(match self.unread.first() {
                Some(part) => format!(
                    "whether it is there is not known: could not read {}: {}",
                    part.what, part.reason
                ),
                None => "whether it is there was not asked".to_owned(),
            }),
        }
    }

    /// Whether a pattern of tags means this one.
    pub fn tag_matches(&self, pattern: &Glob, tag: &Tag) -> bool {
        if self.folds_case {
            let pattern = Glob::new(pattern.as_str().to_ascii_lowercase());
            return pattern.matches(&tag.as_str().to_ascii_lowercase());
        }
        pattern.matches(tag.as_str())
    }

    /// The tag of a repository under which this one is listed: itself, unless the registry takes
    /// letters of both cases for one.
    pub fn listed_tag<'r>(&self, repository: &'r Repository, tag: &Tag) -> Option<&'r Tag> {
        if let Some((listed, _)) = repository.tags.get_key_value(tag) {
            return Some(listed);
        }
        if !self.folds_case {
            return None;
        }
        let same = |listed: &&Tag| listed.as_str().eq_ignore_ascii_case(tag.as_str());
        repository.tags.keys().find(same)
    }
}

impl Repository {
    /// Why something in it may be needed that cannot be seen: a tag of which nobody knows what it
    /// points to, a manifest that could not be read and may hold any other.
    pub fn opaque(&self) -> Option<String> {
        let tags = self.tags.iter().filter_map(|(tag, reading)| match reading {
            Reading::Unread(reason) => {
                Some(format!("what tag {tag} points to is not known: {reason}"))
            }
            _ => None,
        });
        let manifests = self.manifests.iter();
        let manifests = manifests.filter_map(|(digest, reading)| match reading {
            Reading::Unread(reason) => {
                Some(format!("manifest {digest} could not be read: {reason}"))
            }
            _ => None,
        });
        let unasked = self.tags.iter().filter_map(|(tag, reading)| {
            let digest = reading.present()?;
            (!self.manifests.contains_key(digest))
                .then(|| format!("manifest {digest} of tag {tag} was not read"))
        });
        tags.chain(manifests).chain(unasked).next()
    }
}

/// The digest that a tag says something of by its own name: `sha256-…`, which stands for referrers
/// where a registry has no list of them, or `sha256-….sig` of signatures before there were any.
pub fn subject_of_tag(tag: &Tag) -> Option<Digest> {
    let (algorithm, rest) = tag.as_str().split_once('-')?;
    let encoded = rest.split_once('.').map_or(rest, |(encoded, _)| encoded);
    format!("{algorithm}:{encoded}").parse().ok()
}
