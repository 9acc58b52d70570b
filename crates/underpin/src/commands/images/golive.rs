use std::{collections::BTreeSet, fs};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use underpin_image::{
    Deletion, PinSettings, Registry, ResumeInput, Root, RootKind, RunningPins, Target, UnknownNeed,
    read_pins, resume_blobs, resume_findings,
};
use underpin_model::{ObjectKey, nearest};
use underpin_plan::sort_findings;

use super::{
    registry,
    roots::gather,
    setting::{ImagesSourceArgs, Setting},
    sources,
    state::State,
};
use crate::{
    Exit,
    cli::given,
    commands::write,
    error::CommandError,
    output::Format,
    render::images::{self as render, Release, ShownReleases},
    worlds::standard_input_text,
};

/// What `--running-pins` says for standard input.
const FROM_STANDARD_INPUT: &str = "-";

/// Tell whether a release would find its images if it were resumed now; change nothing
///
/// For a HelmRelease or Kustomization of Flux, suspended or not: whether the tag is there, its digest, the
/// manifest of every platform, its configuration and layers; whether the image policies of its images select
/// a tag; whether a tag that stays points to the same image; and whether the tag is kept by the pins that
/// the running cleaner reads, which may be others than those that are declared.
#[derive(Debug, Args)]
pub(crate) struct ImagesGoliveArgs {
    /// A release, as `namespace/name`, or with its kind before it; all that are suspended without one.
    #[arg(value_name = "RELEASE", value_parser = given)]
    releases: Vec<String>,
    /// Declared files, or folders with all below them, added to those of the images file; may be
    /// repeated.
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<Utf8PathBuf>,
    /// The pins file that the running cleaner reads, - for standard input; may be repeated.
    #[arg(long, value_name = "FILE")]
    running_pins: Vec<Utf8PathBuf>,
    /// There is no cleaner.
    #[arg(long, conflicts_with = "running_pins")]
    no_cleaner: bool,
    #[command(flatten)]
    sources: ImagesSourceArgs,
    /// Output for people (text) or for programs (json).
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub(super) output: Format,
}

/// The command, as its documents name it.
pub(super) const NAME: &str = "images-golive";

pub(super) async fn golive(args: ImagesGoliveArgs) -> Result<Exit, CommandError> {
    let setting = Setting::new(args.sources, args.paths)?;
    let state = State::open(setting.state.clone())?;
    let record = state.record()?;
    let hosts = std::iter::once(&setting.registry.host).chain(&setting.registry.aliases);
    let hosts: Vec<String> = hosts.map(ToString::to_string).collect();
    let reads = sources::read(&setting, &hosts).await?;
    let mut unread = Registry::new(setting.registry.host.clone(), Deletion::DigestsWithTags);
    unread.aliases.clone_from(&setting.registry.aliases);
    let named = gather(&reads, &setting, &unread).roots;
    let read = registry::read(&setting.registry, &state, &named, record.as_ref()).await?;
    let mut registry = read.registry;
    let gathered = gather(&reads, &setting, &registry);
    let releases = asked(&args.releases, &gathered.roots, &gathered.unknown)?;
    let needs: Vec<(ObjectKey, Vec<Root>)> = releases
        .into_iter()
        .map(|release| {
            let roots = of_release(&release, &gathered.roots);
            (release, roots)
        })
        .collect();
    let all: Vec<Root> = needs.iter().flat_map(|(_, roots)| roots.clone()).collect();
    let blobs = resume_blobs(&registry, &all);
    registry::read_blobs(&setting.registry, &mut registry, &blobs).await?;
    let running = running_pins(&args.running_pins, &setting);
    let mut shown = Vec::new();
    for (object, roots) in &needs {
        let unknown = gathered.unknown.iter();
        let unknown: Vec<_> = unknown
            .filter(|need| need.evidence.object == *object)
            .cloned()
            .collect();
        let mut findings = resume_findings(&ResumeInput {
            registry: &registry,
            roots,
            unknown: &unknown,
            running: match &running {
                _ if args.no_cleaner => RunningPins::NoCleaner,
                Ok(pins) => RunningPins::Read(pins),
                Err(reason) => RunningPins::Unread(reason),
            },
            declared: &gathered.pins,
            settings: &setting.settings,
        });
        sort_findings(&mut findings);
        let own = roots.iter().filter(|root| is_of_release(root.kind));
        let mut images: Vec<String> = own.map(|root| root.target.to_string()).collect();
        images.dedup();
        shown.push(Release {
            object: object.to_string(),
            suspended: roots.iter().any(|root| is_suspended(root.kind)),
            images,
            findings,
        });
    }
    let exit = if shown.iter().any(Release::fails) {
        Exit::Blocked
    } else {
        Exit::Done
    };
    let shown = ShownReleases {
        releases: shown,
        sources: &gathered.sources,
    };
    let text = match args.output {
        Format::Text => render::releases_text(&shown),
        Format::Json => render::releases_json(NAME, exit, &shown),
    };
    write(&reads.iter().fold(text, |text, read| read.masked(text)))?;
    Ok(exit)
}

