//! The image policies that were read, and the markers that say where they write.

use underpin_image::{
    Registry, ReleaseNeeds, Root, RootKind, SourcePolicies, UnknownNeed, add_policies,
    marked_policy, unknown_policies,
};
use underpin_model::{FieldPath, Origin};
use underpin_refs::is_release;
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

/// What the image policies of every source select. What the registry holds makes no difference to that.
pub(super) fn policies(reads: &[Read], registry: &Registry) -> Vec<SourcePolicies> {
    let kind = policy_kind();
    let reads = reads.iter().filter(|read| !read.is_revision());
    let all = reads.map(|read| {
        let mut policies = SourcePolicies {
            is_declared: read.is_declared,
            ..SourcePolicies::default()
        };
        for world in &read.worlds {
            for policy in world.of_kind(&kind) {
                let (selected, more) = selections(policy, world, registry, &read.name);
                policies.keys.insert(policy.key.clone());
                policies.roots.extend(selected);
                policies.unknown.extend(more);
            }
        }
        policies
    });
    all.collect()
}

/// The markers that stand in what declares a release, or in its manifests. What stands in a release among
/// these is written into that one, which may be suspended.
pub(super) fn markers<'r>(
    occurrence: &Occurrence<'_>,
    manifests: Option<&Manifests>,
    sources: Sources<'r>,
) -> Vec<(&'r Read, &'r Comment)> {
    let reads = sources.reads.iter().filter(|read| !read.is_revision());
    let comments = reads.flat_map(|read| read.comments.iter().map(move |one| (read, one)));
    let markers = comments.filter(|(_, comment)| marker::is_marker(comment));
    let own = &occurrence.object.origin;
    let stands_here = |read: &Read, comment: &Comment| {
        let within = sources
            .declared
            .document_at(read, &comment.place, sources.checkouts);
        let is_own = within.is_some_and(|object| is_same_place(&object.origin, own));
        let is_of_another = within.is_some_and(|object| is_release(&object.key.kind));
        let is_held =
            || manifests.is_some_and(|manifests| manifests.hold(&comment.place, sources.checkouts));
        is_own || !is_of_another && is_held()
    };
    markers
        .filter(|(read, comment)| stands_here(read, comment))
        .collect()
}

fn is_same_place(one: &Origin, other: &Origin) -> bool {
    match (one, other) {
        (Origin::Declared { place, .. }, Origin::Declared { place: other, .. }) => place == other,
        _ => false,
    }
}

/// Adds what image policies write into a release. Of policies whose selection is not known, any may, unless
/// `is_declared`: the release is read as git declares it, and markers there say which.
pub(super) fn add_written(
    occurrence: &Occurrence<'_>,
    markers: &[(&Read, &Comment)],
    is_declared: bool,
    sources: Sources<'_>,
    needs: &mut ReleaseNeeds,
) {
    let policies = &sources.declared.policies;
    let mut marked: Vec<Root> = Vec::new();
    for (read, comment) in markers {
        let found = match marker::policy_of(comment) {
            None => Err(marker::UNREADABLE.to_owned()),
            Some(key) => marked_policy(&key, policies).ok_or_else(|| marker::not_read(&key)),
        };
        match found {
            Ok((roots, unknown)) => {
                needs.unknown.extend(unknown);
                marked.extend(roots.into_iter().map(|mut root| {
                    root.kind = RootKind::Marker;
                    root.source = read.name.clone();
                    root.evidence.place = Some(comment.place.clone());
                    root
                }));
            }
            Err(reason) => {
                let mut evidence = occurrence.object.evidence(FieldPath::root(), String::new());
                evidence.place = Some(comment.place.clone());
                needs.unknown.push(UnknownNeed::new(evidence, reason));
            }
        }
    }
    if !is_declared {
        needs.unknown.extend(unknown_policies(policies));
    }
    add_policies(&marked, policies, sources.registry, needs);
}
