//! What a release of Flux would deploy if it were resumed: the values of a HelmRelease as they come to
//! count, and what it or a Kustomization puts for images afterwards.

use std::borrow::Cow;

use serde_json::{Map, Value};
use underpin_model::{Evidence, FieldPath, GroupKind, Object, ObjectKey, World};

use super::{
    ImageMention, ImageName, ImageRole, ImageSources, Images, ReadYaml, flux,
    kustomize::{is_artifact, source_of_release},
    patch::patches_in,
    replacement::{ImageReplacement, replacements_in},
    values::images_in_values,
};
use crate::{configuration::Configuration, field::Field, pods::namespace_of};

const HELM: &str = "helm.toolkit.fluxcd.io";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";

/// Lists in a path of values are not made longer than this.
const INDEX_LIMIT: usize = 256;

/// What a release of Flux says of images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseImages {
    /// The images that it names, and what of them cannot be told.
    pub mentions: Vec<ImageMention>,
    /// What is put for images before anything is deployed, in order.
    pub replacements: Vec<ImageReplacement>,
    /// An artifact that holds its chart or manifests.
    pub artifact: Option<ObjectKey>,
}

/// The kinds of releases: of those that can be suspended and resumed.
const RELEASES: [(&str, &str); 2] = [HELM_RELEASE, (KUSTOMIZE, "Kustomization")];
const HELM_RELEASE: (&str, &str) = (HELM, "HelmRelease");

/// The kinds of releases: of those that can be suspended and resumed.
pub fn release_kinds() -> [GroupKind; 2] {
    RELEASES.map(|(group, kind)| GroupKind::new(group, kind))
}

/// Whether objects of a kind are releases.
pub fn is_release(kind: &GroupKind) -> bool {
    RELEASES.iter().any(|(group, name)| kind.is(group, name))
}

/// Whether a release deploys a chart, not manifests.
pub fn is_helm_release(kind: &GroupKind) -> bool {
    let (group, name) = HELM_RELEASE;
    kind.is(group, name)
}

/// Why a Kustomization may decide in a way that is not known which images come of what it deploys, each with
/// the field.
pub fn unknown_of_kustomization(
    kustomization: &Object,
    read_yaml: ReadYaml<'_>,
) -> Vec<(FieldPath, String)> {
    let world = World::default();
    let sources = ImageSources {
        world: &world,
        read_yaml,
    };
    let said = images_of_release(kustomization, sources, None);
    let unknown = said.mentions.into_iter();
    let unknown = unknown.filter_map(|mention| match mention.name {
        ImageName::Unknown(reason) => Some((mention.evidence.path, reason)),
        _ => None,
    });
    unknown.collect()
}

/// Whether a release is suspended.
pub fn is_suspended(release: &Object) -> bool {
    let suspended = release.at("/spec/suspend");
    suspended.and_then(Value::as_bool) == Some(true)
}

/// Where a HelmRelease takes its chart from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseChart<'a> {
    /// The field that says so.
    pub path: FieldPath,
    /// What it is, as messages name it.
    pub what: String,
    /// The folder that it lies in, in the source of the release.
    pub folder: Option<&'a str>,
    /// Its name in a repository of charts, and the version that is taken.
    pub name: Option<(&'a str, Option<&'a str>)>,
    /// The files of values that count instead of its own, relative to the source.
    pub values_files: Vec<&'a str>,
    /// Whether files of values may be missing.
    pub may_lack_files: bool,
}

