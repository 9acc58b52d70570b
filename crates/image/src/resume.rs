//! Whether a suspended release would find its images if it were resumed (R4.5).

use std::collections::BTreeSet;

use underpin_model::{Finding, Severity};

use crate::{
    digest::Digest,
    findings::{FLOATING_TAG_UNPROTECTED, GOLIVE_IMAGE_MISSING, evidence, pin_line, subject},
    glob::Glob,
    manifest::{Descriptor, Manifest, ManifestKind},
    pin::{Pin, PinTarget},
    policy::Selection,
    reference::{Host, Reference, RepositoryPath, Tag},
    registry::{Reading, Registry, Repository},
    root::{Root, Target},
    roots::{HAVE_READ, UnknownNeed},
    settings::Settings,
};

/// Indexes in indexes are followed this deep.
const DEPTH_LIMIT: usize = 8;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct ResumeInput<'a> {
    /// The registry, with the manifests and blobs that were asked for.
    pub registry: &'a Registry,
    /// What the release needs.
    pub roots: &'a [Root],
    /// What of its needs cannot be told.
    pub unknown: &'a [UnknownNeed],
    /// The pins that the cleaner reads where it runs.
    pub running: RunningPins<'a>,
    /// The pins as they are declared.
    pub declared: &'a [Pin],
    /// Which tags are moved.
    pub settings: &'a Settings,
}

