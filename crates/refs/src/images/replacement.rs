//! `images` of a kustomization: what kustomize puts for images in manifests, and what it makes of them.

use std::sync::Arc;

use serde_json::Value;
use underpin_model::{FieldPath, Object};

use super::{ImageName, values};
use crate::field::Field;

/// Lists whose items kustomize takes for containers, wherever they stand.
const CONTAINERS: &[&str] = &["containers", "initContainers"];

/// One entry of `images`: what is put for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReplacement {
    /// Where it is written.
    pub path: FieldPath,
    /// The image that is meant, without tag and digest.
    pub name: String,
    /// Its new name.
    pub new_name: Option<String>,
    /// Its new tag.
    pub new_tag: Option<String>,
    /// What is put behind the tag that it has.
    pub tag_suffix: Option<String>,
    /// Its new digest.
    pub digest: Option<String>,
}

/// An image in a manifest for which another one was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutImage {
    /// Where.
    pub path: FieldPath,
    /// Whether it is known what was put: a name with a variable is taken for the image by some versions of
    /// kustomize and not by others.
    pub is_known: bool,
}

impl ImageReplacement {
    /// The image that it makes of whatever is called so.
    pub fn image(&self) -> ImageName {
        let name = self.new_name.as_deref().unwrap_or(&self.name);
        let (tag, digest) = (self.new_tag.as_deref(), self.digest.as_deref());
        match (&self.tag_suffix, tag, digest) {
            (Some(suffix), None, None) => ImageName::Open(format!("{name}:*{suffix}")),
            _ => values::joined(None, name, tag, digest),
        }
    }

    /// What it makes of a tag and a digest.
    pub fn tag_and_digest(
        &self,
        tag: Option<&str>,
        digest: Option<&str>,
    ) -> (Option<String>, Option<String>) {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        if self.new_tag.is_some() || self.digest.is_some() {
            return (self.new_tag.clone(), self.digest.clone());
        }
        match &self.tag_suffix {
            Some(suffix) => (Some(format!("{}{suffix}", tag.unwrap_or_default())), None),
            None => (owned(tag), owned(digest)),
        }
    }

    /// What it makes of an image as it is written; none where it means another one.
    fn put_for(&self, written: &str) -> Option<String> {
        let rest = written.strip_prefix(&self.name)?;
        if !(rest.is_empty() || rest.starts_with([':', '@'])) {
            return None;
        }
        let (tag, digest) = match rest.split_once('@') {
            Some((tag, digest)) => (tag, Some(digest)),
            None => (rest, None),
        };
        let (tag, digest) = self.tag_and_digest(tag.strip_prefix(':'), digest);
        let name = self.new_name.as_deref().unwrap_or(&self.name);
        let tag = tag.map_or(String::new(), |tag| format!(":{tag}"));
        let digest = digest.map_or(String::new(), |digest| format!("@{digest}"));
        Some(format!("{name}{tag}{digest}"))
    }
}

/// The replacements in a list below a field.
pub(super) fn replacements_in(field: &Field<'_>, list: &str) -> Vec<ImageReplacement> {
    let images = field.each(list).filter_map(|image| {
        let text = |key: &str| image.text_at(key).map(str::to_owned);
        Some(ImageReplacement {
            path: image.path.clone(),
            name: text("name").or_else(|| text("newName"))?,
            new_name: text("newName"),
            new_tag: text("newTag")
                .or_else(|| Some(image.value.get("newTag")?.as_number()?.to_string())),
            tag_suffix: text("tagSuffix"),
            digest: text("digest"),
        })
    });
    images.collect()
}

/// What the `images` of a `kustomization.yaml` name, each with its path.
pub fn images_of_kustomization(document: &Value) -> Vec<(FieldPath, ImageName)> {
    let root = Field {
        value: document,
        path: FieldPath::root(),
    };
    let images = replacements_in(&root, "images").into_iter();
    images.map(|one| (one.path.clone(), one.image())).collect()
}

