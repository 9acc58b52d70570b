//! The releases that are asked about, and everywhere they were read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use underpin_model::{Object, ObjectKey, World, listed, nearest};
use underpin_refs::{is_release, is_suspended};

use super::{super::sources::Read, doubts::may_hold_releases};
use crate::error::CommandError;

/// Releases that are named where one was not found.
const SHOWN: usize = 8;
/// Kinds as people write them.
const KINDS: &[(&str, &str)] = &[
    ("helmrelease", "HelmRelease"),
    ("helmreleases", "HelmRelease"),
    ("hr", "HelmRelease"),
    ("kustomization", "Kustomization"),
    ("kustomizations", "Kustomization"),
    ("ks", "Kustomization"),
];

/// A release as it is asked for: `namespace/name`, or with its kind before it.
#[derive(Clone, Debug)]
pub(super) struct ReleaseName {
    kind: Option<&'static str>,
    namespace: String,
    name: String,
}

impl FromStr for ReleaseName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [namespace, name] => (None, namespace, name),
            [kind, namespace, name] => {
                let lower = kind.to_ascii_lowercase();
                let short = lower.split('.').next().unwrap_or_default();
                let known = KINDS.iter().find(|(written, _)| *written == short);
                let Some((_, kind)) = known else {
                    return Err(format!(
                        "`{kind}` is no kind of release: write helmrelease or kustomization"
                    ));
                };
                (Some(*kind), namespace, name)
            }
            _ => return Err("write NAMESPACE/NAME, or KIND/NAMESPACE/NAME".to_owned()),
        };
        if namespace.is_empty() || name.is_empty() {
            return Err("write NAMESPACE/NAME, or KIND/NAMESPACE/NAME".to_owned());
        }
        Ok(Self {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.kind {
            write!(f, "{}/", kind.to_ascii_lowercase())?;
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl ReleaseName {
    fn means(&self, key: &ObjectKey) -> bool {
        self.kind.is_none_or(|kind| key.kind.kind == kind)
            && key.namespace.as_deref() == Some(&self.namespace)
            && key.name == self.name
    }
}

/// `helmrelease/kotkan/cms-plugins`, as it can be asked for.
pub(super) fn short(key: &ObjectKey) -> String {
    let kind = key.kind.kind.to_ascii_lowercase();
    let namespace = key.namespace.as_deref().unwrap_or_default();
    format!("{kind}/{namespace}/{}", key.name)
}

/// A release, everywhere it was read.
pub(super) struct Release<'r> {
    pub(super) key: ObjectKey,
    pub(super) occurrences: Vec<Occurrence<'r>>,
}

/// A release as one source has it.
pub(super) struct Occurrence<'r> {
    pub(super) read: &'r Read,
    pub(super) object: &'r Object,
    /// Where what it refers to is looked up.
    pub(super) world: Arc<World>,
}

impl Release<'_> {
    /// Whether it is suspended anywhere.
    pub(super) fn is_suspended(&self) -> bool {
        let mut all = self.occurrences.iter();
        all.any(|one| is_suspended(one.object))
    }
}

/// The releases that are asked about; all that are suspended where none is named.
pub(super) fn asked<'r>(
    names: &[ReleaseName],
    reads: &'r [Read],
    foreign: &BTreeSet<String>,
) -> Result<Vec<Release<'r>>, CommandError> {
    let mut all = found(reads);
    let mut chosen: Vec<ObjectKey> = Vec::new();
    for name in names {
        let meant: Vec<&ObjectKey> = all.keys().filter(|key| name.means(key)).collect();
        match meant[..] {
            [key] => chosen.push(key.clone()),
            [] => return Err(not_found(name, &all, &may_hold_releases(reads, foreign))),
            _ => {
                let names: Vec<String> = meant.iter().map(|key| short(key)).collect();
                return Err(CommandError::usage(
                    format!("`{name}` is the name of several releases"),
                    format!("name one: {}", listed(names.iter().map(String::as_str))),
                ));
            }
        }
    }
    if names.is_empty() {
        let suspended = all.iter().filter(|(_, at)| {
            let mut objects = at.iter();
            objects.any(|(_, object)| is_suspended(object))
        });
        chosen = suspended.map(|(key, _)| key.clone()).collect();
    }
    chosen.sort();
    chosen.dedup();
    let releases = chosen.into_iter().map(|key| {
        let at = all.remove(&key).unwrap_or_default();
        let worlds = at.iter().filter_map(|(read, _)| live_world(read, &key));
        let live: Vec<&World> = worlds.collect();
        let occurrences = at.into_iter().map(|(read, object)| Occurrence {
            read,
            object,
            world: Arc::new(world_of(read, &key, &live, reads)),
        });
        Release {
            occurrences: occurrences.collect(),
            key,
        }
    });
    Ok(releases.collect())
}

type Found<'r> = BTreeMap<ObjectKey, Vec<(&'r Read, &'r Object)>>;

/// Every release that was read. What a revision holds is not what would be resumed.
fn found(reads: &[Read]) -> Found<'_> {
    let mut found = Found::new();
    for read in reads.iter().filter(|read| !read.is_revision()) {
        let releases = read.objects().filter(|object| is_release(&object.key.kind));
        for release in releases {
            let at = found.entry(release.key.clone()).or_default();
            at.push((read, release));
        }
    }
    found
}

/// The world of a cluster that holds a release.
fn live_world<'r>(read: &'r Read, key: &ObjectKey) -> Option<&'r World> {
    let mut worlds = read.worlds.iter().filter(|_| !read.is_declared);
    worlds.find(|world| world.get(key).is_some())
}

/// Where what a release refers to is looked up: in its cluster, and for a declared one in its files and
/// the cluster that has it too, or the only one that there is.
fn world_of(read: &Read, key: &ObjectKey, live: &[&World], reads: &[Read]) -> World {
    if let Some(world) = live_world(read, key) {
        return world.clone();
    }
    let clusters = reads.iter().filter(|read| !read.is_declared);
    let clusters: Vec<&World> = clusters.flat_map(|read| &read.worlds).collect();
    let mut world = match (live, &clusters[..]) {
        ([world, ..], _) | ([], [world]) => (*world).clone(),
        _ => World::default(),
    };
    for object in read.worlds.iter().flat_map(World::shared) {
        world.insert(object.clone());
    }
    world
}

fn not_found(name: &ReleaseName, all: &Found<'_>, unread: &[(&str, String)]) -> CommandError {
    let names: Vec<String> = all.keys().map(short).collect();
    let plain = names
        .iter()
        .filter_map(|name| Some(name.split_once('/')?.1));
    let written = name.to_string();
    let near = nearest(&written, names.iter().map(String::as_str).chain(plain));
    let mut help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => {
            "there is no HelmRelease or Kustomization in what was read: name its cluster with --context \
             or --against, or its files with --path"
                .to_owned()
        }
        None => {
            let shown = listed(names.iter().take(SHOWN).map(String::as_str));
            let more = names.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("there are {shown}{more}")
        }
    };
    let unread: BTreeSet<&str> = unread.iter().map(|(source, _)| *source).collect();
    if !unread.is_empty() {
        let unread = listed(unread);
        help.push_str(&format!("; not all was read of {unread}, it may be there"));
    }
    CommandError::usage(format!("there is no release {name} in what was read"), help)
}
