//! What kustomize makes of manifests, as far as images are concerned: other names and tags, variables that
//! Flux fills in, and where it cannot be told without running it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use underpin_model::{FieldPath, GroupKind, Object};

use super::{ImageName, ImageSources, values};
use crate::{configuration::Configuration, field::Field, pods::namespace_of};

/// Label or annotation of what Flux fills no variables in.
const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
/// Parts of a `kustomization.yaml` that may set images, and that only kustomize carries out.
const ONLY_RUN: &[&str] = &[
    "components",
    "generators",
    "helmCharts",
    "helmChartInflationGenerator",
    "replacements",
    "transformers",
];
/// Lists of patches, in files or written out.
const PATCHES: &[&str] = &["patches", "patchesStrategicMerge", "patchesJson6902"];

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
    /// Its new digest.
    pub digest: Option<String>,
}

impl ImageReplacement {
    /// The image that it makes of whatever is called so.
    pub fn image(&self) -> ImageName {
        let name = self.new_name.as_deref().unwrap_or(&self.name);
        values::joined(None, name, self.new_tag.as_deref(), self.digest.as_deref())
    }
}

/// The replacements in a list below a field.
pub(super) fn replacements_in(field: &Field<'_>, list: &str) -> Vec<ImageReplacement> {
    let images = field.each(list).filter_map(|image| {
        let text = |key: &str| image.text_at(key).map(str::to_owned);
        Some(ImageReplacement {
            path: image.path.clone(),
            name: text("name")?,
            new_name: text("newName"),
            new_tag: text("newTag")
                .or_else(|| Some(image.value.get("newTag")?.as_number()?.to_string())),
            digest: text("digest"),
        })
    });
    images.collect()
}

/// What a `kustomization.yaml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KustomizationFile {
    /// The files and folders that it takes, relative to its own.
    pub resources: Vec<String>,
    /// What it puts for images.
    pub replacements: Vec<ImageReplacement>,
    /// Files with patches.
    pub patches: Vec<String>,
    /// Why it may set images in a way that is not known.
    pub unknown: Vec<String>,
}

/// Reads a `kustomization.yaml`.
pub fn kustomization_file(document: &Value) -> KustomizationFile {
    let root = Field {
        value: document,
        path: FieldPath::root(),
    };
    let texts = |list: &str| {
        let items = root.each(list);
        let texts = items.filter_map(|item| item.text().map(str::to_owned));
        texts.collect::<Vec<String>>()
    };
    let mut read = KustomizationFile {
        resources: [texts("resources"), texts("bases")].concat(),
        replacements: replacements_in(&root, "images"),
        ..KustomizationFile::default()
    };
    for key in ONLY_RUN {
        if root.get(key).is_some() {
            read.unknown.push(format!("its `{key}` may set images"));
        }
    }
    for patch in PATCHES.iter().flat_map(|list| root.each(list)) {
        if let Some(file) = patch.text_at("path") {
            read.patches.push(file.to_owned());
        }
        let written = [patch.text(), patch.text_at("patch")];
        for text in written.into_iter().flatten() {
            if !text.contains('\n') && !text.contains(':') {
                read.patches.push(text.to_owned());
            } else if may_set_images(text) {
                let at = &patch.path;
                read.unknown.push(format!("its patch {at} may set images"));
            }
        }
    }
    read
}

/// Whether a patch may set an image.
pub fn may_set_images(patch: &str) -> bool {
    patch.to_ascii_lowercase().contains("image")
}

/// Where a Kustomization's manifests lie in its source.
pub fn folder_of_kustomization(kustomization: &Object) -> &str {
    kustomization.text("/spec/path").unwrap_or_default()
}

/// What a Kustomization fills in for variables.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// Values by name; `None` where one is not to be shown or not known.
    values: BTreeMap<String, Option<String>>,
    /// Why more of them may be set, or set to something else.
    pub unread: Vec<(FieldPath, String)>,
    /// Whether any are filled in.
    is_asked: bool,
}

