//! The pins file: what is to be kept whatever needs it. A line each, `#` begins a comment:
//!
//! ```text
//! container/cms-plugins==staging       type/name==version; both may hold * and ?
//! npm/@team/widgets==1.*               every type of package that Gitea and Forgejo know
//! cms-plugins@sha256:…                 a digest in a repository of the configured owner
//! registry.example.com/team/web:1.2    the same, with the registry written out
//! ```

use std::{fmt, sync::Arc};

use underpin_model::{Place, listed, nearest};

use crate::{
    digest::Digest,
    glob::Glob,
    reference::{Host, Location, Reference, ReferenceError, RepositoryPath, is_host},
};

/// The type of packages that are images.
const CONTAINER: &str = "container";

/// Every type of package that Gitea and Forgejo know.
pub const PACKAGE_TYPES: &[&str] = &[
    "alpine",
    "alt",
    "arch",
    "cargo",
    "chef",
    "composer",
    "conan",
    "conda",
    CONTAINER,
    "cran",
    "debian",
    "generic",
    "go",
    "helm",
    "maven",
    "npm",
    "nuget",
    "pub",
    "pypi",
    "rpm",
    "rubygems",
    "swift",
    "terraform",
    "vagrant",
];

/// Lines longer than this are refused.
const LINE_LIMIT: usize = 1024;

/// What names in a pins file are read against.
#[derive(Clone, Debug)]
pub struct PinSettings<'a> {
    /// The registry that the pins are for.
    pub host: &'a Host,
    /// Other names of the same registry.
    pub aliases: &'a [Host],
    /// The owner whose packages are meant where only a name is written.
    pub owner: Option<&'a str>,
}

/// A line of a pins file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The line, without its comment.
    pub text: String,
    /// Where it stands.
    pub place: Place,
    /// What it keeps.
    pub target: PinTarget,
}

/// What a pin keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinTarget {
    /// Tags of repositories.
    Tags {
        /// The repositories, owner included.
        repository: Glob,
        /// The tags.
        tag: Glob,
    },
    /// A digest in repositories.
    Digest {
        /// The repositories, owner included.
        repository: Glob,
        /// The digest.
        digest: Digest,
    },
    /// Packages that are no images.
    Package {
        /// Their type, one of [`PACKAGE_TYPES`].
        kind: &'static str,
        /// Their names.
        name: Glob,
        /// Their versions.
        version: Glob,
    },
}

/// A line that cannot be read, or that says nothing of this registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinError {
    /// Where.
    pub place: Place,
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// `pins.txt:3:1: …`.
impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for PinError {}

/// What a pins file says, and what of it could not be read. A pin that could not be read may keep
/// anything: nothing may be deleted then.
pub fn read_pins(file: &str, text: &str, settings: &PinSettings<'_>) -> (Vec<Pin>, Vec<PinError>) {
    let file: Arc<str> = file.into();
    let (mut pins, mut errors) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.strip_prefix('\u{feff}').unwrap_or(text).lines()) {
        let written = line.split_once('#').map_or(line, |(before, _)| before);
        let indent = written.chars().take_while(|c| c.is_whitespace()).count();
        let written = written.trim();
        if written.is_empty() {
            continue;
        }
        let place = Place {
            file: Arc::clone(&file),
            line: number,
            column: u32::try_from(indent).map_or(u32::MAX, |indent| indent.saturating_add(1)),
        };
        match read_pin(written, settings) {
            Ok(target) => pins.push(Pin {
                text: written.to_owned(),
                place,
                target,
            }),
            Err((message, help)) => errors.push(PinError {
                place,
                message,
                help,
            }),
        }
    }
    (pins, errors)
}

type Refusal = (String, String);

fn read_pin(text: &str, settings: &PinSettings<'_>) -> Result<PinTarget, Refusal> {
    let refuse = |message: String, help: &str| Err((message, help.to_owned()));
    if text.len() > LINE_LIMIT {
        return refuse(
            format!(
                "the line has {} bytes, and at most {LINE_LIMIT} are read",
                text.len()
            ),
            "write one pin a line",
        );
    }
    if let Some(odd) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return refuse(
            format!("a pin holds {odd:?}"),
            "write one pin a line, and a comment after `#`",
        );
    }
    if let Some((package, version)) = text.split_once("==") {
        return package_pin(package, version, settings);
    }
    let first = text.split_once('/').map(|(first, _)| first);
    if first.is_some_and(is_host) {
        return whole_reference(text, settings);
    }
    let Some((name, digest)) = text.split_once('@') else {
        return refuse(
            format!("`{}` is no pin", crate::excerpt(text)),
            "write type/name==version, as `container/web==staging`, or repository@sha256:…",
        );
    };
    let digest = digest.parse().map_err(|error| {
        let message = format!("behind `@` there is no digest: {error}");
        (
            message,
            "write the digest as the registry tells it".to_owned(),
        )
    })?;
    Ok(PinTarget::Digest {
        repository: owned(name, settings)?,
        digest,
    })
}

