//! Semantic versions, and the ranges that Flux's image policies are written in.

mod constraint;
mod range;

use std::cmp::Ordering;

pub use range::{RangeError, VersionRange};

/// A version of three numbers, as tags carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub(crate) major: u64,
    pub(crate) minor: u64,
    pub(crate) patch: u64,
    /// What stands behind the dash; empty for a release.
    pub(crate) prerelease: String,
}

impl Version {
    /// Reads `1.2.3`, `v1.2.3`, `1.2.3-rc.1+build`: three numbers without leading zeros. What comes
    /// behind a plus is checked and forgotten, for it does not order versions.
    pub fn strict(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (numbers, prerelease) = match text.split_once('-') {
            Some((numbers, prerelease)) => (numbers, Some(prerelease)),
            None => (text, None),
        };
        let is_valid = |identifiers: &str| identifiers.split('.').all(is_identifier);
        if build.is_some_and(|build| !is_valid(build)) {
            return None;
        }
        if prerelease.is_some_and(|prerelease| !is_prerelease(prerelease)) {
            return None;
        }
        let mut numbers = numbers.split('.').map(|number| {
            let has_zero = number.len() > 1 && number.starts_with('0');
            if has_zero { None } else { whole_number(number) }
        });
        let version = Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            patch: numbers.next()??,
            prerelease: prerelease.unwrap_or_default().to_owned(),
        };
        numbers.next().is_none().then_some(version)
    }

    /// Which comes first; builds of one version are equal.
    pub fn precedence(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self)
            .cmp(&numbers(other))
            .then_with(|| compare_prereleases(&self.prerelease, &other.prerelease))
    }
}

/// Digits alone, no sign, and no more than fit.
fn whole_number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

/// Letters, digits and dashes.
fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Identifiers between dots; numbers among them without leading zeros.
fn is_prerelease(text: &str) -> bool {
    text.split('.').all(|identifier| {
        let is_number = identifier.bytes().all(|b| b.is_ascii_digit());
        is_identifier(identifier)
            && !(is_number && identifier.len() > 1 && identifier.starts_with('0'))
    })
}

/// A release is later than its prereleases.
fn compare_prereleases(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(left), Some(right)) => compare_identifiers(left, right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Numbers by value and before words, words by their bytes.
fn compare_identifiers(left: &str, right: &str) -> Ordering {
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match (is_number(left), is_number(right)) {
        // Without leading zeros, the longer number is the greater, however long.
        (true, true) => left.len().cmp(&right.len()).then_with(|| left.cmp(right)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => left.cmp(right),
    }
}
