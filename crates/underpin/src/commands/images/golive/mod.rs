//! Whether releases would find their images if they were resumed (R4.5).

mod charts;
mod checked;
mod checkouts;
mod declared;
mod doubts;
mod kustomization;
mod needs;
mod policies;
mod releases;
mod running;

use camino::Utf8PathBuf;
use clap::Args;
use underpin_image::{
    Pin, Registry, ResumeInput, Root, resume_blobs, resume_findings, unkept_pins,
};
use underpin_model::{Finding, Severity};
use underpin_plan::sort_findings;
use underpin_registry::read_blobs;

use self::{
    checkouts::Checkouts,
    declared::Declared,
    doubts::may_hold_releases,
    needs::{Needs, Sources},
    releases::{Release, ReleaseName, asked, short},
    running::{Running, pins_of_file, running},
};
use super::{
    registry::read_needed,
    setting::{ImagesSourceArgs, Setting},
    sources,
};
use crate::{
    Exit,
    cli::given,
    commands::write,
    error::CommandError,
    output::Format,
    render::images::{self as render, ReadIn, ReleaseVerdict, ShownGolive},
};

/// Tell whether releases would find their images if they were resumed now; change nothing
///
/// To be run before `flux resume`. For HelmReleases and Kustomizations, suspended or not: whether what
/// their values, image policies and manifests name is in the registry: tag, digest, the manifest of every
/// platform, its configuration and layers; whether the policy that writes into them selects a tag; whether
/// a tag that stays names the same image; and whether the cleaner keeps the tag, by the pins that it reads
/// where it runs, which may be others than those that are declared.
#[derive(Debug, Args)]
pub(crate) struct ImagesGoliveArgs {
    /// A release: NAMESPACE/NAME, or with helmrelease/ or kustomization/ before it [default: all that are
    /// suspended].
    #[arg(value_name = "RELEASE")]
    releases: Vec<ReleaseName>,
    #[command(flatten)]
    sources: ImagesSourceArgs,
    /// Declared files, or folders with all below them, added to those of the images file; may be
    /// repeated.
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<Utf8PathBuf>,
    /// What the running cleaner reads: its pins file, - for standard input, or the state folder of its
    /// `images plan`; may be repeated.
    #[arg(long, value_name = "PATH|URL", value_parser = given)]
    running: Vec<String>,
    /// Nothing cleans this registry.
    #[arg(long, conflicts_with = "running")]
    no_cleaner: bool,
    /// Exit with 7 when there are warnings.
    #[arg(long)]
    strict: bool,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(super) output: Format,
}

/// The command, as its documents name it.
pub(super) const NAME: &str = "images-golive";

pub(super) async fn golive(args: ImagesGoliveArgs) -> Result<Exit, CommandError> {
    let setting = Setting::new(args.sources, args.paths)?;
    let reads = sources::read(&setting, |read| read).await?;
    let checkouts = Checkouts::of(&setting.paths);
    let before = &setting.registry.names;
    let declared = Declared::of(&reads, &checkouts, before);
    let foreign = &setting.foreign_needs;
    let releases = asked(&args.releases, &reads, &declared, &checkouts, foreign)?;
    let sources = Sources {
        reads: &reads,
        checkouts: &checkouts,
        declared: &declared,
        registry: before,
        foreign,
    };
    let (registry, needs) = read_registry(&releases, &setting, sources).await?;
    let running = if args.no_cleaner {
        Running::NoCleaner
    } else {
        running(&args.running, &setting.registry).await
    };
    let mut notes: Vec<String> = Vec::new();
    let declared = declared_pins(&setting, &mut notes);
    let verdicts = releases.iter().zip(&needs).map(|(release, needs)| {
        let asked = Judged {
            release,
            needs,
            registry: &registry,
            running: &running,
            declared: &declared,
            setting: &setting,
        };
        asked.verdict()
    });
    let verdicts: Vec<ReleaseVerdict> = verdicts.collect();
    let unread = may_hold_releases(&reads, &setting.foreign_needs).into_iter();
    let unread: Vec<String> = unread
        .map(|(source, what)| format!("{source}: {what}"))
        .collect();
    let is_all = args.releases.is_empty();
    let exit = exit(&verdicts, is_all && !unread.is_empty(), args.strict);
    let shown = ShownGolive {
        registry: setting.registry.names.host.as_str(),
        releases: &verdicts,
        is_all,
        unread: &unread,
        notes: &notes,
    };
    let text = match args.output {
        Format::Text => render::golive_text(&shown),
        Format::Json => render::golive_json(NAME, exit, &shown),
    };
    write(&reads.iter().fold(text, |text, read| read.masked(text)))?;
    Ok(exit)
}