fn is_suspended(kind: RootKind) -> bool {
    matches!(
        kind,
        RootKind::SuspendedHelmRelease | RootKind::SuspendedKustomization
    )
}

fn is_of_release(kind: RootKind) -> bool {
    is_suspended(kind) || matches!(kind, RootKind::HelmRelease | RootKind::Kustomization)
}

/// The releases that are asked about. Of one whose needs cannot be told, nobody knows whether it names an
/// image.
fn asked(
    names: &[String],
    roots: &[Root],
    unknown: &[UnknownNeed],
) -> Result<BTreeSet<ObjectKey>, CommandError> {
    let releases = roots.iter().filter(|root| is_of_release(root.kind));
    let mut all: BTreeSet<&ObjectKey> = releases.map(|root| &root.evidence.object).collect();
    let unknown = unknown.iter().map(|need| &need.evidence.object);
    let unknown: BTreeSet<&ObjectKey> = unknown.filter(|key| is_release(key)).collect();
    all.extend(&unknown);
    if names.is_empty() {
        let suspended = roots.iter().filter(|root| is_suspended(root.kind));
        let suspended = suspended.map(|root| &root.evidence.object);
        let found: BTreeSet<ObjectKey> = suspended.chain(unknown).cloned().collect();
        if found.is_empty() {
            return Err(CommandError::usage(
                "no release that is suspended names an image",
                "name a HelmRelease or Kustomization, as `namespace/name`",
            ));
        }
        return Ok(found);
    }
    let mut found = BTreeSet::new();
    for name in names {
        let meant: Vec<&&ObjectKey> = all.iter().filter(|key| is_called(key, name)).collect();
        if meant.is_empty() {
            let known: Vec<String> = all.iter().map(|key| short(key)).collect();
            let near = nearest(name, known.iter().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "`namespace/name` of a HelmRelease or Kustomization that is in what was read"
                        .to_owned()
                }
            };
            return Err(CommandError::usage(
                format!("no release {name} names an image"),
                help,
            ));
        }
        found.extend(meant.into_iter().map(|key| (*key).clone()));
    }
    Ok(found)
}

fn is_release(key: &ObjectKey) -> bool {
    key.kind.is("helm.toolkit.fluxcd.io", "HelmRelease")
        || key.kind.is("kustomize.toolkit.fluxcd.io", "Kustomization")
}

/// `kotkan/cms-plugins`.
fn short(key: &ObjectKey) -> String {
    format!(
        "{}/{}",
        key.namespace.as_deref().unwrap_or_default(),
        key.name
    )
}

fn is_called(key: &ObjectKey, name: &str) -> bool {
    let whole = key.to_string();
    let kind = key.kind.kind.to_ascii_lowercase();
    name == short(key) || name == whole || name == format!("{kind}/{}", short(key))
}

/// What a release needs: what it names, and what policies select of the same repositories, for what they
/// select is written into it.
fn of_release(release: &ObjectKey, roots: &[Root]) -> Vec<Root> {
    let is_own = |root: &&Root| root.evidence.object == *release && is_of_release(root.kind);
    let own: Vec<&Root> = roots.iter().filter(is_own).collect();
    let repositories: BTreeSet<String> = own.iter().filter_map(|root| repository(root)).collect();
    let policies = roots.iter().filter(|root| {
        root.kind == RootKind::Policy
            && repository(root).is_some_and(|one| repositories.contains(&one))
    });
    own.iter().copied().chain(policies).cloned().collect()
}

fn repository(root: &Root) -> Option<String> {
    match &root.target {
        Target::Image(reference) => Some(reference.location.repository.to_string()),
        Target::Policy(location, _) => Some(location.repository.to_string()),
        Target::Pattern { repository, .. } => repository.literal().map(str::to_owned),
        _ => None,
    }
}

/// The pins of the running cleaner; why they are not known otherwise.
fn running_pins(
    files: &[Utf8PathBuf],
    setting: &Setting,
) -> Result<Vec<underpin_image::Pin>, String> {
    if files.is_empty() {
        return Err("its pins file was not named with --running-pins".to_owned());
    }
    let settings = PinSettings {
        host: &setting.registry.host,
        aliases: &setting.registry.aliases,
        owner: setting.registry.owners.first().map(String::as_str),
    };
    let mut all = Vec::new();
    for file in files {
        let text = if file == FROM_STANDARD_INPUT {
            standard_input_text().map_err(|error| error.to_string())
        } else {
            read(file)
        };
        let (pins, errors) = read_pins(file.as_str(), &text?, &settings);
        if let Some(error) = errors.first() {
            return Err(error.to_string());
        }
        all.extend(pins);
    }
    Ok(all)
}

fn read(file: &Utf8Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))
}
