//! The parts of a reference: host, repository, tag.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{NAME_LENGTH, ReferenceError, TAG_LENGTH, is_host};

/// The port that is meant where none is written.
const DEFAULT_PORT: &str = ":443";

/// The host of a registry, with its port where that is not 443; in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(Arc<str>);

/// The path of a repository in its registry, such as `team/web`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryPath(Arc<str>);

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(Arc<str>);

/// A repository of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The registry.
    pub host: Host,
    /// The repository.
    pub repository: RepositoryPath,
}

impl Host {
    /// Reads a host name, an IPv4 address or an IPv6 address in brackets, with or without a port.
    pub fn new(text: &str) -> Result<Self, ReferenceError> {
        let lower = text.to_ascii_lowercase();
        let (host, port) = split_port(&lower)?;
        if let Some(port) = port {
            let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
            if !is_port || port.parse::<u16>().is_err() {
                return Err(ReferenceError::Host("the port is not a number of a port"));
            }
        }
        if !host.starts_with('[') {
            host.split('.').try_for_each(label)?;
        }
        let short = lower.strip_suffix(DEFAULT_PORT);
        Ok(Self(short.unwrap_or(&lower).into()))
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Splits host and port; an IPv6 address is checked here, for only its brackets tell its colons
/// from that of the port.
fn split_port(text: &str) -> Result<(&str, Option<&str>), ReferenceError> {
    if let Some(rest) = text.strip_prefix('[') {
        let end = rest.find(']');
        let end = end.ok_or(ReferenceError::Host("a bracket is opened and not closed"))?;
        if rest[..end].parse::<std::net::Ipv6Addr>().is_err() {
            return Err(ReferenceError::Host(
                "no IPv6 address stands in the brackets",
            ));
        }
        let (host, behind) = text.split_at(end + 2);
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if behind.is_empty() => Ok((host, None)),
            None => Err(ReferenceError::Host("something stands behind the brackets")),
        };
    }
    Ok(match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    })
}

/// One part of a host name between dots.
fn label(label: &str) -> Result<(), ReferenceError> {
    if label.is_empty() {
        return Err(ReferenceError::Host("nothing stands between its dots"));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(ReferenceError::Host(
            "a part of it begins or ends with a dash",
        ));
    }
    let odd = label
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != '-');
    odd.map_or(Ok(()), |odd| Err(ReferenceError::HostCharacter(odd)))
}

impl RepositoryPath {
    /// Reads a path: parts between slashes, each of letters and digits in lower case, which single
    /// dots, one or two underscores, and any number of dashes may divide.
    pub fn new(text: &str) -> Result<Self, ReferenceError> {
        if text.len() > NAME_LENGTH {
            return Err(ReferenceError::NameLength(text.len()));
        }
        text.split('/').try_for_each(path_part)?;
        Ok(Self(text.into()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this repository or lies in it as in a folder: `team` holds `team/web` and not
    /// `teamster/web`. A slash may end the text.
    pub fn is_below(&self, folder: &str) -> bool {
        let rest = self.0.strip_prefix(folder.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The last part of the path: the name of the image.
    pub fn last_part(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

fn path_part(part: &str) -> Result<(), ReferenceError> {
    if part.is_empty() {
        return Err(ReferenceError::Repository(
            "a part of the repository is empty",
        ));
    }
    for c in part.chars() {
        match c {
            'a'..='z' | '0'..='9' | '.' | '_' | '-' => {}
            c if c.is_uppercase() => return Err(ReferenceError::UpperCase(c)),
            c => return Err(ReferenceError::RepositoryCharacter(c)),
        }
    }
    let is_word = |c: char| c.is_ascii_alphanumeric();
    if !part.starts_with(is_word) || !part.ends_with(is_word) {
        return Err(ReferenceError::Repository(
            "a part of the repository begins or ends with a dot, an underscore or a dash",
        ));
    }
    let mut between = part.split(is_word).filter(|signs| !signs.is_empty());
    let fits =
        |signs: &str| matches!(signs, "." | "_" | "__") || signs.bytes().all(|sign| sign == b'-');
    if between.all(fits) {
        return Ok(());
    }
    Err(ReferenceError::Repository(
        "dots, underscores and dashes in the repository follow each other in a way that registries \
         do not take",
    ))
}

impl Tag {
    /// Reads a tag: letters, digits and underscores, behind the first also dots and dashes.
    pub fn new(text: &str) -> Result<Self, ReferenceError> {
        let first = text.chars().next().ok_or(ReferenceError::EmptyTag)?;
        if ".-".contains(first) {
            return Err(ReferenceError::TagCharacter(first));
        }
        let odd = text
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !"_.-".contains(*c));
        if let Some(odd) = odd {
            return Err(ReferenceError::TagCharacter(odd));
        }
        if text.len() > TAG_LENGTH {
            return Err(ReferenceError::TagLength(text.len()));
        }
        Ok(Self(text.into()))
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! text {
    ($($name:ident)*) => {
        $(
            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl TryFrom<String> for $name {
                type Error = ReferenceError;

                fn try_from(text: String) -> Result<Self, Self::Error> {
                    Self::new(&text)
                }
            }

            impl From<$name> for String {
                fn from(name: $name) -> Self {
                    name.0.as_ref().to_owned()
                }
            }
        )*
    };
}

text! { Host RepositoryPath Tag }

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, repository } = self;
        // A single word stands for a host in capitals alone, which is not how hosts are kept.
        let port = if is_host(host.as_str()) {
            ""
        } else {
            DEFAULT_PORT
        };
        write!(f, "{host}{port}/{repository}")
    }
}
