//! Whether releases would find their images if they were resumed.

use schemars::JsonSchema;
use serde::Serialize;
use underpin_model::{Finding, Severity, wording::count};

use crate::{
    Exit,
    render::{
        documents::{self, FindingDocument},
        style::{self, BOLD, DIM, paint},
        text as plain,
    },
};

/// Releases that were asked about.
pub(crate) struct ShownGolive<'a> {
    pub(crate) registry: &'a str,
    pub(crate) releases: &'a [ReleaseVerdict],
    /// Whether none was named, so that all are meant that are suspended.
    pub(crate) is_all: bool,
    /// What of the sources could not be read.
    pub(crate) unread: &'a [String],
    /// What is good to know.
    pub(crate) notes: &'a [String],
}

/// A release, and what keeps it from being resumed.
pub(crate) struct ReleaseVerdict {
    /// As it can be asked for.
    pub(crate) release: String,
    pub(crate) suspended: bool,
    pub(crate) read_in: Vec<ReadIn>,
    pub(crate) checked: Vec<Checked>,
    pub(crate) findings: Vec<Finding>,
}

/// A source that a release was read in.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReadIn {
    /// Its name.
    pub(crate) source: String,
    /// Whether the release is suspended there.
    pub(crate) suspended: bool,
}

/// What a release needs of the registry, and what is there.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// The image; `*` stands for what is not known of its name.
    pub(crate) image: String,
    /// What there is of it, in short.
    pub(crate) found: String,
    /// What names it.
    pub(crate) by: Vec<String>,
}

/// What would come of a resume.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// It would find its images.
    Finds,
    /// It would fail.
    Fails,
    /// Nobody knows.
    Unknown,
}

impl ReleaseVerdict {
    fn verdict(&self) -> Verdict {
        let blocks = |one: &&Finding| one.severity == Severity::Block;
        let mut blocking = self.findings.iter().filter(blocks).peekable();
        if blocking.peek().is_none() {
            Verdict::Finds
        } else if blocking.all(|one| one.unknown) {
            Verdict::Unknown
        } else {
            Verdict::Fails
        }
    }

    fn warnings(&self) -> usize {
        let findings = self.findings.iter();
        findings
            .filter(|one| one.severity == Severity::Warn)
            .count()
    }
}

/// For people: of each release the verdict, then what was asked for, then what was found.
pub(crate) fn text(shown: &ShownGolive<'_>) -> String {
    let mut text: String = shown.releases.iter().map(release).collect();
    for note in shown.notes {
        text.push_str(&format!("{} {note}\n", style::note("note:")));
    }
    for unread in shown.unread {
        text.push_str(&format!("{} {unread}\n", style::error("unread:")));
    }
    text.push_str(&summary(shown));
    text
}

fn release(release: &ReleaseVerdict) -> String {
    let verdict = match release.verdict() {
        Verdict::Finds => "would find its images".to_owned(),
        Verdict::Fails => style::error("would fail"),
        Verdict::Unknown => style::error("not known whether it would find its images"),
    };
    let warnings = match release.warnings() {
        0 => String::new(),
        many => format!(", {}", count(many, "warning")),
    };
    let mut text = format!("{}: {verdict}{warnings}\n", paint(BOLD, &release.release));
    for at in &release.read_in {
        let state = if at.suspended {
            "suspended"
        } else {
            "not suspended"
        };
        text.push_str(&format!(
            "  {} {}, {state}\n",
            paint(DIM, "read in"),
            at.source
        ));
    }
    for one in &release.checked {
        text.push_str(&format!("  {}: {}\n", one.image, one.found));
        for by in &one.by {
            text.push_str(&format!("    {} {by}\n", paint(DIM, "named by")));
        }
    }
    text.push('\n');
    text.push_str(&plain::findings::findings(&release.findings));
    text
}

fn summary(shown: &ShownGolive<'_>) -> String {
    let number = |verdict: Verdict| {
        let releases = shown.releases.iter();
        releases.filter(|one| one.verdict() == verdict).count()
    };
    if shown.releases.is_empty() {
        return format!(
            "no release is suspended that was read; {} was not asked\n",
            shown.registry
        );
    }
    let all = if shown.is_all {
        "suspended release"
    } else {
        "release"
    };
    let mut text = format!(
        "{}: {} would find their images",
        count(shown.releases.len(), all),
        number(Verdict::Finds)
    );
    for (verdict, what) in [
        (Verdict::Fails, "would fail"),
        (Verdict::Unknown, "not known"),
    ] {
        if number(verdict) > 0 {
            text.push_str(&format!(", {} {what}", number(verdict)));
        }
    }
    text.push('\n');
    text
}

/// Whether releases would find their images if they were resumed.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ImagesGoliveDocument<'a> {
    /// The registry.
    registry: &'a str,
    /// The releases, by name.
    releases: Vec<ReleaseDocument<'a>>,
    /// What of the sources could not be read; without a name there may be more suspended releases in it.
    unread: &'a [String],
    /// What is good to know.
    notes: &'a [String],
}

/// A release.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ReleaseDocument<'a> {
    /// Its name, as it can be asked for.
    release: &'a str,
    /// Whether it is suspended anywhere.
    suspended: bool,
    /// What would come of a resume.
    verdict: Verdict,
    /// The sources that it was read in.
    read_in: &'a [ReadIn],
    /// What it needs of the registry, and what is there.
    checked: &'a [Checked],
    /// What would go wrong, and what may by then.
    findings: Vec<FindingDocument>,
}

/// As JSON.
pub(crate) fn json(command: &str, exit: Exit, shown: &ShownGolive<'_>) -> String {
    let releases = shown.releases.iter().map(|release| ReleaseDocument {
        release: &release.release,
        suspended: release.suspended,
        verdict: release.verdict(),
        read_in: &release.read_in,
        checked: &release.checked,
        findings: release.findings.iter().map(Into::into).collect(),
    });
    let document = ImagesGoliveDocument {
        registry: shown.registry,
        releases: releases.collect(),
        unread: shown.unread,
        notes: shown.notes,
    };
    documents::text(command, exit, document)
}
