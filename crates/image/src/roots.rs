//! From what objects say of images to roots.

use std::sync::Arc;

use underpin_model::{Evidence, Object, Origin, World};
use underpin_refs::{
    ImageMention, ImageName, ImageRole, TagOrder, TagSelection, images, images_in_text,
};

use crate::{
    glob::Glob,
    policy::{ImagePolicy, Order},
    reference::{Host, ImageId, is_host},
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
}

/// What an object needs by its fields. `world` holds what it refers to.
pub fn object_roots(
    object: &Object,
    world: &World,
    source: &Arc<str>,
) -> (Vec<Root>, Vec<UnknownNeed>) {
    let (mut roots, mut unknown) = (Vec::new(), Vec::new());
    for mention in images(object, world) {
        let kind = kind(mention.role, object);
        match targets(&mention) {
            Ok(targets) => roots.extend(targets.into_iter().map(|target| Root {
                kind,
                source: Arc::clone(source),
                evidence: mention.evidence.clone(),
                target,
            })),
            Err(reason) => unknown.push(UnknownNeed {
                evidence: mention.evidence,
                reason,
            }),
        }
    }
    (roots, unknown)
}

/// What an object names of a registry in any text. Of a Secret, only names of repositories that the
/// registry has are taken: other text behind its host may be what is secret.
pub fn text_roots(object: &Object, registry: &Registry, source: &Arc<str>) -> Vec<Root> {
    let hosts: Vec<&str> = registry.hosts().map(Host::as_str).collect();
    let mentions = images_in_text(object, &hosts);
    let roots = mentions.into_iter().flat_map(|mention| {
        let kind = kind(mention.role, object);
        let mut targets = targets(&mention).unwrap_or_default();
        if kind == RootKind::Secret {
            targets.retain(|target| is_of_registry(target, registry));
        }
        targets.into_iter().map(move |target| Root {
            kind,
            source: Arc::clone(source),
            evidence: mention.evidence.clone(),
            target,
        })
    });
    roots.collect()
}

fn is_of_registry(target: &Target, registry: &Registry) -> bool {
    let repositories = &registry.repositories;
    match target {
        Target::Image(reference) => repositories.contains_key(&reference.location.repository),
        Target::Pattern { repository, .. } => {
            let mut paths = repositories.keys();
            paths.any(|path| repository.matches(path.as_str()))
        }
        _ => false,
    }
}

fn kind(role: ImageRole, object: &Object) -> RootKind {
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
fn targets(mention: &ImageMention) -> Result<Vec<Target>, String> {
    Ok(match &mention.name {
        ImageName::Reference(text) => {
            let target = match text.parse() {
                Ok(reference) => Target::Image(reference),
                Err(error) => Target::unreadable(text, &error),
            };
            let elsewhere = may_be_prefixed(mention.role).then(|| anywhere(text));
            std::iter::once(target).chain(elsewhere.flatten()).collect()
        }
        ImageName::Likely(text) => {
            let image = text.parse().ok().map(Target::Image);
            let elsewhere = may_be_prefixed(mention.role).then(|| anywhere(text));
            image.into_iter().chain(elsewhere.flatten()).collect()
        }
        ImageName::Id(text) => match text.parse() {
            Ok(ImageId::Image(reference)) => vec![Target::Image(reference)],
            Ok(ImageId::Bare(digest)) => vec![Target::Digest(digest)],
            // What the node was told to run stands in the pod's specification.
            Err(_) => Vec::new(),
        },
        ImageName::Open(text) => vec![open(text)],
        ImageName::Tag(tag) => vec![Target::Pattern {
            host: None,
            repository: Glob::new("*"),
            tag: Glob::new(tag.clone()),
        }],
        ImageName::Selected { image, by } => match image.parse() {
            Ok(location) => vec![Target::Policy(location, policy(by))],
            Err(error) => vec![Target::unreadable(image, &error)],
        },
        ImageName::Unknown(reason) => return Err(reason.clone()),
    })
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

/// A name that goes on with what is not known.
fn open(text: &str) -> Target {
    let (host, path) = match text.split_once('/') {
        Some((first, path)) if is_host(first) => (Host::new(first).ok(), path),
        // Whose registry is meant, the chart may say.
        _ => (None, text),
    };
    let (repository, tag) = parts(path);
    let (repository, tag) = match tag {
        // Nothing of the tag may be known, or its beginning.
        Some(tag) => (repository.to_owned(), format!("{tag}*")),
        // So may the digest; the repository is whole then.
        None if path.contains('@') => (repository.to_owned(), "*".to_owned()),
        None => (format!("{repository}*"), "*".to_owned()),
    };
    Target::Pattern {
        host,
        repository: Glob::new(repository),
        tag: Glob::new(tag),
    }
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
