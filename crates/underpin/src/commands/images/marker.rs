//! Markers for Flux's image automation: comments that say which image policy writes into a file.

use serde_json::Value;
use underpin_model::{GroupKind, ObjectKey};
use underpin_source::yaml::Comment;

/// What a marker holds.
const MARKER: &str = "$imagepolicy";

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
    let kind = GroupKind::new("image.toolkit.fluxcd.io", "ImagePolicy");
    Some(ObjectKey::namespaced(kind, namespace, name))
}
