//! Patches of kustomize, as far as they may decide which images are run.

use serde_json::Value;
use underpin_model::FieldPath;

use super::ReadYaml;
use crate::field::Field;

/// Lists of patches, in files or written out.
const PATCHES: &[&str] = &["patches", "patchesStrategicMerge", "patchesJson6902"];

/// Keys that decide which images are run, beside those that speak of images: parts of a name, values of
/// charts and where they come from, charts and sources, whether anything comes of them, and what else Flux and
/// kustomize make manifests of.
const KEYS: &[&str] = &[
    "binaryData",
    "chart",
    "chartRef",
    "components",
    "data",
    "digest",
    "filterTags",
    "kustomize",
    "newName",
    "newTag",
    "patches",
    "path",
    "policy",
    "postBuild",
    "postRenderers",
    "ref",
    "registry",
    "repository",
    "sha",
    "sourceRef",
    "stringData",
    "substitute",
    "substituteFrom",
    "suspend",
    "tag",
    "url",
    "values",
    "valuesFiles",
    "valuesFrom",
    "version",
];

/// Whether a patch may decide which images are run. One that cannot be read may.
pub fn patch_may_set_images(text: &str, read_yaml: ReadYaml<'_>) -> bool {
    read_yaml(text).map_or(true, |patch| may_set_images(&patch))
}

/// What of the patches below a field may decide which images are run, each with its path, and the files
/// that others are in.
pub(super) fn patches_in(
    field: &Field<'_>,
    read_yaml: ReadYaml<'_>,
) -> (Vec<FieldPath>, Vec<String>) {
    let (mut may_set, mut files) = (Vec::new(), Vec::new());
    for patch in PATCHES.iter().flat_map(|list| field.each(list)) {
        if let Some(file) = patch.text_at("path") {
            files.push(file.to_owned());
            continue;
        }
        let written = patch.get("patch").unwrap_or_else(|| patch.clone());
        let sets = match written.text() {
            Some(text) if !text.contains(['\n', ':', '{', '[']) => {
                files.push(text.to_owned());
                continue;
            }
            Some(text) => patch_may_set_images(text, read_yaml),
            None => may_set_images(written.value),
        };
        if sets {
            may_set.push(patch.path);
        }
    }
    (may_set, files)
}

/// Whether a patch, a list of operations or what is merged into an object, may decide which images are run.
fn may_set_images(patch: &Value) -> bool {
    match patch {
        Value::Null => false,
        Value::Array(operations) => operations.iter().any(operation_may),
        Value::Object(_) => holds_key(patch),
        _ => true,
    }
}

fn operation_may(operation: &Value) -> bool {
    let text = |key: &str| operation.get(key).and_then(Value::as_str);
    match (text("op"), text("path")) {
        (Some("test"), _) => false,
        (Some("add" | "replace" | "remove"), Some(path)) => {
            let keys = path.split('/').skip(1);
            let keys: Vec<String> = keys
                .map(|key| key.replace("~1", "/").replace("~0", "~"))
                .collect();
            // What takes the place of an object, or of most of one, says nothing of what was there.
            let is_deep = keys.len() > 1 || keys.first().is_some_and(|key| key == "metadata");
            !is_deep
                || keys.iter().any(|key| decides(key))
                || operation.get("value").is_some_and(holds_key)
        }
        // What is moved or copied may be anything.
        _ => true,
    }
}

/// Whether there is a key at any depth that decides which images are run.
fn holds_key(value: &Value) -> bool {
    let mut todo = vec![value];
    while let Some(at) = todo.pop() {
        match at {
            Value::Object(entries) => {
                // With a directive, something else than merging happens.
                if entries
                    .keys()
                    .any(|key| decides(key) || key.starts_with('$'))
                {
                    return true;
                }
                todo.extend(entries.values());
            }
            Value::Array(items) => todo.extend(items),
            _ => {}
        }
    }
    false
}

fn decides(key: &str) -> bool {
    KEYS.contains(&key) || key.to_ascii_lowercase().contains("image")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::may_set_images;

    #[test]
    fn patches_that_show_that_they_set_no_image() {
        for (patch, expected) in [
            (
                json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 2}}),
                false,
            ),
            (
                json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "env": []}]}}}}),
                false,
            ),
            (
                json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "x"}]}}}}),
                true,
            ),
            (
                json!({"kind": "HelmRelease", "spec": {"values": {"a": 1}}}),
                true,
            ),
            (json!({"kind": "ConfigMap", "data": {"a": "b"}}), true),
            (
                json!([{"op": "replace", "path": "/spec/suspend", "value": false}]),
                true,
            ),
            (
                json!({"$patch": "delete", "kind": "Deployment", "metadata": {"name": "web"}}),
                true,
            ),
            (
                json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]),
                false,
            ),
            (json!([{"op": "remove", "path": "/metadata/labels"}]), false),
            (
                json!([{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"image": "x"}}]),
                true,
            ),
            (
                json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "x"}]),
                true,
            ),
            (
                json!([{"op": "replace", "path": "/spec", "value": {}}]),
                true,
            ),
            (
                json!([{"op": "copy", "from": "/spec/a", "path": "/spec/b"}]),
                true,
            ),
            (json!([{"op": "remove", "path": "/spec/values/tag"}]), true),
            (json!("text"), true),
        ] {
            assert_eq!(may_set_images(&patch), expected, "{patch}");
        }
    }
}
