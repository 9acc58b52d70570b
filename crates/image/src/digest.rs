//! Digests: the hash of a manifest's or blob's bytes, which is its name.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};
use underpin_model::hexadecimal;

/// The algorithms that registries use, with the length of their hashes in hexadecimal digits.
const ALGORITHMS: &[(&str, usize)] = &[("sha256", 64), ("sha512", 128)];

/// A digest such as `sha256:…`, in lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(Arc<str>);

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon in it.
    #[error("a digest is written as `sha256:` and 64 hexadecimal digits")]
    NoAlgorithm,
    /// An algorithm that is not one of the known ones.
    #[error("the digest is of `{0}`, and only sha256 and sha512 are known")]
    Algorithm(String),
    /// The hash is too long or too short.
    #[error("the digest has {found} digits after `{algorithm}:` instead of {expected}")]
    Length {
        /// The algorithm.
        algorithm: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Something that is no hexadecimal digit in lower case.
    #[error("the digest holds {0:?}, which is no hexadecimal digit in lower case")]
    Character(char),
}

impl Digest {
    /// The SHA-256 digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let hash = hexadecimal(&Sha256::digest(bytes));
        Self(format!("sha256:{hash}").into())
    }

    /// Whether these bytes have this digest.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        let hash = match self.algorithm() {
            "sha512" => hexadecimal(&Sha512::digest(bytes)),
            _ => hexadecimal(&Sha256::digest(bytes)),
        };
        hash == self.encoded()
    }

    /// The digest as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `sha256`.
    pub fn algorithm(&self) -> &str {
        self.0
            .split_once(':')
            .map_or("", |(algorithm, _)| algorithm)
    }

    /// The hash in hexadecimal digits.
    pub fn encoded(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, encoded)| encoded)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, encoded) = text.split_once(':').ok_or(DigestError::NoAlgorithm)?;
        let known = ALGORITHMS.iter().find(|(algorithm, _)| *algorithm == name);
        let (algorithm, expected) =
            *known.ok_or_else(|| DigestError::Algorithm(crate::excerpt(name)))?;
        let is_digit = |c: &char| matches!(c, '0'..='9' | 'a'..='f');
        if let Some(odd) = encoded.chars().find(|c| !is_digit(c)) {
            return Err(DigestError::Character(odd));
        }
        let found = encoded.len();
        if found != expected {
            return Err(DigestError::Length {
                algorithm,
                expected,
                found,
            });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0.as_ref().to_owned()
    }
}
