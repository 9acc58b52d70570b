//! The releases that are asked about, and everywhere they were read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use camino::Utf8Path;
use underpin_model::{Object, ObjectKey, Origin, World, listed, nearest};
use underpin_refs::{is_release, is_suspended};

use super::{
    super::sources::Read,
    checkouts::Checkouts,
    declared::{Declared, names_namespace},
    doubts::may_hold_releases,
    kustomization::{Manifests, put_namespace},
};
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
    /// Whether a release is meant; in whichever namespace, where that is not known.
    fn means(&self, key: &ObjectKey) -> bool {
        let namespace = key.namespace.as_deref();
        self.kind.is_none_or(|kind| key.kind.kind == kind)
            && namespace.is_none_or(|namespace| namespace == self.namespace)
            && key.name == self.name
    }
}

/// `helmrelease/kotkan/cms-plugins`, as it can be asked for; `helmrelease/cms-plugins` where nobody knows in
/// which namespace it is.
pub(super) fn short(key: &ObjectKey) -> String {
    let kind = key.kind.kind.to_ascii_lowercase();
    match &key.namespace {
        Some(namespace) => format!("{kind}/{namespace}/{}", key.name),
        None => format!("{kind}/{}", key.name),
    }
}

/// A release, everywhere it was read.
pub(super) struct Release<'r> {
    pub(super) key: ObjectKey,
    pub(super) occurrences: Vec<Occurrence<'r>>,
}

/// A release as one source has it.
pub(super) struct Occurrence<'r> {
    pub(super) read: &'r Read,
    /// The release, in the namespace in which it comes to be; in none where that is not known.
    pub(super) object: Object,
    /// Where what it refers to is looked up.
    pub(super) world: Arc<World>,
}

impl Release<'_> {
    /// Whether it is suspended anywhere.
    pub(super) fn is_suspended(&self) -> bool {
        let mut all = self.occurrences.iter();
        all.any(|one| is_suspended(&one.object))
    }
}

/// The releases that are asked about; all that are suspended where none is named.
pub(super) fn asked<'r>(
    names: &[ReleaseName],
    reads: &'r [Read],
    declared: &Declared<'r>,
    checkouts: &Checkouts,
    foreign: &BTreeSet<String>,
) -> Result<Vec<Release<'r>>, CommandError> {
    let all = found(reads, declared, checkouts);
    let mut chosen: Vec<ObjectKey> = Vec::new();
    for name in names {
        let meant: Vec<&ObjectKey> = all.keys().filter(|key| name.means(key)).collect();
        let placed: Vec<&ObjectKey> = meant
            .iter()
            .copied()
            .filter(|key| key.namespace.is_some())
            .collect();
        // One that may be in any namespace is looked at with the one that is in this.
        let meant = if placed.is_empty() { meant } else { placed };
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
            objects.any(|one| is_suspended(&one.object))
        });
        chosen = suspended.map(|(key, _)| key.clone()).collect();
    }
    chosen.sort();
    chosen.dedup();
    let releases = chosen.into_iter().map(|key| {
        let own = all.get(&key).into_iter().flatten();
        let of_no_namespace = ObjectKey {
            namespace: None,
            ..key.clone()
        };
        let others = all.get(&of_no_namespace).into_iter().flatten();
        let others = others.filter(|_| key.namespace.is_some());
        let at: Vec<&Found<'_, '_>> = own.chain(others).collect();
        let worlds = at.iter().filter_map(|one| live_world(one.read, &key));
        let live: Vec<&World> = worlds.collect();
        let occurrences = at.iter().map(|one| Occurrence {
            read: one.read,
            object: one.object.clone(),
            world: Arc::new(world_of(one, &key, &live, reads, declared)),
        });
        Release {
            occurrences: occurrences.collect(),
            key,
        }
    });
    Ok(releases.collect())
}

/// A release in one source.
struct Found<'r, 'd> {
    read: &'r Read,
    object: Object,
    /// What puts it into its namespace, if something else than its own file does.
    by: Vec<&'d Manifests>,
}

/// Releases by their names, those in no namespace among them of which nobody knows in which they are.
type All<'r, 'd> = BTreeMap<ObjectKey, Vec<Found<'r, 'd>>>;

/// Every release that was read. What a revision holds is not what would be resumed.
fn found<'r, 'd>(
    reads: &'r [Read],
    declared: &'d Declared<'r>,
    checkouts: &Checkouts,
) -> All<'r, 'd> {
    let mut found = All::new();
    let mut add = |read: &'r Read, object: Object, by: Vec<&'d Manifests>| {
        let at = found.entry(object.key.clone()).or_default();
        at.push(Found { read, object, by });
    };
    for read in reads.iter().filter(|read| !read.is_revision()) {
        let releases = read.objects().filter(|object| is_release(&object.key.kind));
        for release in releases {
            let namespaces = match &release.origin {
                Origin::Declared { place, .. } if read.is_declared => {
                    declared.namespaces(&checkouts.absolute(Utf8Path::new(&*place.file)))
                }
                _ => BTreeMap::new(),
            };
            let own = release.key.namespace.as_deref().unwrap_or_default();
            if !read.is_declared || names_namespace(release) {
                add(read, release.clone(), Vec::new());
            } else if namespaces.is_empty() {
                let mut anywhere = release.clone();
                anywhere.key.namespace = None;
                add(read, anywhere, Vec::new());
            }
            for (namespace, by) in namespaces {
                let mut placed = release.clone();
                put_namespace(&mut placed, &namespace);
                if own != namespace || !names_namespace(release) {
                    add(read, placed, by);
                }
            }
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
fn world_of(
    found: &Found<'_, '_>,
    key: &ObjectKey,
    live: &[&World],
    reads: &[Read],
    declared: &Declared<'_>,
) -> World {
    if let Some(world) = live_world(found.read, key) {
        return world.clone();
    }
    let clusters = reads.iter().filter(|read| !read.is_declared);
    let clusters: Vec<&World> = clusters.flat_map(|read| &read.worlds).collect();
    let mut world = match (live, &clusters[..]) {
        ([world, ..], _) | ([], [world]) => (*world).clone(),
        _ => World::default(),
    };
    for object in found.read.worlds.iter().flat_map(World::shared) {
        world.insert(object.clone());
    }
    // What puts the release into its namespace puts what lies beside it there too.
    let files = found.by.iter().flat_map(|by| by.files());
    for (_, object) in files.flat_map(|file| declared.in_file(file)) {
        let mut beside = Object::clone(object);
        if let Some(namespace) = &found.object.key.namespace {
            put_namespace(&mut beside, namespace);
        }
        world.insert(beside);
    }
    world
}

fn not_found(name: &ReleaseName, all: &All<'_, '_>, unread: &[(&str, String)]) -> CommandError {
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
