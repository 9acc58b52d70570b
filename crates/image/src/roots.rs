//! From what objects say of images to roots.

use std::{fmt, sync::Arc};

use underpin_model::{Evidence, FieldPath, GroupKind, Object, ObjectKey, Origin, Place};
use underpin_refs::{
    ImageMention, ImageName, ImageRole, ImageSources, TagOrder, TagSelection, images,
    images_in_text, images_of_file, opened_name,
};

use crate::{
    glob::Glob,
    policy::{ImagePolicy, Order},
    reference::{Host, ImageId, Location, Reference, is_host},
    registry::Registry,
    root::{Root, RootKind, Target},
};

/// A need that cannot be told. Whoever asked has to find out, or to tell that the source is not read
/// completely: what is needed there may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownNeed {
    /// The field.
    pub evidence: Evidence,
    /// Why, in a sentence without a full stop.
    pub reason: String,
    /// The way out, where more can be said than to have it read.
    pub help: Vec<String>,
}

/// The way out where a need cannot be told and nothing better is known.
pub const HAVE_READ: &str = "have it read as well, or write it into the release";

impl UnknownNeed {
    /// A need that cannot be told, and why.
    pub fn new(evidence: Evidence, reason: impl Into<String>) -> Self {
        Self {
            evidence,
            reason: reason.into(),
            help: Vec::new(),
        }
    }
}

impl fmt::Display for UnknownNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.evidence.object)?;
        if !self.evidence.path.as_str().is_empty() {
            write!(f, " {}", self.evidence.path)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// What roots of objects are read with.
#[derive(Clone, Copy)]
pub struct RootSettings<'a> {
    /// The registry, by its names, and as far as it was read.
    pub registry: &'a Registry,
    /// Where objects are looked up that others refer to.
    pub sources: ImageSources<'a>,
    /// The name of the source that the object is of.
    pub source: &'a Arc<str>,
}

/// A need, or what is one only if the registry has it: what surrounds it may be secret, or no name of an image.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) root: Root,
    pub(crate) only_listed: bool,
}

impl Candidate {
    pub(crate) fn is_need(&self, registry: &Registry) -> bool {
        !self.only_listed || is_of_registry(&self.root.target, registry)
    }
}

impl From<Root> for Candidate {
    fn from(root: Root) -> Self {
        Self {
            root,
            only_listed: false,
        }
    }
}

fn needed(candidates: Vec<Candidate>, registry: &Registry) -> Vec<Root> {
    let needs = candidates.into_iter().filter(|one| one.is_need(registry));
    needs.map(|one| one.root).collect()
}

/// What an object needs by its fields. Of a Secret, only what the registry has.
pub fn object_roots(object: &Object, settings: RootSettings<'_>) -> (Vec<Root>, Vec<UnknownNeed>) {
    let (candidates, unknown) = object_candidates(object, settings);
    (needed(candidates, settings.registry), unknown)
}

/// The same before it is known what the registry has.
pub(crate) fn object_candidates(
    object: &Object,
    settings: RootSettings<'_>,
) -> (Vec<Candidate>, Vec<UnknownNeed>) {
    let (mut roots, mut unknown) = (Vec::new(), Vec::new());
    for mention in images(object, settings.sources) {
        match targets(&mention) {
            // What a Secret holds is not shown.
            Ok(targets)
                if mention.role == ImageRole::Secret && targets.iter().any(is_unreadable) =>
            {
                let reason = "a name of an image in it cannot be read";
                unknown.push(UnknownNeed::new(mention.evidence, reason));
            }
            Ok(targets) => roots.extend(of_mention(&mention, targets, object, settings)),
            Err(reason) => unknown.push(UnknownNeed::new(mention.evidence, reason)),
        }
    }
    (roots, unknown)
}

/// What an object names of a registry in any text. Of a Secret, only names of repositories that the
/// registry has are taken: other text behind its host may be what is secret.
pub fn text_roots(object: &Object, settings: RootSettings<'_>) -> Vec<Root> {
    needed(text_candidates(object, settings), settings.registry)
}

/// The same before it is known what the registry has.
pub(crate) fn text_candidates(object: &Object, settings: RootSettings<'_>) -> Vec<Candidate> {
    let hosts: Vec<&str> = settings.registry.hosts().map(Host::as_str).collect();
    let mentions = images_in_text(object, &hosts, settings.sources);
    let roots = mentions.into_iter().flat_map(|mention| {
        let targets = targets(&mention).unwrap_or_default();
        of_mention(&mention, targets, object, settings)
    });
    roots.collect()
}