/// The chart of a HelmRelease; none where it names none.
pub fn chart_of_release(release: &Object) -> Option<ReleaseChart<'_>> {
    let root = Field::root(release);
    if let Some(reference) = root.at("spec.chartRef") {
        let text = |key: &str| reference.text_at(key).unwrap_or_default();
        return Some(ReleaseChart {
            what: format!("{} {}", text("kind"), text("name")),
            path: reference.path,
            folder: None,
            name: None,
            values_files: Vec::new(),
            may_lack_files: false,
        });
    }
    let spec = root.at("spec.chart.spec")?;
    let chart = spec.text_at("chart")?;
    let source = spec.text_at("sourceRef.name").unwrap_or_default();
    let kind = spec.text_at("sourceRef.kind").unwrap_or_default();
    let is_named = kind == "HelmRepository";
    // The older field comes first.
    let files = spec.get("valuesFile").into_iter();
    let files = files.chain(spec.each("valuesFiles"));
    Some(ReleaseChart {
        what: format!("{chart} of {kind} {source}"),
        folder: (!is_named).then_some(chart),
        name: is_named.then(|| (chart, spec.text_at("version"))),
        values_files: files.filter_map(|file| file.text()).collect(),
        may_lack_files: spec.is_true("ignoreMissingValuesFiles"),
        path: spec.path,
    })
}

/// Values that count one after the other. An empty file holds none.
pub fn merged_values(all: impl IntoIterator<Item = Value>) -> Value {
    let mut merged = empty();
    for values in all.into_iter().filter(Value::is_object) {
        merge(&mut merged, values);
    }
    merged
}

/// What a release says of images. `defaults` are the values that the chart itself brings, where they are
/// known.
pub fn images_of_release(
    release: &Object,
    sources: ImageSources<'_>,
    defaults: Option<&Value>,
) -> ReleaseImages {
    let mut images = Images {
        object: release,
        sources,
        found: Vec::new(),
    };
    let root = Field::root(release);
    let mut replacements = Vec::new();
    if is_helm_release(&release.key.kind) {
        values_that_count(&mut images, defaults);
        for renderer in root.each("spec.postRenderers") {
            replacements.extend(replacements_in(&renderer, "kustomize.images"));
            if let Some(kustomize) = renderer.get("kustomize") {
                patches(&mut images, &kustomize);
            }
        }
        let suspended = is_suspended(release);
        if let Some(spec) = root.at("spec.chart.spec") {
            flux::chart(&mut images, &spec, ImageRole::HelmRelease { suspended });
        }
    } else if is_release(&release.key.kind) {
        replacements.extend(replacements_in(&root, "spec.images"));
        if let Some(spec) = root.get("spec") {
            patches(&mut images, &spec);
            if let Some(components) = spec.get("components") {
                unknown(
                    &mut images,
                    components.path,
                    "its components may set images",
                );
            }
        }
    }
    ReleaseImages {
        mentions: images.found,
        replacements,
        artifact: source_of_release(release).filter(is_artifact),
    }
}

/// Patches that may decide which images are run.
fn patches(images: &mut Images<'_>, field: &Field<'_>) {
    let (may_set, files) = patches_in(field, images.sources.read_yaml);
    for path in may_set {
        unknown(images, path, "this patch may set images");
    }
    for file in files {
        let reason = format!("the patch `{file}` is not read from here");
        unknown(images, field.path.clone(), &reason);
    }
}

fn unknown(images: &mut Images<'_>, path: FieldPath, reason: &str) {
    let suspended = is_suspended(images.object);
    let role = if is_helm_release(&images.object.key.kind) {
        ImageRole::HelmRelease { suspended }
    } else {
        ImageRole::Kustomization { suspended }
    };
    images.add(path, role, ImageName::Unknown(reason.to_owned()));
}

