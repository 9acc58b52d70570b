//! The images file: a registry, who may need its images, and how careful to be with them.

use camino::Utf8Path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use underpin_model::{FieldPath, Place, SpanIndex};

use crate::{
    Diagnostic,
    manifests::{read_text, start_of},
    schema::{self, published},
    yaml::{self, place_of},
};

/// Seconds of the units in which times are written.
const UNITS: &[(char, i64)] = &[('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];

/// A registry, and everything that a plan for it is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImagesFile {
    /// The registry.
    pub registry: RegistryEntry,
    /// Who may need its images.
    pub sources: Option<SourcesEntry>,
    /// Pins files, relative to this file.
    pub pins: Option<Vec<String>>,
    /// The folder in which runs remember what they saw, relative to this file.
    pub state: Option<String>,
    /// How careful to be.
    pub limits: Option<LimitsEntry>,
    /// Which tags are moved.
    pub tags: Option<TagsEntry>,
    /// What an operator has looked at and found right.
    pub consents: Option<ConsentsEntry>,
}

/// The registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryEntry {
    /// Its host, with a port where that is not 443.
    #[schemars(length(min = 1))]
    pub host: String,
    /// Other names of the same registry.
    pub aliases: Option<Vec<String>>,
    /// What it is; it is asked where nothing is said.
    #[serde(rename = "type")]
    pub kind: Option<RegistryType>,
    /// Of a Gitea or Forgejo: whose packages are looked at. The first is meant by pins that name no owner.
    pub owners: Option<Vec<String>>,
    /// The repositories that are looked at; all without it.
    pub repositories: Option<Vec<String>>,
    /// Folders of repositories that are looked at: `team` holds `team/web` and not `teamster/web`.
    pub prefixes: Option<Vec<String>>,
    /// Whether it may be asked without TLS.
    pub insecure: Option<bool>,
    /// A file of certificates, in PEM, that are trusted besides the machine's.
    pub certificates: Option<String>,
    /// A file whose first line is `USER:PASSWORD`; otherwise what docker and podman keep counts.
    pub credentials: Option<String>,
}

/// What a registry is besides a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RegistryType {
    /// Nothing.
    Distribution,
    /// Gitea or Forgejo.
    Gitea,
}

/// Who may need images.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourcesEntry {
    /// Clusters, by the names of their contexts.
    pub contexts: Option<Vec<String>>,
    /// Dumps of clusters: files or folders, relative to this file.
    pub dumps: Option<Vec<String>>,
    /// Declared files, or folders with all below them, relative to this file.
    pub paths: Option<Vec<String>>,
    /// Revisions of the repository in which these paths lie that are read as well, such as `main`.
    pub revisions: Option<Vec<String>>,
    /// Files of values for Terraform's variables, relative to this file.
    pub variable_files: Option<Vec<String>>,
}

/// How careful to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsEntry {
    /// How long an image must have been seen before it may go, such as `7d`.
    pub minimum_age: Option<String>,
    /// How many of the newest images of a repository are kept in any case.
    #[schemars(range(min = 0))]
    pub minimum_kept: Option<usize>,
    /// How many percent of a repository's images one run may delete.
    #[schemars(range(min = 0, max = 100))]
    pub maximum_share: Option<usize>,
    /// How many manifests one run may delete.
    #[schemars(range(min = 0))]
    pub maximum_number: Option<usize>,
    /// How far apart two runs must lie that both find that nothing needs an image, such as `24h`.
    pub apart: Option<String>,
    /// How long is waited after each deletion, such as `1s`.
    pub pause: Option<String>,
    /// How many manifests go before everything is read anew.
    #[schemars(range(min = 1))]
    pub batch: Option<usize>,
}

/// Which tags are moved, where their form does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TagsEntry {
    /// Patterns of tags that are never moved.
    pub immutable: Option<Vec<String>>,
    /// Patterns of tags that are moved.
    pub mutable: Option<Vec<String>>,
}

/// What an operator has looked at and found right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsentsEntry {
    /// The images that are named may be as few as this, whatever there was before.
    #[schemars(range(min = 0))]
    pub fewest_roots: Option<usize>,
    /// Sources that there are no longer.
    pub sources_gone: Option<Vec<String>>,
    /// Texts that cannot be read and mean nothing of this registry.
    pub foreign_texts: Option<Vec<String>>,
    /// Needs that cannot be told and mean nothing of this registry, as a plan names them: the source, and
    /// behind a colon what is said of it.
    pub foreign_needs: Option<Vec<String>>,
}

