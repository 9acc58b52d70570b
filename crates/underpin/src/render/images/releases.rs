//! Whether releases would find their images if they were resumed.

use schemars::JsonSchema;
use serde::Serialize;
use underpin_image::Source;
use underpin_model::{Finding, Severity, wording::count};

use crate::{
    Exit,
    render::{
        documents::{self, FindingDocument},
        style::{self, BOLD, paint},
        text as plain,
    },
};

/// A release, and what keeps it from being resumed.
pub(crate) struct Release {
    pub(crate) object: String,
    pub(crate) suspended: bool,
    /// What it names.
    pub(crate) images: Vec<String>,
    pub(crate) findings: Vec<Finding>,
}

/// Releases that were asked about.
pub(crate) struct ShownReleases<'a> {
    pub(crate) releases: Vec<Release>,
    pub(crate) sources: &'a [Source],
}

impl Release {
    /// Whether a resume would fail, or it is not known that it would not.
    pub(crate) fn fails(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|one| one.severity == Severity::Block)
    }
}

/// For people.
pub(crate) fn text(shown: &ShownReleases<'_>) -> String {
    let mut text = String::new();
    for release in &shown.releases {
        let state = if release.suspended {
            "suspended"
        } else {
            "not suspended"
        };
        let verdict = if release.fails() {
            style::error("would fail")
        } else {
            "would find its images".to_owned()
        };
        text.push_str(&format!(
            "{}, {state}: {verdict} ({})\n",
            paint(BOLD, &release.object),
            count(release.images.len(), "image")
        ));
        for image in &release.images {
            text.push_str(&format!("  {image}\n"));
        }
        text.push('\n');
        text.push_str(&plain::findings::findings(&release.findings));
    }
    for source in shown.sources {
        for unread in &source.unread {
            let note = style::note("note:");
            text.push_str(&format!(
                "{note} of {} was not read: {unread}\n",
                source.name
            ));
        }
    }
    let failing = shown.releases.iter().filter(|one| one.fails()).count();
    let all = count(shown.releases.len(), "release");
    text.push_str(&format!("{all} asked about, {failing} would fail\n"));
    text
}

/// Whether releases could be resumed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ImagesGoliveDocument<'a> {
    /// The releases.
    releases: Vec<ReleaseDocument<'a>>,
    /// What of the sources was not read.
    unread: Vec<String>,
}

/// A release.
#[derive(Serialize, JsonSchema)]
struct ReleaseDocument<'a> {
    /// The object.
    object: &'a str,
    /// Whether it is suspended.
    suspended: bool,
    /// Whether it would fail, or it is not known that it would not.
    fails: bool,
    /// What it names; `*` stands for anything.
    images: &'a [String],
    /// What would go wrong, and what may by then.
    findings: Vec<FindingDocument>,
}

/// As JSON.
pub(crate) fn json(command: &str, exit: Exit, shown: &ShownReleases<'_>) -> String {
    let releases = shown.releases.iter().map(|release| ReleaseDocument {
        object: &release.object,
        suspended: release.suspended,
        fails: release.fails(),
        images: &release.images,
        findings: release.findings.iter().map(Into::into).collect(),
    });
    let unread = shown.sources.iter().flat_map(|source| {
        let unread = source.unread.iter();
        unread.map(|text| format!("{}: {text}", source.name))
    });
    let document = ImagesGoliveDocument {
        releases: releases.collect(),
        unread: unread.collect(),
    };
    documents::text(command, exit, document)
}
