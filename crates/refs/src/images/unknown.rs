//! Parts of declared objects that are not known yet, where an image may be named in them.

use serde_json::Value;
use underpin_model::{FieldPath, UnknownPart, builtin_kind};

use super::{ImageName, ImageRole, Images, pods, values::is_image_key};
use crate::pods::{CONTAINER_LISTS, template_path};

/// Keys of values that say a part of an image's name.
const PARTS: [&str; 5] = ["digest", "registry", "repository", "sha", "tag"];

/// What is not known of an object's images: a name of which a part is known keeps all that it may
/// mean; of the rest it is said that it is not known.
pub(super) fn collect(images: &mut Images<'_>) {
    let object = images.object;
    let role = role(images);
    for part in object.unknown.iter() {
        if !may_name_an_image(images, part) {
            continue;
        }
        let name = match &part.pattern {
            // What is known of a tag is not what is known of a name.
            Some(pattern) if !is_part(part) => ImageName::Open(pattern.clone()),
            _ => ImageName::Unknown(format!("it is not known: {}", part.reason)),
        };
        images.add(part.path.clone(), role, name);
    }
}

fn role(images: &Images<'_>) -> ImageRole {
    if template_path(&images.object.key.kind).is_some() {
        pods::role(images)
    } else {
        ImageRole::Custom
    }
}

fn may_name_an_image(images: &Images<'_>, part: &UnknownPart) -> bool {
    let kind = &images.object.key.kind;
    if let Some(template) = template_path(kind) {
        let spec = template.split('.').filter(|key| !key.is_empty());
        let spec = spec.fold(FieldPath::root(), |path, key| path.key(key));
        return of_pods(images, &spec.key("spec"), &part.path);
    }
    if builtin_kind(&kind.group, &kind.kind).is_some() {
        return false;
    }
    if part.path.is_within(&FieldPath::new("metadata")) {
        return false;
    }
    // A text under another name is no image, nor a part of one; what is not even known to be a text may
    // hold one.
    part.pattern.is_none() || is_part(part) || last_key(&part.path).is_some_and(is_image_key)
}

fn is_part(part: &UnknownPart) -> bool {
    last_key(&part.path).is_some_and(|key| PARTS.contains(&key))
}

/// Whether a part of a workload may hold an image of its pods.
fn of_pods(images: &Images<'_>, spec: &FieldPath, part: &FieldPath) -> bool {
    if spec.is_within(part) {
        return is_open(images, spec, part);
    }
    let lists = CONTAINER_LISTS.iter().map(|list| (spec.key(list), "image"));
    let volumes = [(spec.key("volumes"), "image.reference")];
    lists.chain(volumes).any(|(list, field)| {
        if *part == list {
            return true;
        }
        let Some(item) = item_of(&list, part) else {
            return false;
        };
        let field = field
            .split('.')
            .fold(item.clone(), |path, key| path.key(key));
        if *part == item {
            // What else is known of a volume says that it is another one.
            return value_at(images, &item).is_none_or(|item| {
                item.as_object().is_none_or(|fields| {
                    !fields.contains_key("image")
                        && (list != spec.key("volumes") || fields.len() < 2)
                })
            });
        }
        field.is_within(part)
    })
}

/// Whether something of a pod's `spec` may be missing of what `part` holds: the whole of it, or a
/// list of containers.
fn is_open(images: &Images<'_>, spec: &FieldPath, part: &FieldPath) -> bool {
    if part == spec {
        return true;
    }
    // Of a map of which further fields are unknown, the one that leads to the pods may be known.
    value_at(images, spec).is_none()
}

/// The item of a list that a path is, or is inside of.
fn item_of(list: &FieldPath, path: &FieldPath) -> Option<FieldPath> {
    let mut at = path.clone();
    loop {
        let parent = at.parent()?;
        if parent == *list {
            return Some(at);
        }
        at = parent;
    }
}

/// What is there at a path.
fn value_at<'a>(images: &Images<'a>, path: &FieldPath) -> Option<&'a Value> {
    let value = images.object.value.pointer(&path.pointer());
    value.filter(|value| !value.is_null())
}

fn last_key(path: &FieldPath) -> Option<&str> {
    let text = path.as_str();
    text.rsplit('.')
        .next()
        .map(|last| last.split('[').next().unwrap_or(last))
}