/// What a part of a file names whose fields are known, such as the values of a chart. A chart may put a
/// registry before what is written.
pub fn file_roots(
    file: &str,
    names: Vec<(FieldPath, ImageName)>,
    source: &Arc<str>,
) -> (Vec<Root>, Vec<UnknownNeed>) {
    let (mut roots, mut unknown) = (Vec::new(), Vec::new());
    for (path, name) in names {
        let evidence = of_file(file, 1, path);
        let mention = ImageMention {
            evidence: evidence.clone(),
            role: ImageRole::HelmRelease { suspended: false },
            name,
        };
        match targets(&mention) {
            Ok(targets) => roots.extend(targets.into_iter().map(|target| Root {
                kind: RootKind::Declared,
                source: Arc::clone(source),
                evidence: evidence.clone(),
                target,
            })),
            Err(reason) => unknown.push(UnknownNeed::new(evidence, reason)),
        }
    }
    (roots, unknown)
}

/// What a file of any sort names of a registry, if the registry has it.
pub(crate) fn text_file_candidates(
    file: &str,
    text: &str,
    registry: &Registry,
    source: &Arc<str>,
) -> Vec<Candidate> {
    let hosts: Vec<&str> = registry.hosts().map(Host::as_str).collect();
    let mut roots = Vec::new();
    for (line, name) in images_of_file(text, &hosts) {
        let evidence = of_file(file, line, FieldPath::root());
        let mention = ImageMention {
            evidence: evidence.clone(),
            role: ImageRole::Text,
            name,
        };
        let targets = targets(&mention).unwrap_or_default().into_iter();
        roots.extend(targets.map(|target| Candidate {
            root: Root {
                kind: RootKind::Text,
                source: Arc::clone(source),
                evidence: evidence.clone(),
                target,
            },
            // It may be a Secret's: other text behind the name of the registry may be what is secret.
            only_listed: true,
        }));
    }
    roots
}

fn of_file(file: &str, line: u32, path: FieldPath) -> Evidence {
    Evidence {
        object: ObjectKey::cluster(GroupKind::core("File"), file),
        path,
        place: Some(Place {
            file: file.into(),
            line,
            column: 1,
        }),
        note: String::new(),
    }
}

fn of_mention(
    mention: &ImageMention,
    targets: Vec<Target>,
    object: &Object,
    settings: RootSettings<'_>,
) -> Vec<Candidate> {
    let kind = kind(mention.role, object);
    let roots = targets.into_iter().map(|target| Candidate {
        root: Root {
            kind,
            source: Arc::clone(settings.source),
            evidence: mention.evidence.clone(),
            target,
        },
        only_listed: kind == RootKind::Secret,
    });
    roots.collect()
}

fn is_unreadable(target: &Target) -> bool {
    matches!(target, Target::Unreadable { .. })
}

fn is_of_registry(target: &Target, registry: &Registry) -> bool {
    let repositories = &registry.repositories;
    match target {
        Target::Image(reference) => repositories.contains_key(&reference.location.repository),
        Target::Pattern {
            repository, tag, ..
        } => {
            let mut repositories = repositories.iter();
            repositories.any(|(path, read)| {
                let mut tags = read.tags.keys();
                repository.matches(path.as_str())
                    && (tag.as_str() == "*" || tags.any(|one| registry.tag_matches(tag, one)))
            })
        }
        _ => false,
    }
}

pub(crate) fn kind(role: ImageRole, object: &Object) -> RootKind {
    // A dump is a file too; what a server has stored has a uid.
    let is_declared = matches!(object.origin, Origin::Declared { .. }) && object.uid().is_none();
    match role {
        ImageRole::Pod | ImageRole::Workload | ImageRole::Rollback | ImageRole::Job
            if is_declared =>
        {
            RootKind::Declared
        }
        ImageRole::Pod => RootKind::Pod,
        ImageRole::Workload => RootKind::Workload,
        ImageRole::Rollback => RootKind::Rollback,
        ImageRole::Job => RootKind::Job,
        ImageRole::HelmRelease { suspended: true } => RootKind::SuspendedHelmRelease,
        ImageRole::HelmRelease { suspended: false } => RootKind::HelmRelease,
        ImageRole::Kustomization { suspended: true } => RootKind::SuspendedKustomization,
        ImageRole::Kustomization { suspended: false } => RootKind::Kustomization,
        ImageRole::Policy => RootKind::Policy,
        ImageRole::PolicyStatus => RootKind::PolicyStatus,
        ImageRole::Custom => RootKind::Custom,
        ImageRole::Secret => RootKind::Secret,
        ImageRole::Text => RootKind::Text,
    }
}

