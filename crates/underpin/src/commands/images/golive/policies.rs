//! What image policies write into a release: those that markers name, and of other images those that follow
//! the same tag.

use std::collections::BTreeSet;

use underpin_image::{
    Host, Registry, ReleaseNeeds, Root, RootKind, Selection, Tag, Target, UnknownNeed,
};
use underpin_model::{FieldPath, ObjectKey, Origin, Place, World};
use underpin_source::yaml::Comment;

use super::{
    super::{
        marker::{self, policy_kind, selections},
        sources::Read,
    },
    kustomization::Manifests,
    needs::Sources,
    releases::Occurrence,
};

/// The markers that stand in what declares a release, or in its manifests.
pub(super) fn markers<'r>(
    occurrence: &Occurrence<'_>,
    manifests: Option<&Manifests>,
    sources: Sources<'r>,
) -> Vec<(&'r Read, &'r Comment)> {
    let own = match &occurrence.object.origin {
        Origin::Declared { place, .. } => Some(place),
        _ => None,
    };
    let reads = sources.reads.iter().filter(|read| !read.is_revision());
    let comments = reads.flat_map(|read| read.comments.iter().map(move |one| (read, one)));
    let markers = comments.filter(|(_, comment)| marker::is_marker(comment));
    let stands_here = |read: &Read, at: &Place| {
        own.is_some_and(|own| is_in_document(at, own, read))
            || manifests.is_some_and(|manifests| manifests.hold(at, sources.checkouts))
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
    let mut others = read.objects().filter_map(|object| match &object.origin {
        Origin::Declared { place, .. } => Some(place),
        _ => None,
    });
    !others.any(|other| other.file == at.file && other.line > begin.line && other.line <= at.line)
}

/// Adds what image policies write into a release. Of policies whose selection is not known, any may, unless
/// `is_declared`: the release is read as git declares it, and markers there say which.
pub(super) fn add_policies(
    occurrence: &Occurrence<'_>,
    markers: &[(&Read, &Comment)],
    is_declared: bool,
    sources: Sources<'_>,
    needs: &mut ReleaseNeeds,
) {
    let mut found: Vec<Root> = Vec::new();
    for (read, comment) in markers {
        let worlds = worlds(sources).map(|(_, world)| world);
        match marker::marked(comment, worlds, sources.registry, &read.name) {
            Ok((roots, mut unknown)) => {
                known_elsewhere(&roots, &mut unknown);
                found.extend(roots);
                needs.unknown.extend(unknown);
            }
            Err(reason) => {
                let mut evidence = occurrence.object.evidence(FieldPath::root(), String::new());
                evidence.place = Some(comment.place.clone());
                needs.unknown.push(UnknownNeed::new(evidence, reason));
            }
        }
    }
    let marked = found.clone();
    let (all, unknown) = all_policies(sources);
    if !is_declared {
        needs.unknown.extend(unknown);
    }
    for policy in &all {
        let is_same = |one: &&Root| is_same_repository(one, policy, sources.registry);
        if marked.iter().any(|one| is_same(&one)) {
            continue;
        }
        // A policy may be read in several sources.
        let others = all.iter().filter(is_same);
        let others: BTreeSet<&ObjectKey> = others.map(|one| &one.evidence.object).collect();
        let mut roots = needs.roots.iter();
        if roots.any(|root| follows(policy, root, others.len() == 1, sources.registry)) {
            found.push(policy.clone());
        }
    }
    // The tag that is not known is the one that a policy writes.
    let registry = sources.registry;
    needs
        .roots
        .retain(|root| !is_written(root, &found, registry));
    needs.roots.extend(found);
}

fn worlds(sources: Sources<'_>) -> impl Iterator<Item = (&Read, &World)> {
    let reads = sources.reads.iter().filter(|read| !read.is_revision());
    reads.flat_map(|read| read.worlds.iter().map(move |world| (read, world)))
}

/// What every image policy selects that was read, and what of that is not known.
fn all_policies(sources: Sources<'_>) -> (Vec<Root>, Vec<UnknownNeed>) {
    let kind = policy_kind();
    let (mut roots, mut unknown) = (Vec::new(), Vec::new());
    for (read, world) in worlds(sources) {
        for policy in world.of_kind(&kind) {
            let (selected, more) = selections(policy, world, sources.registry, &read.name);
            roots.extend(selected);
            unknown.extend(more);
        }
    }
    known_elsewhere(&roots, &mut unknown);
    (roots, unknown)
}

/// Drops what is not known of a policy in one source and is in another: the repository that it scans may be
/// declared elsewhere.
fn known_elsewhere(roots: &[Root], unknown: &mut Vec<UnknownNeed>) {
    let known: BTreeSet<&ObjectKey> = roots.iter().map(|root| &root.evidence.object).collect();
    unknown.retain(|need| !known.contains(&need.evidence.object));
}

/// The registry and repository that a root is of, as far as they are known.
fn location(root: &Root) -> Option<(Option<&Host>, &str)> {
    match &root.target {
        Target::Image(reference) => {
            let location = &reference.location;
            Some((Some(&location.host), location.repository.as_str()))
        }
        Target::Policy(location, _) => Some((Some(&location.host), location.repository.as_str())),
        Target::Pattern {
            host, repository, ..
        } => Some((host.as_ref(), repository.literal()?)),
        _ => None,
    }
}

/// Whether two roots are of one repository. A name without a registry may be meant in any.
fn is_same_repository(one: &Root, other: &Root, registry: &Registry) -> bool {
    let (Some((host, path)), Some((other_host, other_path))) = (location(one), location(other))
    else {
        return false;
    };
    let is_same_host = match (host, other_host) {
        (Some(host), Some(other)) => {
            host == other || registry.is_named(host) && registry.is_named(other)
        }
        _ => true,
    };
    path == other_path && is_same_host
}

/// Whether a policy writes an image, as far as that shows without a marker: it would take the tag that is
/// written, or selects the digest that is, or the image has no tag yet.
fn follows(policy: &Root, root: &Root, is_only: bool, registry: &Registry) -> bool {
    let Target::Policy(_, selects) = &policy.target else {
        return false;
    };
    if !is_same_repository(policy, root, registry) || root.kind == RootKind::Policy {
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
fn is_written(root: &Root, policies: &[Root], registry: &Registry) -> bool {
    let Target::Pattern {
        repository, tag, ..
    } = &root.target
    else {
        return false;
    };
    if tag.as_str() == "*" {
        let mut policies = policies.iter();
        return policies.any(|policy| is_same_repository(policy, root, registry));
    }
    let mut marked = policies.iter().filter(|one| one.kind == RootKind::Marker);
    repository.as_str() == "*"
        && marked.any(|policy| match (&policy.target, tag.literal()) {
            (Target::Policy(_, selects), Some(tag)) => Tag::new(tag)
                .is_ok_and(|tag| selects.select(std::iter::once(&tag)) != Selection::Nothing),
            _ => false,
        })
}