/// Adds what the values name as they come to count: those of the chart, then `valuesFrom` in its order,
/// then `values`. What only a Secret makes so has the role of a Secret, and is not to be shown unless it
/// is known from elsewhere.
fn values_that_count(images: &mut Images<'_>, defaults: Option<&Value>) {
    let release = images.object;
    let suspended = is_suspended(release);
    let root = Field::root(release);
    let mut all = defaults.cloned().unwrap_or_else(empty);
    let mut without_secrets = all.clone();
    for source in root.each("spec.valuesFrom") {
        let added = entry_of(images, &source).and_then(|text| match text {
            Some(text) => {
                if source.text_at("kind") != Some("Secret") {
                    add(&mut without_secrets, images, &source, &text)?;
                }
                add(&mut all, images, &source, &text)
            }
            None => Ok(()),
        });
        if let Err(reason) = added {
            let role = ImageRole::HelmRelease { suspended };
            images.add(source.path.clone(), role, ImageName::Unknown(reason));
        }
    }
    let inline = root.at("spec.values");
    if let Some(inline) = &inline {
        merge(&mut all, inline.value.clone());
        merge(&mut without_secrets, inline.value.clone());
    }
    let shown = images_in_values(&FieldPath::root(), &without_secrets);
    for (path, name) in images_in_values(&FieldPath::root(), &all) {
        let role = if shown.contains(&(path.clone(), name.clone())) {
            ImageRole::HelmRelease { suspended }
        } else {
            ImageRole::Secret
        };
        let evidence = evidence_of(release, inline.as_ref(), &path);
        images.found.push(ImageMention {
            evidence,
            role,
            name,
        });
    }
}

/// The field of the release that a value comes from, as near as it can be told.
fn evidence_of(release: &Object, inline: Option<&Field<'_>>, path: &FieldPath) -> Evidence {
    let written = inline.and_then(|inline| inline.value.pointer(&path.pointer()));
    if written.is_some() {
        return release.evidence(FieldPath::new(format!("spec.values.{path}")), String::new());
    }
    let has_sources = release.at("/spec/valuesFrom").is_some();
    let from = if has_sources {
        "spec.valuesFrom"
    } else {
        "spec.chart"
    };
    release.evidence(FieldPath::new(from), format!("{path} of its values"))
}

/// The values of one source alone; none where it is left out because it need not be there.
pub(super) fn values_of_source(
    images: &Images<'_>,
    source: &Field<'_>,
) -> Result<Option<Value>, String> {
    let Some(text) = entry_of(images, source)? else {
        return Ok(None);
    };
    let mut values = empty();
    add(&mut values, images, source, &text)?;
    Ok(Some(values))
}

/// Where the values of a source are, as messages name it.
fn origin<'f>(source: &Field<'f>) -> (&'f str, &'f str, &'f str) {
    let kind = source.text_at("kind").unwrap_or("ConfigMap");
    let name = source.text_at("name").unwrap_or_default();
    let key = source.text_at("valuesKey").unwrap_or(flux::VALUES_KEY);
    (kind, name, key)
}

/// The text that holds the values of one source; none where it is left out because it need not be there.
fn entry_of<'a>(images: &Images<'a>, source: &Field<'_>) -> Result<Option<Cow<'a, str>>, String> {
    let (kind, name, key) = origin(source);
    let world = images.sources.world;
    let namespace = namespace_of(&images.object.key);
    let Some(from) = Configuration::of(world, kind, namespace, name) else {
        let unread = world.unread(&GroupKind::core(kind), Some(namespace));
        let is_absent = !world.cluster.version.is_empty() && unread.is_none();
        return match is_absent {
            true if source.is_true("optional") => Ok(None),
            true => Err(format!(
                "values come from {kind} {name}, which is not there"
            )),
            false => Err(format!(
                "values come from `{key}` of {kind} {name}, which was not read"
            )),
        };
    };
    match from.entry(key) {
        Some(entry) => Ok(Some(entry.text)),
        None => Err(format!(
            "values come from `{key}` of {kind} {name}, where nothing is under that key"
        )),
    }
}

