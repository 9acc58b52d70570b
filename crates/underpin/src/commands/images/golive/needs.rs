//! What a release needs, wherever it was read: what it says itself, its manifests, and what image policies
//! write into it.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use underpin_image::{
    Registry, ReleaseNeeds, Root, RootKind, RootSettings, Selection, Tag, Target, UnknownNeed,
    object_roots, release_needs, replace_images, without_secrets,
};
use underpin_model::{FieldPath, Object, Origin, Place, World};
use underpin_refs::{ImageSources, chart_folder, is_helm_release};
use underpin_source::yaml::Comment;

use super::{
    super::{
        marker,
        sources::{Read, read_yaml},
    },
    kustomization::Manifests,
    releases::{Occurrence, Release, policy_kind},
};

/// The file of a chart that holds its own values.
const VALUES_FILE: &str = "values.yaml";

/// What is needed.
#[derive(Default)]
pub(super) struct Needs {
    pub(super) roots: Vec<Root>,
    pub(super) unknown: Vec<UnknownNeed>,
}

/// Where releases are looked up.
#[derive(Clone, Copy)]
pub(super) struct Sources<'s> {
    pub(super) reads: &'s [Read],
    /// Folders and files that were named.
    pub(super) paths: &'s [Utf8PathBuf],
    /// The registry, as far as it was read.
    pub(super) registry: &'s Registry,
}

/// Whether names that only Secrets tell are still among the needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// They are: what is to be asked for, nothing to be shown.
    Kept,
    /// They are not.
    Dropped,
}

/// Everything that a release needs.
pub(super) fn of_release(release: &Release<'_>, sources: Sources<'_>, secrets: Secrets) -> Needs {
    let mut all = Needs::default();
    for occurrence in &release.occurrences {
        let mut needs = of_occurrence(occurrence, sources);
        if secrets == Secrets::Dropped {
            without_secrets(sources.registry, &mut needs);
        }
        all.roots.extend(needs.roots);
        all.unknown.extend(needs.unknown);
    }
    if let Some(first) = release.occurrences.first()
        && all.roots.is_empty()
        && all.unknown.is_empty()
    {
        all.unknown.push(UnknownNeed {
            evidence: first.object.evidence(FieldPath::new("spec"), String::new()),
            reason: "nothing that was read of it names an image".to_owned(),
        });
    }
    all
}

fn of_occurrence(occurrence: &Occurrence<'_>, sources: Sources<'_>) -> ReleaseNeeds {
    let Occurrence {
        read,
        object,
        world,
    } = occurrence;
    let settings = RootSettings {
        registry: sources.registry,
        sources: ImageSources {
            world,
            read_yaml: &read_yaml,
        },
        source: &read.name,
    };
    let defaults = defaults(object, sources.reads);
    let mut needs = release_needs(object, settings, defaults);
    if let Some(key) = needs.artifact.take() {
        match world.get(&key) {
            Some(artifact) => {
                let (roots, unknown) = object_roots(artifact, settings);
                needs.roots.extend(roots);
                needs.unknown.extend(unknown);
            }
            None => needs.unknown.push(UnknownNeed {
                evidence: object.evidence(FieldPath::new("spec"), String::new()),
                reason: format!("what is in it comes from {key}, which was not read"),
            }),
        }
    }
    let mut manifests = None;
    if !is_helm_release(&object.key.kind) {
        manifests = Manifests::of(occurrence, sources.reads, sources.paths);
        if manifests.is_none() {
            needs.unknown.push(UnknownNeed {
                evidence: object.evidence(FieldPath::new("spec.path"), String::new()),
                reason: "no declared files hold this folder: name them with --path".to_owned(),
            });
        }
    }
    let comments = marked(occurrence, manifests.as_ref(), sources.reads);
    if let Some(manifests) = manifests {
        manifests.needs(occurrence, sources.reads, settings, &mut needs);
    }
    replace_images(object, settings, &mut needs);
    policies(occurrence, &comments, sources, &mut needs);
    needs
}