/// What is blocked, unknown included, counts first. Of releases that may not have been found, nobody
/// knows whether they are suspended.
fn exit(verdicts: &[ReleaseVerdict], may_lack_any: bool, strict: bool) -> Exit {
    let findings = || verdicts.iter().flat_map(|verdict| &verdict.findings);
    if findings().any(|one| one.severity == Severity::Block) {
        Exit::Blocked
    } else if may_lack_any {
        Exit::Error
    } else if strict && findings().next().is_some() {
        Exit::Warnings
    } else {
        Exit::Done
    }
}

/// The registry, as far as these releases need it, with the blobs of their images; and what they need. Which
/// image follows which policy depends on what the registry has.
async fn read_registry(
    releases: &[Release<'_>],
    setting: &Setting,
    sources: Sources<'_>,
) -> Result<(Registry, Vec<Needs>), CommandError> {
    let needs = |registry: &Registry| {
        let sources = Sources {
            registry,
            ..sources
        };
        let each = releases.iter();
        let each = each.map(|release| needs::of_release(release, sources));
        each.collect::<Vec<Needs>>()
    };
    let named = |needs: &[Needs]| {
        let asked = needs.iter().flat_map(|one| one.asked.iter().cloned());
        asked.collect::<Vec<Root>>()
    };
    let before = needs(sources.registry);
    let (client, mut registry) = read_needed(&setting.registry, &named(&before)).await?;
    let needs = needs(&registry);
    let blobs = resume_blobs(&registry, &named(&needs));
    read_blobs(&client, &mut registry, &blobs).await;
    Ok((registry, needs))
}

/// The pins as they are declared; a file that cannot be read declares nothing that counts here.
fn declared_pins(setting: &Setting, notes: &mut Vec<String>) -> Vec<Pin> {
    let mut pins = Vec::new();
    for file in &setting.pins {
        match pins_of_file(file, &setting.registry) {
            Ok(more) => pins.extend(more),
            Err(reason) => notes.push(format!("the declared pins were not all read: {reason}")),
        }
    }
    pins
}

/// A release, and what it is judged by.
struct Judged<'j> {
    release: &'j Release<'j>,
    needs: &'j Needs,
    registry: &'j Registry,
    running: &'j Running,
    declared: &'j [Pin],
    setting: &'j Setting,
}

impl Judged<'_> {
    fn verdict(&self) -> ReleaseVerdict {
        let (registry, needs) = (self.registry, self.needs);
        let mut findings = resume_findings(&ResumeInput {
            registry,
            roots: &needs.roots,
            unknown: &needs.unknown,
            running: self.running.pins(),
            declared: self.declared,
            settings: &self.setting.settings,
        });
        if let Running::Pins(pins) = self.running {
            findings.extend(unkept_pins(registry, pins, &needs.roots));
        }
        findings.iter_mut().for_each(Finding::offer_no_acceptance);
        sort_findings(&mut findings);
        let occurrences = self.release.occurrences.iter();
        let read_in = occurrences.map(|occurrence| ReadIn {
            source: occurrence.read.name.to_string(),
            suspended: underpin_refs::is_suspended(&occurrence.object),
        });
        ReleaseVerdict {
            release: short(&self.release.key),
            suspended: self.release.is_suspended(),
            read_in: read_in.collect(),
            checked: checked::checked(registry, &needs.roots),
            findings,
        }
    }
}
