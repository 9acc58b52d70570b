//! Images in the values of charts: `image: {registry, repository, tag, digest}` and its like.

use serde_json::Value;
use underpin_model::FieldPath;

use super::ImageName;
use crate::field::Field;

/// Values are followed this deep.
const DEPTH_LIMIT: usize = 24;

/// Names of images in the values of a chart, each with its path below `path`. A repository without a host
/// is meant in the registry that stands beside it, or in `global.imageRegistry`.
pub fn images_in_values(path: &FieldPath, values: &Value) -> Vec<(FieldPath, ImageName)> {
    let root = Field {
        value: values,
        path: path.clone(),
    };
    let global = [
        "global.imageRegistry",
        "global.image.registry",
        "imageRegistry",
    ];
    let registry = global.iter().find_map(|path| root.text_at(path));
    let mut found = Vec::new();
    let mut todo = vec![(root, 0)];
    while let Some((field, depth)) = todo.pop() {
        if depth > DEPTH_LIMIT {
            let reason = "the values go deeper than they are followed";
            found.push((field.path, ImageName::Unknown(reason.to_owned())));
            continue;
        }
        if let Some(name) = map_name(&field, registry) {
            found.push((field.path.clone(), name));
        }
        for (key, value) in field.entries() {
            match value.text() {
                Some(text) if is_image_key(key) && !text.contains(char::is_whitespace) => {
                    found.push((value.path, ImageName::Likely(text.to_owned())));
                }
                _ => todo.push((value, depth + 1)),
            }
        }
        todo.extend(field.items().map(|item| (item, depth + 1)));
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

/// Whether a text under this key names an image.
pub(super) fn is_image_key(key: &str) -> bool {
    key == "image" || key == "imageName" || key.ends_with("Image")
}

/// The name that a map spells in parts.
fn map_name(field: &Field<'_>, registry: Option<&str>) -> Option<ImageName> {
    let tag = scalar(field, "tag");
    let digest = field.text_at("digest").or_else(|| field.text_at("sha"));
    let repository = field.text_at("repository").or_else(|| {
        let written = tag.is_some() || digest.is_some();
        field
            .text_at("name")
            .filter(|_| written && field.value.get("registry").is_some())
    });
    let registry = field.text_at("registry").or(registry);
    let Some(repository) = repository else {
        // A tag whose repository the chart adds. Which one that is, only the chart knows.
        let is_image = field.path.as_str().to_ascii_lowercase().ends_with("image");
        return tag.filter(|_| is_image).map(ImageName::Tag);
    };
    // A repository of git, or of charts, has neither.
    if tag.is_none()
        && digest.is_none()
        && !field.path.as_str().to_ascii_lowercase().ends_with("image")
    {
        return None;
    }
    Some(joined(registry, repository, tag.as_deref(), digest))
}

/// A tag may be written as a number.
fn scalar(field: &Field<'_>, key: &str) -> Option<String> {
    match field.value.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The name that parts make. Without a tag and digest the chart chooses: any tag may be meant.
pub(super) fn joined(
    registry: Option<&str>,
    repository: &str,
    tag: Option<&str>,
    digest: Option<&str>,
) -> ImageName {
    let repository = repository.strip_prefix("oci://").unwrap_or(repository);
    let mut name = String::new();
    if let Some(registry) = registry.filter(|registry| !repository.starts_with(*registry)) {
        name.push_str(registry.trim_end_matches('/'));
        name.push('/');
    }
    name.push_str(repository);
    if tag.is_none() && digest.is_none() {
        name.push_str(":*");
        return ImageName::Open(name);
    }
    if let Some(tag) = tag {
        name.push_str(&format!(":{tag}"));
    }
    if let Some(digest) = digest {
        let algorithm = if digest.contains(':') { "" } else { "sha256:" };
        name.push_str(&format!("@{algorithm}{digest}"));
    }
    ImageName::Reference(name)
}
