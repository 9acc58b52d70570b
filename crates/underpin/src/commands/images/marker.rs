//! Markers for Flux's image automation: comments that say which image policy writes into a file.

use std::sync::Arc;

use serde_json::Value;
use underpin_image::{Registry, Root, RootKind, UnknownNeed, object_roots};
use underpin_model::{GroupKind, Object, ObjectKey, World};
use underpin_source::yaml::Comment;

use super::sources::root_settings;

/// What a marker holds.
const MARKER: &str = "$imagepolicy";
/// What is said of one that names no policy.
pub(super) const UNREADABLE: &str = "the marker of an image policy in it cannot be read";

/// What is said of one whose policy was read nowhere.
pub(super) fn not_read(policy: &ObjectKey) -> String {
    format!("a marker in it names {policy}, which was not read")
}

/// Whether a comment is to be a marker.
pub(super) fn is_marker(comment: &Comment) -> bool {
    comment.text.contains(MARKER)
}

/// `{"$imagepolicy": "namespace:name:tag"}`: the policy whose selection is written there; none where that
/// cannot be read.
pub(super) fn policy_of(comment: &Comment) -> Option<ObjectKey> {
    let text = &comment.text;
    let from = text.find('{').unwrap_or_default();
    let to = text.rfind('}').map_or(text.len(), |at| at + 1);
    let value: Value = serde_json::from_str(text.get(from..to)?).ok()?;
    let mut parts = value.get(MARKER)?.as_str()?.split(':');
    let (namespace, name) = (parts.next()?, parts.next()?);
    Some(ObjectKey::namespaced(policy_kind(), namespace, name))
}

/// The kind of image policies.
pub(super) fn policy_kind() -> GroupKind {
    GroupKind::new("image.toolkit.fluxcd.io", "ImagePolicy")
}

/// Of a world, the image policies with what they refer to, and what was not read.
pub(super) fn policies_of(world: &World) -> World {
    let mut kept = World::default();
    kept.cluster.clone_from(&world.cluster);
    kept.unread.clone_from(&world.unread);
    kept.partly_read.clone_from(&world.partly_read);
    let group = policy_kind().group;
    let objects = world.shared();
    for object in objects.filter(|object| object.key.kind.group == group) {
        kept.insert(Arc::clone(object));
    }
    kept
}

/// What a policy selects, and not what its status says that it did; and what of it is not known.
pub(super) fn selections(
    policy: &Object,
    world: &World,
    registry: &Registry,
    source: &Arc<str>,
) -> (Vec<Root>, Vec<UnknownNeed>) {
    let settings = root_settings(registry, world, source);
    let (mut roots, unknown) = object_roots(policy, settings);
    roots.retain(|root| root.kind == RootKind::Policy);
    (roots, unknown)
}

/// What the policy of a marker selects, in all worlds that have it, as the source of the marker needs it;
/// why it is not known otherwise.
pub(super) fn marked<'w>(
    comment: &Comment,
    worlds: impl Iterator<Item = &'w World>,
    registry: &Registry,
    source: &Arc<str>,
) -> Result<(Vec<Root>, Vec<UnknownNeed>), String> {
    let Some(key) = policy_of(comment) else {
        return Err(UNREADABLE.to_owned());
    };
    let (mut roots, mut unknown) = (Vec::new(), Vec::new());
    let mut is_there = false;
    for world in worlds {
        let Some(policy) = world.get(&key) else {
            continue;
        };
        is_there = true;
        let (selected, more) = selections(policy, world, registry, source);
        roots.extend(selected);
        unknown.extend(more);
    }
    for root in &mut roots {
        root.kind = RootKind::Marker;
        root.evidence.place = Some(comment.place.clone());
    }
    if is_there {
        Ok((roots, unknown))
    } else {
        Err(not_read(&key))
    }
}