/// The JSON Schema of the images file, for editors.
pub fn json_schema() -> Value {
    published::<ImagesFile>("images.v1.json", "Underpin images file")
}

/// Reads a file, with its paths as whoever calls would name them; or every problem, with its place.
pub fn read(path: &Utf8Path) -> Result<ImagesFile, Vec<Diagnostic>> {
    let text = read_text(path);
    let text = text.map_err(|message| vec![Diagnostic::new(start_of(path), message)])?;
    let mut file = parse(path.as_str(), &text)?;
    let folder = path.parent().unwrap_or(Utf8Path::new(""));
    let beside = |path: &mut String| *path = folder.join(&*path).into_string();
    file.pins.iter_mut().flatten().for_each(beside);
    file.state.iter_mut().for_each(beside);
    file.registry.certificates.iter_mut().for_each(beside);
    file.registry.credentials.iter_mut().for_each(beside);
    if let Some(sources) = &mut file.sources {
        let SourcesEntry {
            dumps,
            paths,
            variable_files,
            ..
        } = sources;
        for list in [dumps, paths, variable_files] {
            list.iter_mut().flatten().for_each(beside);
        }
    }
    Ok(file)
}

/// Reads a text that is at hand; `name` is what it is called.
pub fn parse(name: &str, text: &str) -> Result<ImagesFile, Vec<Diagnostic>> {
    let (documents, mut diagnostics) = yaml::parse_nodes(name, text);
    let mut documents = documents.into_iter();
    let Some(document) = documents.next() else {
        if diagnostics.is_empty() {
            let empty = Diagnostic::new(start_of(Utf8Path::new(name)), "the images file is empty");
            diagnostics.push(empty.with_help("it begins with `registry:` and its `host:`"));
        }
        return Err(diagnostics);
    };
    if let Some(second) = documents.next() {
        let place = second.place(second.root.at);
        let message = "an images file holds one document, and this is a second one";
        diagnostics.push(Diagnostic::new(place, message).with_help("move it to a file of its own"));
    }
    let place = document.place(document.root.at);
    let (value, spans) = yaml::to_value_and_spans(document.root);
    let problems = schema::check(&json_schema(), "the images file", &value);
    diagnostics.extend(problems.into_iter().map(|problem| Diagnostic {
        place: place_of(&place, &spans, &problem.path),
        message: problem.message,
        help: problem.help,
    }));
    if !diagnostics.is_empty() {
        diagnostics.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        return Err(diagnostics);
    }
    let file: ImagesFile = serde_json::from_value(value)
        .map_err(|error| vec![Diagnostic::new(place.clone(), error.to_string())])?;
    let diagnostics = times(&file, (&place, &spans));
    if diagnostics.is_empty() {
        Ok(file)
    } else {
        Err(diagnostics)
    }
}

/// Times that are none.
fn times(file: &ImagesFile, (place, spans): (&Place, &SpanIndex)) -> Vec<Diagnostic> {
    let Some(limits) = &file.limits else {
        return Vec::new();
    };
    let times = [
        ("minimumAge", &limits.minimum_age),
        ("apart", &limits.apart),
        ("pause", &limits.pause),
    ];
    let wrong = times.into_iter().filter_map(|(field, text)| {
        let message = seconds(text.as_deref()?).err()?;
        let path = FieldPath::new("limits").key(field);
        let diagnostic = Diagnostic::new(place_of(place, spans, &path), message);
        Some(diagnostic.with_help("write a number with s, m, h or d, as `7d`"))
    });
    wrong.collect()
}

/// The seconds of a time such as `90s`, `10m`, `24h`, `7d`.
pub fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let (_, length) = UNITS
        .iter()
        .find(|(known, _)| *known == unit)
        .ok_or_else(wrong)?;
    let number = &text[..text.len() - unit.len_utf8()];
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = number
        .parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(wrong)?;
    number
        .checked_mul(*length)
        .ok_or_else(|| format!("`{text}` is longer than can be counted"))
}
