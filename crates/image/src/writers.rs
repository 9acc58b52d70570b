//! What image policies write into a release: those that markers name, and of other images those that follow
//! the same tag.

use std::collections::BTreeSet;

use underpin_model::ObjectKey;

use crate::{
    policy::Selection,
    reference::{Host, Tag},
    registry::Registry,
    release::ReleaseNeeds,
    root::{Root, RootKind, Target},
    roots::UnknownNeed,
};

/// The image policies of one source.
#[derive(Clone, Debug, Default)]
pub struct SourcePolicies {
    /// Whether it is declared files, and no cluster.
    pub is_declared: bool,
    /// All of them.
    pub keys: BTreeSet<ObjectKey>,
    /// What they select.
    pub roots: Vec<Root>,
    /// What of that is not known there.
    pub unknown: Vec<UnknownNeed>,
}

impl SourcePolicies {
    fn tells(&self, policy: &ObjectKey) -> bool {
        let mut roots = self.roots.iter();
        roots.any(|root| root.evidence.object == *policy)
    }
}

/// What is not known of image policies. The repository that one of a cluster scans may be declared in files, and
/// one of files may lie in any cluster; what one cluster says of a policy says nothing of that of another.
pub fn unknown_policies(all: &[SourcePolicies]) -> Vec<UnknownNeed> {
    let mut unknown = Vec::new();
    for (at, source) in all.iter().enumerate() {
        let open = source.unknown.iter().filter(|need| {
            let mut others = all.iter().enumerate();
            !others.any(|(other, one)| {
                let may_tell = other == at || source.is_declared || one.is_declared;
                may_tell && one.tells(&need.evidence.object)
            })
        });
        unknown.extend(open.cloned());
    }
    unknown
}

/// What a policy that a marker names selects, wherever it was read, and what of that is not known; none where
/// it was read nowhere.
pub fn marked_policy(
    policy: &ObjectKey,
    all: &[SourcePolicies],
) -> Option<(Vec<Root>, Vec<UnknownNeed>)> {
    if !all.iter().any(|source| source.keys.contains(policy)) {
        return None;
    }
    let roots = all.iter().flat_map(|source| &source.roots);
    let roots = roots.filter(|root| root.evidence.object == *policy);
    let mut unknown = unknown_policies(all);
    unknown.retain(|need| need.evidence.object == *policy);
    Some((roots.cloned().collect(), unknown))
}

/// Adds what image policies write into a release: `marked` is what those select that its markers name.
pub fn add_policies(
    marked: &[Root],
    all: &[SourcePolicies],
    registry: &Registry,
    needs: &mut ReleaseNeeds,
) {
    let mut found = marked.to_vec();
    let policies = || all.iter().flat_map(|source| &source.roots);
    for policy in policies() {
        let is_same = |one: &&Root| is_same_repository(one, policy, registry);
        if marked.iter().any(|one| is_same(&one)) {
            continue;
        }
        // A policy may be read in several sources.
        let others = policies().filter(is_same);
        let others: BTreeSet<&ObjectKey> = others.map(|one| &one.evidence.object).collect();
        let mut roots = needs.roots.iter();
        if roots.any(|root| follows(policy, root, others.len() == 1, registry)) {
            found.push(policy.clone());
        }
    }
    // The tag that is not known is the one that a policy writes.
    needs
        .roots
        .retain(|root| !is_written(root, &found, registry));
    needs.roots.extend(found);
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
