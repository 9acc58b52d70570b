//! Images in custom kinds that nobody knows by name: what is called `image` is one.

use underpin_model::builtin_kind;

use super::{ImageName, ImageRole, Images, values::is_image_key};
use crate::field::Field;

/// Flux's own kinds are known by name: what they call an image may be a repository.
const FLUX: &str = ".toolkit.fluxcd.io";

/// Specifications are followed this deep.
const DEPTH_LIMIT: usize = 32;

pub(super) fn collect(images: &mut Images<'_>) {
    let kind = &images.object.key.kind;
    let is_known = kind.group.ends_with(FLUX) || builtin_kind(&kind.group, &kind.kind).is_some();
    if !kind.group.contains('.') || is_known {
        return;
    }
    let root = Field::root(images.object);
    // A revision of Knative resolves its tags when it is made, and pulls these digests for good.
    for status in root.each("status.containerStatuses") {
        images.reference(status.get("imageDigest"), ImageRole::Custom);
    }
    let Some(spec) = root.get("spec") else { return };
    let mut todo = vec![(spec, 0)];
    while let Some((field, depth)) = todo.pop() {
        if depth > DEPTH_LIMIT {
            let reason = "it goes deeper than it is followed".to_owned();
            images.add(field.path, ImageRole::Custom, ImageName::Unknown(reason));
            continue;
        }
        todo.extend(field.items().map(|item| (item, depth + 1)));
        for (key, value) in field.entries() {
            match value.text() {
                Some(text) if is_image_key(key) => {
                    let name = ImageName::Likely(text.to_owned());
                    images.add(value.path, ImageRole::Custom, name);
                }
                _ => todo.push((value, depth + 1)),
            }
        }
    }
}