/// What a mention needs; an error where that cannot be told.
pub(crate) fn targets(mention: &ImageMention) -> Result<Vec<Target>, String> {
    Ok(match &mention.name {
        ImageName::Reference(text) => {
            let target = match text.parse() {
                Ok(reference) => Target::Image(reference),
                Err(error) => unfilled(text).unwrap_or_else(|| Target::unreadable(text, &error)),
            };
            let elsewhere = may_be_prefixed(mention.role).then(|| anywhere(text));
            std::iter::once(target).chain(elsewhere.flatten()).collect()
        }
        ImageName::Likely(text) => {
            let image = likely(text);
            let elsewhere = may_be_prefixed(mention.role).then(|| anywhere(text));
            image.into_iter().chain(elsewhere.flatten()).collect()
        }
        ImageName::Id(text) => match text.parse() {
            Ok(ImageId::Image(reference)) => vec![Target::Image(reference)],
            Ok(ImageId::Bare(digest)) => vec![Target::Digest(digest)],
            // What the node was told to run stands in the pod's specification.
            Err(_) => Vec::new(),
        },
        ImageName::Open(text) => match open(text) {
            Some(target) => vec![target],
            None => return Err("no part of the name is known".to_owned()),
        },
        ImageName::Tag(text) => vec![of_any_repository(text)],
        ImageName::Selected { image, by } => match image.parse() {
            Ok(location) => vec![Target::Policy(location, policy(by))],
            Err(error) => {
                vec![unfilled(image).unwrap_or_else(|| Target::unreadable(image, &error))]
            }
        },
        ImageName::Unknown(reason) => return Err(reason.clone()),
    })
}

/// A text that may be a reference. Without tag and digest any image of the repository may be meant:
/// the tag may stand in a field beside it.
fn likely(text: &str) -> Option<Target> {
    let Ok(reference) = text.parse::<Reference>() else {
        return unfilled(text);
    };
    if reference.tag.is_some() || reference.digest.is_some() {
        return Some(Target::Image(reference));
    }
    let Location { host, repository } = reference.location;
    Some(Target::Pattern {
        host: Some(host),
        repository: Glob::new(repository.as_str()),
        tag: Glob::new("*"),
    })
}

/// A tag alone, or what is known of one.
fn of_any_repository(tag: &str) -> Target {
    Target::Pattern {
        host: None,
        repository: Glob::new("*"),
        tag: Glob::new(opened_name(tag).unwrap_or_else(|| tag.to_owned())),
    }
}

/// A name with variables that nobody filled in, as far as anything of it is known.
fn unfilled(text: &str) -> Option<Target> {
    open(&opened_name(text)?)
}

/// Whether a chart may put a registry before what is written.
fn may_be_prefixed(role: ImageRole) -> bool {
    matches!(role, ImageRole::HelmRelease { .. } | ImageRole::Custom)
}

/// A name without a registry, in whatever registry.
fn anywhere(text: &str) -> Option<Target> {
    let first = text.split_once('/').map_or("", |(first, _)| first);
    if is_host(first) {
        return None;
    }
    let (repository, tag) = parts(text);
    let repository = repository.trim_matches('/');
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    (!repository.is_empty() && repository.chars().all(is_name)).then(|| Target::Pattern {
        host: None,
        repository: Glob::new(repository),
        tag: Glob::new(tag.filter(|tag| !tag.is_empty()).unwrap_or("*")),
    })
}

/// A name with `*` for what is not known of it; `None` where nothing is, or where it is no name.
fn open(text: &str) -> Option<Target> {
    let (host, path) = match text.split_once('/') {
        // What is not known may be the registry with a part of the repository.
        Some((first, path)) if first.contains('*') => (None, format!("*{path}")),
        Some((first, path)) if is_host(first) => (Host::new(first).ok(), path.to_owned()),
        // Whose registry is meant, the chart may say.
        _ => (None, text.to_owned()),
    };
    let (repository, tag) = parts(&path);
    // What is not known may go on with a tag, and behind an `@` the whole repository is meant.
    let tag = tag.filter(|tag| !tag.is_empty()).unwrap_or("*");
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/*".contains(c);
    let is_tag = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
    let says_something = |text: &str| text.chars().any(|c| c.is_ascii_alphanumeric());
    let is_right =
        !repository.is_empty() && repository.chars().all(is_name) && tag.chars().all(is_tag);
    let is_known = host.is_some() || says_something(repository) || says_something(tag);
    (is_right && is_known).then(|| Target::Pattern {
        host,
        repository: Glob::new(repository),
        tag: Glob::new(tag),
    })
}

/// Repository and tag; none where a digest is written.
fn parts(text: &str) -> (&str, Option<&str>) {
    if let Some((name, _)) = text.split_once('@') {
        let (name, _) = parts(name);
        return (name, None);
    }
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

fn policy(by: &TagSelection) -> ImagePolicy {
    ImagePolicy {
        order: match &by.order {
            TagOrder::Semver(range) => Order::Semver {
                range: range.clone(),
            },
            TagOrder::Alphabetical(order) => Order::Alphabetical {
                order: order.clone(),
            },
            TagOrder::Numerical(order) => Order::Numerical {
                order: order.clone(),
            },
            TagOrder::Missing => Order::Missing,
        },
        pattern: by.pattern.clone(),
        extract: by.extract.clone(),
        exclusions: by.exclusions.clone(),
    }
}
