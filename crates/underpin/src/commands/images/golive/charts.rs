//! What the chart of a HelmRelease brings of its own: default values, and what templates name.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use underpin_image::{Host, UnknownNeed};
use underpin_model::{Object, World, listed};
use underpin_refs::{ReleaseChart, chart_of_release, merged_values};
use underpin_source::{
    manifests::Below,
    texts,
    tree::{CHART_FILE, CHART_TEMPLATES},
};

use super::{super::sources::document, needs::Sources};

/// The file that holds its values.
const VALUES_FILE: &str = "values.yaml";
/// Where the charts are that it brings along, and the older file that says which.
const CHARTS: &str = "charts";
const REQUIREMENTS_FILE: &str = "requirements.yaml";

/// What a chart brings.
#[derive(Default)]
pub(super) struct Brought {
    /// Its values; none where they are not known.
    pub(super) values: Option<Value>,
    /// What is not known of it.
    pub(super) unknown: Vec<UnknownNeed>,
}

/// What the chart of a release brings. It lies in the declared files, or nobody knows.
pub(super) fn brought(release: &Object, world: &World, sources: Sources<'_>) -> Brought {
    let Some(chart) = chart_of_release(release) else {
        return Brought::default();
    };
    let need = |reason: String| {
        let evidence = release.evidence(chart.path.clone(), String::new());
        UnknownNeed::new(evidence, reason)
    };
    let folder = match folder(release, &chart, world, sources) {
        Ok(folder) => folder,
        Err(reason) => {
            let what = &chart.what;
            let reason = format!(
                "its chart, {what}, may name images in its templates and default values, and was not \
                 read: {reason}"
            );
            let unknown = vec![need(reason)];
            return Brought {
                unknown,
                ..Brought::default()
            };
        }
    };
    let mut reasons = Vec::new();
    let values = values(&chart, &folder, sources, &mut reasons);
    reasons.extend(not_rendered(&folder, sources));
    Brought {
        values: Some(values),
        unknown: reasons.into_iter().map(need).collect(),
    }
}

/// The folder of a chart.
fn folder(
    release: &Object,
    chart: &ReleaseChart<'_>,
    world: &World,
    sources: Sources<'_>,
) -> Result<Utf8PathBuf, String> {
    if let Some(written) = chart.folder {
        let folder = sources
            .checkouts
            .folder_of(written, release, |key| world.get(key))?;
        if folder.join(CHART_FILE).is_file() {
            return Ok(folder);
        }
        let shown = sources.checkouts.shown(&folder);
        return Err(format!("there is no {CHART_FILE} in {shown}"));
    }
    let Some((name, version)) = chart.name else {
        return Err("of an artifact, only that it is there is looked at".to_owned());
    };
    let Some(version) = version else {
        return Err(
            "it names no version, and which one would be taken is not known: write one".to_owned(),
        );
    };
    let charts = sources.reads.iter().filter(|read| !read.is_revision());
    let is_meant = |file: &&Utf8PathBuf| {
        document(file).is_ok_and(|value| {
            let is = |key: &str, text: &str| value.get(key).and_then(Value::as_str) == Some(text);
            is("name", name) && is("version", version)
        })
    };
    let found = charts.flat_map(|read| &read.charts).find(is_meant);
    let found = found.and_then(|file| file.parent());
    found
        .map(|folder| sources.checkouts.absolute(folder))
        .ok_or_else(|| {
            format!(
                "name a folder that holds version {version} with --path, as `helm pull --untar` makes it"
            )
        })
}

/// The values that a chart brings: its own, or those of the files that are named instead.
fn values(
    chart: &ReleaseChart<'_>,
    folder: &Utf8Path,
    sources: Sources<'_>,
    reasons: &mut Vec<String>,
) -> Value {
    let files: Vec<Utf8PathBuf> = if chart.values_files.is_empty() {
        let own = folder.join(VALUES_FILE);
        own.exists().then_some(own).into_iter().collect()
    } else {
        // Relative to the source, which the folder of the chart is below.
        let written = chart.folder.unwrap_or_default();
        let depth = Utf8Path::new(written.trim_start_matches('/')).components();
        let depth = depth.filter(|one| one.as_str() != ".").count();
        let root = folder.ancestors().nth(depth).unwrap_or(folder);
        let files = chart.values_files.iter();
        files
            .map(|file| sources.checkouts.absolute(&root.join(file)))
            .filter(|file| !chart.may_lack_files || file.exists())
            .collect()
    };
    let mut all = Vec::new();
    for file in files {
        match document(&file) {
            Ok(values) => all.push(values),
            Err(reason) => {
                let shown = sources.checkouts.shown(&file);
                reasons.push(format!("its values in {shown} cannot be read: {reason}"));
            }
        }
    }
    merged_values(all)
}

/// What would have to be rendered to know what it names.
fn not_rendered(folder: &Utf8Path, sources: Sources<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    match document(&folder.join(CHART_FILE)) {
        Ok(chart) => {
            let dependencies = chart.get("dependencies").and_then(Value::as_array);
            let names = dependencies.into_iter().flatten();
            let names: Vec<&str> = names.filter_map(|one| one.get("name")?.as_str()).collect();
            if !names.is_empty() {
                let names = listed(names);
                reasons.push(format!(
                    "its chart brings the charts {names}, which may name images and are not read"
                ));
            }
        }
        Err(reason) => {
            let shown = sources.checkouts.shown(folder);
            reasons.push(format!("{CHART_FILE} in {shown} cannot be read: {reason}"));
        }
    }
    for brought in [CHARTS, REQUIREMENTS_FILE] {
        let path = folder.join(brought);
        let is_empty = || path.read_dir().is_ok_and(|mut all| all.next().is_none());
        if path.exists() && !is_empty() {
            let shown = sources.checkouts.shown(&path);
            reasons.push(format!(
                "its chart brings charts along in {shown}, which may name images and are not read"
            ));
        }
    }
    let templates = folder.join(CHART_TEMPLATES);
    if templates.is_dir() {
        let hosts: Vec<&str> = sources.registry.hosts().map(Host::as_str).collect();
        let (named, unread) = texts::holding(&[templates], &hosts, &Below::default());
        reasons.extend(unread.iter().map(ToString::to_string));
        reasons.extend(named.iter().map(|file| {
            let shown = sources.checkouts.shown(&file.path);
            format!("the template {shown} names the registry, and is not rendered")
        }));
    }
    reasons
}