/// Adds what a source holds to values. An error does not repeat it: it may be a Secret.
fn add(
    values: &mut Value,
    images: &Images<'_>,
    source: &Field<'_>,
    text: &str,
) -> Result<(), String> {
    let (kind, name, key) = origin(source);
    if let Some(path) = source.text_at("targetPath") {
        let text = text.trim();
        let mut quotes = ['"', '\''].iter();
        let bare = quotes.find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
        let value = Value::from(bare.unwrap_or(text));
        return set(values, path, value).ok_or_else(|| format!("`{path}` is no path of values"));
    }
    match (images.sources.read_yaml)(text) {
        Ok(Value::Null) => Ok(()),
        Ok(read) if read.is_object() => {
            merge(values, read);
            Ok(())
        }
        Ok(_) => Err(format!("`{key}` of {kind} {name} holds no map of values")),
        Err(reason) => Err(format!(
            "the values in `{key}` of {kind} {name} cannot be read: {reason}"
        )),
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// One step of a path of values.
enum Step {
    Key(String),
    Index(usize),
}

/// A path as `helm --set` reads it: `image.tag`, `sidecars[0].image`, `a\.b`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut key = String::new();
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.push(chars.next()?),
            '.' | '[' => {
                if !key.is_empty() {
                    steps.push(Step::Key(std::mem::take(&mut key)));
                }
                if c == '[' {
                    let digits: String = chars.by_ref().take_while(|c| *c != ']').collect();
                    let index = digits.parse().ok().filter(|index| *index <= INDEX_LIMIT)?;
                    steps.push(Step::Index(index));
                }
            }
            c => key.push(c),
        }
    }
    if !key.is_empty() {
        steps.push(Step::Key(key));
    }
    (!steps.is_empty()).then_some(steps)
}

/// Sets a value at a path, and makes the maps and lists that lead to it.
fn set(values: &mut Value, path: &str, value: Value) -> Option<()> {
    let mut at = values;
    for step in steps(path)? {
        at = match step {
            Step::Key(key) => {
                if !at.is_object() {
                    *at = empty();
                }
                at.as_object_mut()?.entry(key).or_insert(Value::Null)
            }
            Step::Index(index) => {
                if !at.is_array() {
                    *at = Value::Array(Vec::new());
                }
                let list = at.as_array_mut()?;
                while list.len() <= index {
                    list.push(Value::Null);
                }
                list.get_mut(index)?
            }
        };
    }
    *at = value;
    Some(())
}

/// Merges values as Helm does: maps key by key, anything else as a whole.
fn merge(into: &mut Value, values: Value) {
    let mut todo = vec![(into, values)];
    while let Some((into, values)) = todo.pop() {
        match (into, values) {
            (Value::Object(into), Value::Object(values)) => {
                let (mut both, mut new) = (Map::new(), Map::new());
                for (key, value) in values {
                    let is_there = into.contains_key(&key);
                    let to = if is_there { &mut both } else { &mut new };
                    to.insert(key, value);
                }
                into.extend(new);
                for (key, old) in into.iter_mut() {
                    if let Some(value) = both.remove(key) {
                        todo.push((old, value));
                    }
                }
            }
            (into, values) => *into = values,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{merge, set};

    #[test]
    fn values_are_merged_key_by_key() {
        let mut values = json!({"image": {"repository": "team/web", "tag": "1"}, "list": [1, 2]});
        merge(
            &mut values,
            json!({"image": {"tag": "2"}, "list": [3], "new": {"a": 1}}),
        );
        let expected = json!({
            "image": {"repository": "team/web", "tag": "2"}, "list": [3], "new": {"a": 1},
        });
        assert_eq!(values, expected);
    }

    #[test]
    fn paths_are_read_as_helm_reads_them() {
        for (path, expected) in [
            ("image.tag", Some(json!({"image": {"tag": "1"}}))),
            ("a[1].b", Some(json!({"a": [null, {"b": "1"}]}))),
            (r"a\.b.c", Some(json!({"a.b": {"c": "1"}}))),
            ("a[x]", None),
            ("a[100000]", None),
            ("", None),
        ] {
            let mut values = json!({});
            let set = set(&mut values, path, Value::from("1"));
            assert_eq!(set.map(|()| values), expected, "{path}");
        }
        let mut values = json!({"a": [{"b": "0", "c": "2"}]});
        set(&mut values, "a[0].b", Value::from("1"));
        assert_eq!(values, json!({"a": [{"b": "1", "c": "2"}]}));
    }
}