/// The pins that the running cleaner reads.
#[derive(Clone, Copy, Debug)]
pub enum RunningPins<'a> {
    /// These.
    Read(&'a [Pin]),
    /// They could not be read, and why.
    Unread(&'a str),
    /// There is no cleaner.
    NoCleaner,
}

/// What would go wrong at a resume: UP302 for what would not be found, UP304 for what is there and may
/// be gone by then. Images of other registries are not asked about.
pub fn resume_findings(input: &ResumeInput<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for root in input.roots {
        let check = Check { input, root };
        match &root.target {
            Target::Image(reference) if input.registry.is_named(&reference.location.host) => {
                check.image(reference, &mut findings);
            }
            Target::Policy(location, policy) if input.registry.is_named(&location.host) => {
                let path = &location.repository;
                let Some(repository) = check.repository(path, &mut findings) else {
                    continue;
                };
                let selection = policy.select(repository.tags.keys());
                check.selection(path, repository, &selection, &mut findings);
            }
            Target::Unreadable { text, reason } => {
                let message = format!("`{text}` is to name an image and cannot be read: {reason}");
                let mut finding = check.finding(root.evidence.object.subject(), message);
                finding.help = vec!["write the whole name of the image".to_owned()];
                findings.push(finding);
            }
            Target::Pattern {
                host,
                repository,
                tag,
            } => check.pattern(host.as_ref(), repository, tag, &mut findings),
            Target::Digest(digest) => check.bare(digest, &mut findings),
            // Images of other registries; and a pin keeps, it needs nothing.
            Target::Image(_) | Target::Policy(..) | Target::Pin(_) => {}
        }
    }
    findings.extend(input.unknown.iter().map(|need| {
        let object = &need.evidence.object;
        let path = need.evidence.path.as_str();
        let by = if path.is_empty() {
            String::new()
        } else {
            format!(" by {path}")
        };
        let message = format!("what {object} needs{by} is not known: {}", need.reason);
        let severity = Severity::Block;
        let mut finding = Finding::new(GOLIVE_IMAGE_MISSING, severity, object.subject(), message);
        finding.unknown = true;
        finding.evidence = vec![need.evidence.clone()];
        finding.place.clone_from(&need.evidence.place);
        finding.help.clone_from(&need.help);
        if finding.help.is_empty() {
            finding.help.push(HAVE_READ.to_owned());
        }
        finding
    }));
    findings.sort_by(|left, right| {
        let key = |one: &Finding| (one.code, one.subject.clone(), one.message.clone());
        key(left).cmp(&key(right))
    });
    // What several needs have in common is told once, with all of them.
    findings.dedup_by(|later, first| {
        let key = |one: &Finding| (one.code, one.subject.clone(), one.message.clone());
        let is_same = key(later) == key(first);
        if is_same {
            let new = later.evidence.iter();
            let new = new.filter(|one| !first.evidence.contains(one)).cloned();
            let new: Vec<_> = new.collect();
            first.evidence.extend(new);
        }
        is_same
    });
    findings
}

/// The blobs that images of these needs are made of, as far as their manifests were read: what is to be
/// asked for before [`resume_findings`].
pub fn resume_blobs(registry: &Registry, roots: &[Root]) -> BTreeSet<(RepositoryPath, Digest)> {
    let mut blobs = BTreeSet::new();
    for (path, digest) in roots.iter().flat_map(|root| named(registry, &root.target)) {
        let Some(repository) = registry.repositories.get(&path) else {
            continue;
        };
        let (mut todo, mut seen) = (vec![digest], BTreeSet::new());
        while let Some(digest) = todo.pop() {
            let reading = repository.manifests.get(&digest);
            let Some(manifest) = reading.and_then(Reading::present) else {
                continue;
            };
            if seen.insert(digest) {
                todo.extend(manifest.children.iter().map(|child| child.digest.clone()));
                let own = manifest
                    .blobs()
                    .map(|blob| (path.clone(), blob.digest.clone()));
                blobs.extend(own);
            }
        }
    }
    blobs
}

/// The manifests that a need names.
fn named(registry: &Registry, target: &Target) -> Vec<(RepositoryPath, Digest)> {
    let of_tags = |path: &RepositoryPath, is_meant: &dyn Fn(&Tag) -> bool| {
        let repository = registry.repositories.get(path);
        let tags = repository
            .into_iter()
            .flat_map(|repository| &repository.tags);
        let meant = tags.filter(|(tag, _)| is_meant(tag));
        let found =
            meant.filter_map(|(_, reading)| Some((path.clone(), reading.present()?.clone())));
        found.collect::<Vec<_>>()
    };
    match target {
        Target::Image(reference) => {
            let path = &reference.location.repository;
            let tag = reference.tag.clone().or_else(|| reference.pulled_tag());
            let digest = reference
                .digest
                .iter()
                .map(|digest| (path.clone(), digest.clone()));
            let mut found: Vec<_> = digest.collect();
            if let Some(tag) = tag {
                let pattern = Glob::new(tag.as_str());
                found.extend(of_tags(path, &|one| registry.tag_matches(&pattern, one)));
            }
            found
        }
        Target::Policy(location, policy) => {
            let repository = registry.repositories.get(&location.repository);
            let selection = repository.map(|read| policy.select(read.tags.keys()));
            match selection {
                Some(Selection::Selected(tags)) => {
                    of_tags(&location.repository, &|tag| tags.contains(tag))
                }
                _ => Vec::new(),
            }
        }
        Target::Pattern {
            repository, tag, ..
        } => {
            let paths = registry.repositories.keys();
            let meant = paths.filter(|path| repository.matches(path.as_str()));
            meant
                .flat_map(|path| of_tags(path, &|one| registry.tag_matches(tag, one)))
                .collect()
        }
        Target::Digest(digest) => {
            let all = registry.repositories.iter();
            let there = all.filter(|(_, read)| read.manifests.contains_key(digest));
            there
                .map(|(path, _)| (path.clone(), digest.clone()))
                .collect()
        }
        Target::Pin(_) | Target::Unreadable { .. } => Vec::new(),
    }
}

struct Check<'c> {
    input: &'c ResumeInput<'c>,
    root: &'c Root,
}

impl<'c> Check<'c> {
    fn finding(&self, subject: String, message: String) -> Finding {
        let mut finding = Finding::new(GOLIVE_IMAGE_MISSING, Severity::Block, subject, message);
        finding.evidence = vec![evidence(self.root)];
        finding.place.clone_from(&self.root.evidence.place);
        finding
    }

    fn subject(&self, path: &RepositoryPath, what: &str) -> String {
        subject(self.input.registry, path, what)
    }