/// The values that a chart brings which lies in a folder that was read.
fn defaults<'r>(release: &Object, reads: &'r [Read]) -> Option<&'r Value> {
    let (chart, files) = chart_folder(release)?;
    if !files.is_empty() {
        return None;
    }
    let folder = chart.trim_start_matches("./").trim_matches('/');
    if folder.is_empty() {
        return None;
    }
    let file = Utf8Path::new(folder).join(VALUES_FILE);
    let mut all = reads.iter().flat_map(|read| &read.values);
    all.find(|(path, _)| path.ends_with(&file))
        .map(|(_, values)| values)
}

/// The markers that stand in what declares a release, or in its manifests.
fn marked<'r>(
    occurrence: &Occurrence<'_>,
    manifests: Option<&Manifests>,
    reads: &'r [Read],
) -> Vec<(&'r Read, &'r Comment)> {
    let own = match &occurrence.object.origin {
        Origin::Declared { place, .. } => Some(place),
        _ => None,
    };
    let reads = reads.iter().filter(|read| read.relabel.is_none());
    let comments = reads.flat_map(|read| read.comments.iter().map(move |one| (read, one)));
    let markers = comments.filter(|(_, comment)| marker::is_marker(comment));
    let stands_here = |read: &Read, at: &Place| {
        own.is_some_and(|own| is_in_document(at, own, read))
            || manifests.is_some_and(|manifests| manifests.hold(at))
    };
    markers
        .filter(|(read, comment)| stands_here(read, &comment.place))
        .collect()
}

/// Whether a place is in the document that begins at another one.
fn is_in_document(at: &Place, begin: &Place, read: &Read) -> bool {
    if at.file != begin.file || at.line < begin.line {
        return false;
    }
    let objects = read.worlds.iter().flat_map(World::objects);
    let mut others = objects
        .chain(&read.again)
        .filter_map(|object| match &object.origin {
            Origin::Declared { place, .. } => Some(place),
            _ => None,
        });
    !others.any(|other| other.file == at.file && other.line > begin.line && other.line <= at.line)
}

/// Adds what image policies write into a release: those that markers name, and of other images those that
/// follow the same tag.
fn policies(
    occurrence: &Occurrence<'_>,
    comments: &[(&Read, &Comment)],
    sources: Sources<'_>,
    needs: &mut ReleaseNeeds,
) {
    let mut found: Vec<Root> = Vec::new();
    for (read, comment) in comments {
        marked_policy(occurrence, read, comment, sources, &mut found, needs);
    }
    let marked: BTreeSet<String> = found.iter().filter_map(location).collect();
    let all = all_policies(sources);
    for policy in &all {
        let Some(location) = location(policy).filter(|one| !marked.contains(one)) else {
            continue;
        };
        let others = all
            .iter()
            .filter(|one| self::location(one).as_ref() == Some(&location));
        let is_only = others.count() == 1;
        let mut roots = needs.roots.iter();
        if roots.any(|root| follows(policy, root, is_only, sources.registry)) {
            found.push(policy.clone());
        }
    }
    let unread = occurrence.world.unread(&policy_kind(), None);
    if let Some(unread) = unread {
        needs.unknown.push(UnknownNeed {
            evidence: occurrence.object.evidence(FieldPath::root(), String::new()),
            reason: format!("image policies that may write into it could not be read: {unread}"),
        });
    }
    // The tag that is not known is the one that a policy writes.
    needs.roots.retain(|root| !is_written(root, &found));
    needs.roots.extend(found);
}

/// What the policy selects that a marker names.
fn marked_policy(
    occurrence: &Occurrence<'_>,
    read: &Read,
    comment: &Comment,
    sources: Sources<'_>,
    found: &mut Vec<Root>,
    needs: &mut ReleaseNeeds,
) {
    let evidence = || {
        let mut evidence = occurrence.object.evidence(FieldPath::root(), String::new());
        evidence.place = Some(comment.place.clone());
        evidence
    };
    let Some(key) = marker::policy_of(comment) else {
        needs.unknown.push(UnknownNeed {
            evidence: evidence(),
            reason: "the marker of an image policy cannot be read".to_owned(),
        });
        return;
    };
    let mut is_there = false;
    for (of, world) in worlds(sources.reads) {
        let Some(policy) = world.get(&key) else {
            continue;
        };
        is_there = true;
        let (roots, unknown) = selections(policy, world, of, sources);
        needs.unknown.extend(unknown);
        found.extend(roots.into_iter().map(|mut root| {
            root.kind = RootKind::Marker;
            root.source = read.name.clone();
            root.evidence.place = Some(comment.place.clone());
            root
        }));
    }
    if !is_there {
        needs.unknown.push(UnknownNeed {
            evidence: evidence(),
            reason: format!("a marker names {key}, which was not read"),
        });
    }
}