/// Puts an image into a manifest as kustomize does: for images of containers, wherever they stand, and for
/// nothing else. Says where it was put.
pub fn put_image(object: &mut Object, replacement: &ImageReplacement) -> Vec<PutImage> {
    let mut put = Vec::new();
    if object.key.kind.kind == "CustomResourceDefinition" {
        return put;
    }
    let value = Arc::make_mut(&mut object.value);
    let mut todo: Vec<(FieldPath, &mut Value)> = vec![(FieldPath::root(), value)];
    while let Some((path, at)) = todo.pop() {
        match at {
            Value::Object(entries) => {
                for (key, value) in entries {
                    let path = path.key(key);
                    if CONTAINERS.contains(&key.as_str()) {
                        put_into(&path, value, replacement, &mut put);
                    }
                    todo.push((path, value));
                }
            }
            Value::Array(items) => {
                let items = items.iter_mut().enumerate();
                todo.extend(items.map(|(number, item)| (path.index(number), item)));
            }
            _ => {}
        }
    }
    put.sort_by(|left, right| left.path.cmp(&right.path));
    put
}

fn put_into(
    list: &FieldPath,
    containers: &mut Value,
    replacement: &ImageReplacement,
    put: &mut Vec<PutImage>,
) {
    let items = containers.as_array_mut().into_iter().flatten().enumerate();
    for (number, container) in items {
        let Some(Value::String(image)) = container.get_mut("image") else {
            continue;
        };
        let Some(new) = replacement.put_for(image) else {
            continue;
        };
        put.push(PutImage {
            path: list.index(number).key("image"),
            is_known: !image.contains('$'),
        });
        *image = new;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Depth, Origin};

    use super::*;

    fn replacement(value: &Value) -> ImageReplacement {
        let list = json!({ "images": [value] });
        let root = Field {
            value: &list,
            path: FieldPath::root(),
        };
        replacements_in(&root, "images").remove(0)
    }

    #[test]
    fn images_are_put_as_kustomize_does() {
        let renamed = replacement(&json!({"name": "web", "newName": "team/web"}));
        let tagged = replacement(&json!({"name": "web", "newTag": 7}));
        let suffixed = replacement(&json!({"name": "web", "tagSuffix": "-arm"}));
        let pinned = replacement(&json!({"name": "web", "digest": "sha256:ab"}));
        for (replacement, written, expected) in [
            (&renamed, "web:1@sha256:cd", Some("team/web:1@sha256:cd")),
            (&renamed, "web", Some("team/web")),
            (&renamed, "web2:1", None),
            (&renamed, "docker.io/web", None),
            (&tagged, "web:1@sha256:cd", Some("web:7")),
            (&suffixed, "web:1@sha256:cd", Some("web:1-arm")),
            (&pinned, "web:1", Some("web@sha256:ab")),
        ] {
            assert_eq!(
                replacement.put_for(written).as_deref(),
                expected,
                "{written}"
            );
        }
        assert_eq!(
            suffixed.image(),
            ImageName::Open("web:*-arm".to_owned()),
            "the tag before it is not known"
        );
    }

    /// What kustomize takes for containers stands in any kind, and values of a chart are none.
    #[test]
    fn values_of_a_chart_are_left_alone() {
        let value = json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"values": {
                "image": "web:1",
                "extra": {"containers": [{"name": "side", "image": "web:1"}, {"image": "web:${TAG}"}]},
            }},
        });
        let origin = Origin::Live;
        let mut object = Object::from_value(value, Depth::Full, origin).unwrap();
        let put = put_image(
            &mut object,
            &replacement(&json!({"name": "web", "newTag": "2"})),
        );
        let told: Vec<_> = put
            .iter()
            .map(|one| (one.path.as_str(), one.is_known))
            .collect();
        assert_eq!(
            told,
            [
                ("spec.values.extra.containers[0].image", true),
                ("spec.values.extra.containers[1].image", false),
            ]
        );
        assert_eq!(object.text("/spec/values/image"), Some("web:1"));
        assert_eq!(
            object.text("/spec/values/extra/containers/0/image"),
            Some("web:2")
        );
    }
}
