//! What a `kustomization.yaml` and a Kustomization of Flux say of manifests: where they lie, what becomes of
//! them, variables that are filled in, and where that cannot be told without running kustomize.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use underpin_model::{FieldPath, GroupKind, Object, ObjectKey};

use super::{
    ImageSources, ReadYaml,
    patch::patches_in,
    replacement::{ImageReplacement, replacements_in},
};
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
/// Parts that make ConfigMaps and Secrets, or call them otherwise.
const NAMING: &[&str] = &[
    "configMapGenerator",
    "namePrefix",
    "nameSuffix",
    "secretGenerator",
];
const SOURCE: &str = "source.toolkit.fluxcd.io";

/// What a `kustomization.yaml` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KustomizationFile {
    /// The files and folders that it takes, relative to its own.
    pub resources: Vec<String>,
    /// What it puts for images.
    pub replacements: Vec<ImageReplacement>,
    /// The namespace that it puts everything into.
    pub namespace: Option<String>,
    /// Files with patches.
    pub patches: Vec<String>,
    /// What of it decides which ConfigMaps and Secrets there are, and how they are called.
    pub naming: Vec<&'static str>,
    /// Why it may set images in a way that is not known.
    pub unknown: Vec<String>,
}

/// Reads a `kustomization.yaml`.
pub fn kustomization_file(document: &Value, read_yaml: ReadYaml<'_>) -> KustomizationFile {
    let root = Field {
        value: document,
        path: FieldPath::root(),
    };
    let texts = |list: &str| {
        let items = root.each(list);
        let texts = items.filter_map(|item| item.text().map(str::to_owned));
        texts.collect::<Vec<String>>()
    };
    let (may_set, patches) = patches_in(&root, read_yaml);
    let mut read = KustomizationFile {
        resources: [texts("resources"), texts("bases")].concat(),
        replacements: replacements_in(&root, "images"),
        namespace: root.text_at("namespace").map(str::to_owned),
        patches,
        naming: NAMING.to_vec(),
        unknown: Vec::new(),
    };
    read.naming.retain(|key| root.get(key).is_some());
    let with_images = (!read.replacements.is_empty()).then_some("configurations");
    for key in ONLY_RUN.iter().copied().chain(with_images) {
        if root.get(key).is_some() {
            read.unknown.push(format!("its `{key}` may set images"));
        }
    }
    let patches = may_set.into_iter();
    read.unknown
        .extend(patches.map(|at| format!("its patch {at} may set images")));
    read
}

/// The namespace that a Kustomization puts everything into.
pub fn target_namespace(kustomization: &Object) -> Option<&str> {
    kustomization.text("/spec/targetNamespace")
}

/// The source that a release takes its manifests or its chart from, as it names it.
pub fn source_of_release(release: &Object) -> Option<ObjectKey> {
    let root = Field::root(release);
    let places = [
        "spec.sourceRef",
        "spec.chart.spec.sourceRef",
        "spec.chartRef",
    ];
    let reference = places.into_iter().find_map(|place| root.at(place))?;
    let namespace = reference.text_at("namespace");
    let namespace = namespace.or(release.key.namespace.as_deref());
    Some(ObjectKey {
        kind: GroupKind::new(SOURCE, reference.text_at("kind")?),
        namespace: namespace.map(str::to_owned),
        name: reference.text_at("name")?.to_owned(),
    })
}

/// Where a source is, as it is written.
pub fn url_of_source(source: &Object) -> Option<&str> {
    source.text("/spec/url")
}

/// Whether a source is a repository of git.
pub fn is_git_source(source: &ObjectKey) -> bool {
    source.kind.is(SOURCE, "GitRepository")
}

/// Whether what is in a source is an artifact of a registry.
pub(super) fn is_artifact(source: &ObjectKey) -> bool {
    source.kind.is(SOURCE, "OCIRepository")
}

/// Whether a release takes anything of other objects, by their names: values, or variables.
pub fn takes_from_objects(release: &Object) -> bool {
    let places = ["/spec/valuesFrom", "/spec/postBuild/substituteFrom"];
    places.into_iter().any(|place| release.at(place).is_some())
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