    fn repository(
        &self,
        path: &RepositoryPath,
        findings: &mut Vec<Finding>,
    ) -> Option<&'c Repository> {
        let found = self.input.registry.repositories.get(path);
        if found.is_none() {
            let location = self.input.registry.location(path);
            let unread = self.input.registry.unread.first();
            let message = match unread {
                None => format!("there is no repository {location}"),
                Some(part) => format!(
                    "whether there is a repository {location} is not known: could not read {}: {}",
                    part.what, part.reason
                ),
            };
            let mut finding = self.finding(self.subject(path, ""), message);
            finding.unknown = unread.is_some();
            finding.help = vec![match unread {
                None => "run the build that pushes it".to_owned(),
                Some(_) => "ask again once the registry answers".to_owned(),
            }];
            findings.push(finding);
        }
        found
    }

    fn image(&self, reference: &Reference, findings: &mut Vec<Finding>) {
        let path = &reference.location.repository;
        let Some(repository) = self.repository(path, findings) else {
            return;
        };
        if let Some(digest) = &reference.digest {
            self.manifest(path, repository, digest, findings);
        }
        if let Some(tag) = reference.tag.clone().or_else(|| reference.pulled_tag()) {
            self.tag(path, repository, &tag, findings);
        }
    }

    /// A name of which a part is not known. Where that is the registry alone, and this one has the tag, it
    /// is looked at; otherwise nobody knows whether it is there: what is missing here may be what is meant.
    fn pattern(
        &self,
        host: Option<&Host>,
        pattern: &Glob,
        tag: &Glob,
        findings: &mut Vec<Finding>,
    ) {
        let registry = self.input.registry;
        if host.is_some_and(|host| !registry.is_named(host)) {
            return;
        }
        let whole = pattern.literal().zip(tag.literal());
        let whole = whole
            .and_then(|(path, tag)| Some((RepositoryPath::new(path).ok()?, Tag::new(tag).ok()?)));
        if let Some((path, tag)) = &whole {
            match (host, registry.repositories.get_key_value(path)) {
                (Some(_), _) => {
                    if let Some(repository) = self.repository(path, findings) {
                        self.tag(path, repository, tag, findings);
                    }
                    return;
                }
                (None, Some((path, repository)))
                    if registry.listed_tag(repository, tag).is_some() =>
                {
                    self.tag(path, repository, tag, findings);
                    return;
                }
                // A whole name without a registry that is no name of this one is of another.
                (None, None) if registry.unread.is_empty() => return,
                (None, _) => {}
            }
        }
        let name = match host {
            Some(host) => format!("{host}/{pattern}:{tag}"),
            None => format!("{pattern}:{tag}"),
        };
        let message = match &whole {
            Some(_) => format!(
                "whether `{name}` is meant in this registry is not known: no registry stands before it, \
                 and {} has no such tag",
                registry.host
            ),
            None => format!(
                "which image is meant by `{name}` is not known, nor whether it is there: `*` stands for \
                 what is not known of its name"
            ),
        };
        let mut finding = self.finding(self.root.evidence.object.subject(), message);
        finding.unknown = true;
        finding.help = vec!["write the whole name of the image".to_owned()];
        findings.push(finding);
    }

    /// A digest without a repository.
    fn bare(&self, digest: &Digest, findings: &mut Vec<Finding>) {
        let mut all = self.input.registry.repositories.iter();
        let found = all.find(|(_, read)| read.manifests.contains_key(digest));
        if let Some((path, repository)) = found {
            self.manifest(path, repository, digest, findings);
            return;
        }
        let message = format!("whether {digest} is in this registry was not asked");
        let mut finding = self.finding(self.root.evidence.object.subject(), message);
        finding.unknown = true;
        finding.help = vec!["write the whole name of the image".to_owned()];
        findings.push(finding);
    }

    fn selection(
        &self,
        path: &RepositoryPath,
        repository: &Repository,
        selection: &Selection,
        findings: &mut Vec<Finding>,
    ) {
        let location = self.input.registry.location(path);
        if let Some(part) = self.input.registry.unread.first() {
            let message = format!(
                "what the image policy selects of {location} is not known: could not read {}: {}",
                part.what, part.reason
            );
            let mut finding = self.finding(self.subject(path, ""), message);
            finding.unknown = true;
            finding.help = vec!["ask again once the registry answers".to_owned()];
            findings.push(finding);
            return;
        }
        match selection {
            Selection::Selected(tags) => {
                for tag in tags {
                    self.tag(path, repository, tag, findings);
                }
            }
            Selection::Nothing => {
                let message = format!(
                    "the image policy selects none of the {} tags of {location}: no digest would be \
                     written, and nothing deployed",
                    repository.tags.len()
                );
                let mut finding = self.finding(self.subject(path, ""), message);
                finding.help = vec![
                    "run the build again that pushes a tag which the policy selects".to_owned(),
                    format!(
                        "or write an immutable tag into the release for the first deployment{}",
                        self.newest_build(repository)
                    ),
                ];
                findings.push(finding);
            }
            Selection::Unknown { reason, .. } => {
                let message =
                    format!("what the image policy selects of {location} is not known: {reason}");
                let mut finding = self.finding(self.subject(path, ""), message);
                finding.unknown = true;
                finding.help = vec!["mend the policy".to_owned()];
                findings.push(finding);
            }
        }
    }

    /// An immutable tag that there is, as a hint.
    fn newest_build(&self, repository: &Repository) -> String {
        let settings = self.input.settings;
        let builds = repository.tags.iter().filter(|(tag, reading)| {
            !settings.is_mutable(tag)
                && crate::registry::subject_of_tag(tag).is_none()
                && reading.present().is_some()
        });
        let newest = builds.max_by_key(|(tag, _)| crate::natural::natural_key(tag.as_str()));
        newest.map_or(String::new(), |(tag, _)| format!(", such as {tag}"))
    }

    fn tag(
        &self,
        path: &RepositoryPath,
        repository: &Repository,
        tag: &Tag,
        findings: &mut Vec<Finding>,
    ) {
        let name = format!("{}:{tag}", self.input.registry.location(path));
        let subject = self.subject(path, &format!(":{tag}"));
        let listed = self.input.registry.listed_tag(repository, tag);
        let digest = match listed.and_then(|listed| repository.tags.get(listed)) {
            Some(Reading::Present(digest)) => digest,
            Some(Reading::Unread(reason)) => {
                let message = format!("what {name} points to is not known: {reason}");
                let mut finding = self.finding(subject, message);
                finding.unknown = true;
                findings.push(finding);
                return;
            }
            Some(Reading::Absent) | None => {
                let unread = self.input.registry.unread.first();
                let message = match unread {
                    None => format!("there is no tag {name}"),
                    Some(part) => format!(
                        "whether there is a tag {name} is not known: could not read {}: {}",
                        part.what, part.reason
                    ),
                };
                let mut finding = self.finding(subject, message);
                finding.unknown = unread.is_some();
                finding.help = vec![
                    "run the build again that pushes it".to_owned(),
                    format!(
                        "or write an immutable tag into the release for the first deployment{}",
                        self.newest_build(repository)
                    ),
                ];
                findings.push(finding);
                return;
            }
        };
        self.manifest(path, repository, digest, findings);
        self.sibling(path, repository, tag, digest, findings);
        self.protection(path, tag, digest, findings);
    }

    /// The manifest, every platform's manifest in it, and their blobs.
    fn manifest(
        &self,
        path: &RepositoryPath,
        repository: &Repository,
        digest: &Digest,
        findings: &mut Vec<Finding>,
    ) {
        let mut todo: Vec<(&Digest, Option<&str>, usize)> = vec![(digest, None, 0)];
        let mut seen = BTreeSet::new();
        while let Some((at, platform, depth)) = todo.pop() {
            if !seen.insert(at) {
                continue;
            }
            if depth > DEPTH_LIMIT {
                let location = self.input.registry.location(path);
                let message = format!(
                    "whether all of {location}@{digest} is there is not known: indexes stand in it \
                     more than {DEPTH_LIMIT} deep"
                );
                let mut finding = self.finding(self.subject(path, &format!("@{digest}")), message);
                finding.unknown = true;
                finding.help = vec!["push the image as one index of its platforms".to_owned()];
                findings.push(finding);
                continue;
            }
            let of = platform.map_or(String::new(), |platform| format!(" for {platform}"));
            let what = format!("manifest{of} {}@{at}", self.input.registry.location(path));
            let Some(manifest) =
                self.present(path, digest, &what, repository.manifests.get(at), findings)
            else {
                continue;
            };
            for child in &manifest.children {
                let platform = child.platform.as_deref().or(platform);
                todo.push((&child.digest, platform, depth + 1));
            }
            if manifest.kind != ManifestKind::Index {
                self.blobs(path, repository, digest, manifest, &of, findings);
            }
        }
    }

    fn blobs(
        &self,
        path: &RepositoryPath,
        repository: &Repository,
        digest: &Digest,
        manifest: &Manifest,
        of: &str,
        findings: &mut Vec<Finding>,
    ) {
        let check = |what: &str, blob: &Descriptor, findings: &mut Vec<Finding>| {
            let location = self.input.registry.location(path);
            let what = format!("{what}{of} {} of {location}", blob.digest);
            let reading = repository.blobs.get(&blob.digest);
            self.present(path, digest, &what, reading, findings);
        };
        if let Some(config) = &manifest.config {
            check("configuration", config, findings);
        }
        for layer in &manifest.layers {
            check("layer", layer, findings);
        }
    }

    /// What is there; otherwise a finding about the image that it is a part of.
    fn present<'r, T>(
        &self,
        path: &RepositoryPath,
        digest: &Digest,
        what: &str,
        reading: Option<&'r Reading<T>>,
        findings: &mut Vec<Finding>,
    ) -> Option<&'r T> {
        let (message, unknown) = match reading {
            Some(Reading::Present(there)) => return Some(there),
            Some(Reading::Absent) => (format!("the {what} is not there: a pull would fail"), false),
            Some(Reading::Unread(reason)) => (
                format!("whether the {what} is there is not known: {reason}"),
                true,
            ),
            None => (format!("whether the {what} is there was not asked"), true),
        };
        let subject = self.subject(path, &format!("@{digest}"));
        let mut finding = self.finding(subject, message);
        finding.unknown = unknown;
        finding.help = vec![if unknown {
            "ask again once the registry answers".to_owned()
        } else {
            "run the build again that pushes the image: a part of it was deleted".to_owned()
        }];
        findings.push(finding);
        None
    }

    /// Whether an immutable tag points to the same digest: what to deploy if the floating one is gone.
    fn sibling(
        &self,
        path: &RepositoryPath,
        repository: &Repository,
        tag: &Tag,
        digest: &Digest,
        findings: &mut Vec<Finding>,
    ) {
        let settings = self.input.settings;
        let is_sibling = |(other, reading): (&Tag, &Reading<Digest>)| {
            !settings.is_mutable(other) && reading.present() == Some(digest)
        };
        if !settings.is_mutable(tag) || repository.tags.iter().any(is_sibling) {
            return;
        }
        let name = format!("{}:{tag}", self.input.registry.location(path));
        let message = format!(
            "no tag that stays points to the digest of {name}: once it is pushed anew, this image \
             cannot be named by a tag any more"
        );
        let subject = self.subject(path, &format!(":{tag}"));
        let mut finding = self.finding(subject, message);
        finding.severity = Severity::Warn;
        finding.help = vec!["have the build push a tag of its own for each build".to_owned()];
        findings.push(finding);
    }

    /// Whether the running cleaner keeps a tag that nothing runs.
    fn protection(
        &self,
        path: &RepositoryPath,
        tag: &Tag,
        digest: &Digest,
        findings: &mut Vec<Finding>,
    ) {
        let registry = self.input.registry;
        let keeps = |pins: &[Pin]| {
            let mut pins = pins.iter();
            pins.any(|pin| keeps(registry, pin, path, tag, digest))
        };
        let name = format!("{}:{tag}", self.input.registry.location(path));
        let line = pin_line(path, tag);
        let (message, help, unknown) = match self.input.running {
            RunningPins::NoCleaner => return,
            RunningPins::Read(pins) if keeps(pins) => return,
            RunningPins::Read(_) if keeps(self.input.declared) => (
                format!(
                    "{name} is pinned in the declared pins, and the running cleaner does not read \
                     that pin yet: declared, but not deployed"
                ),
                "deploy the cleaner anew, so that it reads the declared pins".to_owned(),
                false,
            ),
            RunningPins::Read(_) => (
                format!("no pin of the running cleaner keeps {name}"),
                format!("write `{line}` into the pins file, and deploy the cleaner anew"),
                false,
            ),
            RunningPins::Unread(reason) => (
                format!("whether the running cleaner keeps {name} is not known: {reason}"),
                "name what the running cleaner reads with --running".to_owned(),
                true,
            ),
        };
        let subject = self.subject(path, &format!(":{tag}"));
        let mut finding = self.finding(subject, message);
        finding.code = FLOATING_TAG_UNPROTECTED;
        finding.severity = Severity::Warn;
        finding.unknown = unknown;
        finding.help = vec![help];
        findings.push(finding);
    }
}

fn keeps(
    registry: &Registry,
    pin: &Pin,
    path: &RepositoryPath,
    tag: &Tag,
    digest: &Digest,
) -> bool {
    match &pin.target {
        PinTarget::Tags {
            repository,
            tag: tags,
        } => repository.matches(path.as_str()) && registry.tag_matches(tags, tag),
        PinTarget::Digest {
            repository,
            digest: pinned,
        } => repository.matches(path.as_str()) && pinned == digest,
        PinTarget::Package { .. } => false,
    }
}
