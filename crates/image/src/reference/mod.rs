//! References to images: `registry.example.com:5000/team/web:1.2@sha256:…`.

mod name;

use std::{fmt, str::FromStr};

pub use name::{Host, Location, RepositoryPath, Tag};

use crate::digest::{Digest, DigestError};

/// The longest name, host included, that registries take.
const NAME_LENGTH: usize = 255;
/// The longest tag.
const TAG_LENGTH: usize = 128;
/// Where names without a host live.
const HUB: &str = "docker.io";
/// The name under which the same registry was known before.
const OLD_HUB: &str = "index.docker.io";
/// Where the hub keeps images of one word.
const HUB_LIBRARY: &str = "library/";
/// The tag that is meant where none is written, nor a digest.
const DEFAULT_TAG: &str = "latest";

/// A reference to an image, with everything that is left out in short forms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Registry and repository.
    pub location: Location,
    /// The tag, if one is written.
    pub tag: Option<Tag>,
    /// The digest, if one is written. It decides what is pulled, whatever the tag.
    pub digest: Option<Digest>,
}

/// Why a text is no reference to an image. Never repeats the text, which may be anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing is written.
    #[error("nothing is written where an image is named")]
    Empty,
    /// A hash without a name.
    #[error("64 hexadecimal digits are the id of an image, and no name")]
    Identifier,
    /// A variable that nobody substituted, or a template that nobody rendered.
    #[error("it holds {0:?}: a variable or template that was not filled in")]
    Template(char),
    /// A character that the host cannot hold.
    #[error("the host of the registry holds {0:?}")]
    HostCharacter(char),
    /// The host is no host, as one that ends in a dash.
    #[error("the host of the registry is not one: {0}")]
    Host(&'static str),
    /// An upper-case letter in the repository.
    #[error("the repository holds {0:?}; repositories are in lower case")]
    UpperCase(char),
    /// A character that a repository cannot hold.
    #[error("the repository holds {0:?}")]
    RepositoryCharacter(char),
    /// Signs in the repository that stand where they cannot.
    #[error("{0}")]
    Repository(&'static str),
    /// A character that a tag cannot hold, or begin with.
    #[error("the tag holds {0:?}")]
    TagCharacter(char),
    /// No tag after the colon.
    #[error("there is no tag after the colon")]
    EmptyTag,
    /// A tag that no registry takes.
    #[error("the tag has {0} characters, and at most 128 are possible")]
    TagLength(usize),
    /// A name that no registry takes.
    #[error("the name has {0} characters, and at most 255 are possible")]
    NameLength(usize),
    /// What stands behind the `@`.
    #[error("{0}")]
    Digest(#[from] DigestError),
}

/// What a node says that it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageId {
    /// An image of a repository.
    Image(Reference),
    /// A digest without a repository: of a manifest, or of the configuration in one.
    Bare(Digest),
}

impl Reference {
    /// The tag that is pulled; `None` where a digest is written, which is pulled instead.
    pub fn pulled_tag(&self) -> Option<Tag> {
        match (&self.digest, &self.tag) {
            (Some(_), _) => None,
            (None, Some(tag)) => Some(tag.clone()),
            (None, None) => Tag::new(DEFAULT_TAG).ok(),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some(sign) = text.chars().find(|c| "${}<>%".contains(*c)) {
            return Err(ReferenceError::Template(sign));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(rest);
        let tag = tag.map(Tag::new).transpose()?;
        let location = name.parse()?;
        Ok(Self {
            location,
            tag,
            digest,
        })
    }
}

/// The tag stands behind the last colon, unless that belongs to the port of a host.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !tag.contains(']') => (name, Some(tag)),
        _ => (text, None),
    }
}

impl FromStr for Location {
    type Err = ReferenceError;

    /// Reads a name without tag and digest, short forms of the hub included.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ReferenceError::Identifier);
        }
        let (host, path) = match name.split_once('/') {
            Some((first, path)) if is_host(first) => (first, path),
            _ => (HUB, name),
        };
        let host = match Host::new(host)? {
            old if old.as_str() == OLD_HUB => Host::new(HUB)?,
            host => host,
        };
        let is_short = host.as_str() == HUB && !path.contains('/');
        let path = if is_short {
            RepositoryPath::new(&format!("{HUB_LIBRARY}{path}"))?
        } else {
            RepositoryPath::new(path)?
        };
        let length = host.as_str().len() + 1 + path.as_str().len();
        if length > NAME_LENGTH {
            return Err(ReferenceError::NameLength(length));
        }
        Ok(Self {
            host,
            repository: path,
        })
    }
}

/// Whether what stands before the first slash is a host and not a part of the repository.
pub(crate) fn is_host(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':', '['])
        || first.chars().any(|c| c.is_ascii_uppercase())
}

impl FromStr for ImageId {
    type Err = ReferenceError;

    /// Reads what containers' statuses hold, whatever the runtime puts before it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        match text.parse::<Digest>() {
            Ok(digest) => Ok(Self::Bare(digest)),
            Err(_) => text.parse().map(Self::Image),
        }
    }
}

/// The whole name: what is left out in short forms is written out, but no tag is added.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.location)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}