/// The variables of a Kustomization. What comes from a Secret stays a variable, so that it is not shown.
pub fn variables(kustomization: &Object, sources: ImageSources<'_>) -> Variables {
    let root = Field::root(kustomization);
    let mut variables = Variables {
        is_asked: root.at("spec.postBuild").is_some(),
        ..Variables::default()
    };
    let namespace = namespace_of(&kustomization.key);
    for source in root.each("spec.postBuild.substituteFrom") {
        let kind = source.text_at("kind").unwrap_or("ConfigMap");
        let name = source.text_at("name").unwrap_or_default();
        let Some(from) = Configuration::of(sources.world, kind, namespace, name) else {
            let world = sources.world;
            let unread = world.unread(&GroupKind::core(kind), Some(namespace));
            let is_absent = !world.cluster.version.is_empty() && unread.is_none();
            if !(is_absent && source.is_true("optional")) {
                let what = if is_absent {
                    "is not there"
                } else {
                    "was not read"
                };
                let reason = format!("variables come from {kind} {name}, which {what}");
                variables.unread.push((source.path.clone(), reason));
            }
            continue;
        };
        for entry in from.entries() {
            let shown = (!from.is_secret).then(|| entry.text.trim().to_owned());
            variables.values.insert(entry.key.to_owned(), shown);
        }
    }
    let written = root.at("spec.postBuild.substitute");
    for (name, value) in written.iter().flat_map(Field::entries) {
        let text = value.text().map(str::to_owned);
        let text = text.or_else(|| value.value.is_string().then(String::new));
        variables.values.insert(name.to_owned(), text);
    }
    variables
}

impl Variables {
    /// An object with its variables filled in; those that are not known stay.
    pub fn filled(&self, object: &Object) -> Object {
        let mut filled = object.clone();
        let disabled = [object.label(SUBSTITUTE), object.annotation(SUBSTITUTE)];
        if !self.is_asked || disabled.contains(&Some("disabled")) {
            return filled;
        }
        let mut value = Value::clone(&object.value);
        let mut todo = vec![&mut value];
        while let Some(at) = todo.pop() {
            match at {
                Value::String(text) if text.contains('$') => *text = self.fill(text),
                Value::Array(items) => todo.extend(items),
                Value::Object(entries) => todo.extend(entries.iter_mut().map(|(_, value)| value)),
                _ => {}
            }
        }
        filled.value = Arc::new(value);
        filled
    }

    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let end = from.find('}').filter(|_| from.starts_with("${"));
            let Some(end) = end else {
                let (sign, behind) = from.split_at(1);
                // Written twice it stands for itself.
                let behind = behind.strip_prefix('$').unwrap_or(behind);
                filled.push_str(sign);
                rest = behind;
                continue;
            };
            let (variable, behind) = from.split_at(end + 1);
            match self.value(&variable[2..end]) {
                Some(value) => filled.push_str(&value),
                None => filled.push_str(variable),
            }
            rest = behind;
        }
        filled + rest
    }

    /// What is put for what stands between the braces; none where that is not known.
    fn value(&self, written: &str) -> Option<String> {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = written.find(|c| !is_of_name(c)).unwrap_or(written.len());
        let (name, rest) = written.split_at(end);
        let default = match rest {
            "" => Some(""),
            rest => rest.strip_prefix(":=").or_else(|| rest.strip_prefix(":-")),
        };
        // What else is made of a variable is not made here.
        let default = default.filter(|default| !default.contains('$'))?;
        match self.values.get(name) {
            Some(Some(value)) if value.is_empty() => Some(default.to_owned()),
            Some(value) => value.clone(),
            None if self.unread.is_empty() => Some(default.to_owned()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_as_flux_does() {
        let values = [("TAG", Some("1.2")), ("EMPTY", Some("")), ("SECRET", None)];
        let mut variables = Variables {
            values: values
                .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
                .into(),
            unread: Vec::new(),
            is_asked: true,
        };
        for (text, expected) in [
            ("web:${TAG}", "web:1.2"),
            ("web:${TAG:=3}-${TAG:-4}", "web:1.2-1.2"),
            ("web:${EMPTY:=3}", "web:3"),
            ("web:${NONE:-4}${NONE}", "web:4"),
            ("web:${SECRET}", "web:${SECRET}"),
            ("web:${TAG/1/2}", "web:${TAG/1/2}"),
            ("web:$TAG $$x ${", "web:$TAG $x ${"),
        ] {
            assert_eq!(variables.fill(text), expected, "{text}");
        }
        variables.unread.push((FieldPath::root(), "x".to_owned()));
        assert_eq!(variables.fill("${TAG}:${NONE:=1}"), "1.2:${NONE:=1}");
    }
}