fn package_pin(
    package: &str,
    version: &str,
    settings: &PinSettings<'_>,
) -> Result<PinTarget, Refusal> {
    let example = || "write type/name==version, as `container/web==staging`".to_owned();
    let Some((kind, name)) = package.split_once('/') else {
        return Err((
            format!("`{}` names no type of package", crate::excerpt(package)),
            example(),
        ));
    };
    let known = PACKAGE_TYPES.iter().find(|known| **known == kind);
    let Some(kind) = known else {
        let near = nearest(kind, PACKAGE_TYPES.iter().copied());
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the types are {}", listed(PACKAGE_TYPES.iter().copied())),
        };
        let kind = crate::excerpt(kind);
        return Err((format!("`{kind}` is no type of package"), help));
    };
    if name.is_empty() || version.is_empty() {
        let what = if name.is_empty() { "name" } else { "version" };
        return Err((format!("the pin has no {what}"), example()));
    }
    if *kind != CONTAINER {
        return Ok(PinTarget::Package {
            kind,
            name: Glob::new(name),
            version: Glob::new(version),
        });
    }
    let repository = owned(name, settings)?;
    match version.parse() {
        Ok(digest) => Ok(PinTarget::Digest { repository, digest }),
        Err(_) => Ok(PinTarget::Tags {
            repository,
            tag: pattern_of_tags(version)?,
        }),
    }
}

fn pattern_of_tags(text: &str) -> Result<Glob, Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-*?".contains(c);
    match text.chars().find(|c| !fits(*c)) {
        None => Ok(Glob::new(text)),
        Some(odd) => Err((
            format!("the version holds {odd:?}, and tags of images cannot"),
            "write the tag as the registry lists it".to_owned(),
        )),
    }
}

/// The repository of an owner's package.
fn owned(name: &str, settings: &PinSettings<'_>) -> Result<Glob, Refusal> {
    let Some(owner) = settings.owner else {
        return Err((
            format!(
                "whose `{}` is meant is not known: no owner is configured",
                crate::excerpt(name)
            ),
            format!(
                "configure the owner of the packages, or write `{}/OWNER/{}` out",
                settings.host,
                crate::excerpt(name)
            ),
        ));
    };
    let path = format!("{owner}/{name}").to_ascii_lowercase();
    let plain = path.replace(['*', '?'], "x");
    match RepositoryPath::new(&plain) {
        Ok(_) => Ok(Glob::new(path)),
        Err(error) => Err((
            format!("`{}` is no image: {error}", crate::excerpt(name)),
            "write the name of the image as the registry lists it".to_owned(),
        )),
    }
}

/// A reference with its registry.
fn whole_reference(text: &str, settings: &PinSettings<'_>) -> Result<PinTarget, Refusal> {
    let refused = |error: ReferenceError| {
        let message = format!("this is no reference to an image: {error}");
        (
            message,
            "write it as HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST".to_owned(),
        )
    };
    let pattern = text
        .rsplit_once(':')
        .filter(|(_, tag)| tag.contains(['*', '?']));
    let (location, tag, digest) = if let Some((name, tag)) = pattern {
        let tag = pattern_of_tags(tag)?;
        (name.parse().map_err(refused)?, Some(tag), None)
    } else {
        let reference: Reference = text.parse().map_err(refused)?;
        let tag = reference.tag.map(|tag| Glob::new(tag.as_str()));
        (reference.location, tag, reference.digest)
    };
    let Location { host, repository } = location;
    if host != *settings.host && !settings.aliases.contains(&host) {
        return Err((
            format!(
                "the pin is for the registry {host}, and this one is {}",
                settings.host
            ),
            format!(
                "take it out, or name {host} as another name of {}",
                settings.host
            ),
        ));
    }
    let repository = Glob::new(repository.as_str());
    match (digest, tag) {
        (Some(digest), _) => Ok(PinTarget::Digest { repository, digest }),
        (None, Some(tag)) => Ok(PinTarget::Tags { repository, tag }),
        (None, None) => Err((
            "the pin has neither tag nor digest".to_owned(),
            "write the tag, or `:*` for all".to_owned(),
        )),
    }
}