fn worlds(reads: &[Read]) -> impl Iterator<Item = (&Read, &World)> {
    let reads = reads.iter().filter(|read| read.relabel.is_none());
    reads.flat_map(|read| read.worlds.iter().map(move |world| (read, world)))
}

/// What every image policy selects that was read.
fn all_policies(sources: Sources<'_>) -> Vec<Root> {
    let kind = policy_kind();
    let policies = worlds(sources.reads).flat_map(|(read, world)| {
        let policies = world.of_kind(&kind);
        policies.map(move |policy| (read, world, policy))
    });
    let roots =
        policies.flat_map(|(read, world, policy)| selections(policy, world, read, sources).0);
    roots.collect()
}

/// What a policy selects, and not what its status says that it did.
fn selections(
    policy: &Object,
    world: &World,
    read: &Read,
    sources: Sources<'_>,
) -> (Vec<Root>, Vec<UnknownNeed>) {
    let settings = RootSettings {
        registry: sources.registry,
        sources: ImageSources {
            world,
            read_yaml: &read_yaml,
        },
        source: &read.name,
    };
    let (mut roots, unknown) = object_roots(policy, settings);
    roots.retain(|root| root.kind == RootKind::Policy);
    (roots, unknown)
}

/// The repository that a root is of, if it is one.
fn location(root: &Root) -> Option<String> {
    match &root.target {
        Target::Image(reference) => Some(reference.location.repository.to_string()),
        Target::Policy(location, _) => Some(location.repository.to_string()),
        Target::Pattern { repository, .. } => repository.literal().map(str::to_owned),
        _ => None,
    }
}

/// Whether a policy writes an image, as far as that shows without a marker: it would take the tag that is
/// written, or selects the digest that is, or the image has no tag yet.
fn follows(policy: &Root, root: &Root, is_only: bool, registry: &Registry) -> bool {
    let Target::Policy(_, selects) = &policy.target else {
        return false;
    };
    if location(policy) != location(root) || root.kind == RootKind::Policy {
        return false;
    }
    let reference = match &root.target {
        Target::Image(reference) => reference,
        Target::Pattern { tag, .. } => return tag.as_str() == "*",
        _ => return false,
    };
    if let Some(tag) = &reference.tag {
        return selects.select(std::iter::once(tag)) != Selection::Nothing;
    }
    let repository = registry.repositories.get(&reference.location.repository);
    let Some((repository, digest)) = repository.zip(reference.digest.as_ref()) else {
        return is_only;
    };
    let selected = match selects.select(repository.tags.keys()) {
        Selection::Selected(tags) => tags,
        _ => BTreeSet::new(),
    };
    let mut readings = selected.iter().filter_map(|tag| repository.tags.get(tag));
    is_only || readings.any(|one| one.present() == Some(digest))
}

/// Whether a root names no more than the repository whose tag a policy writes, or a tag whose repository
/// only that policy tells.
fn is_written(root: &Root, policies: &[Root]) -> bool {
    let Target::Pattern {
        repository, tag, ..
    } = &root.target
    else {
        return false;
    };
    if tag.as_str() == "*" {
        let mut policies = policies.iter();
        return policies.any(|policy| location(policy) == location(root));
    }
    let mut marked = policies.iter().filter(|one| one.kind == RootKind::Marker);
    repository.as_str() == "*"
        && marked.any(|policy| match (&policy.target, tag.literal()) {
            (Target::Policy(_, selects), Some(tag)) => Tag::new(tag)
                .is_ok_and(|tag| selects.select(std::iter::once(&tag)) != Selection::Nothing),
            _ => false,
        })
}
