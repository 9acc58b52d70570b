//! What an operator sets: how careful to be, and what was consented to.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{glob::Glob, reference::Tag, version::Version};

/// Digits in a row that make a tag one of a build: a date, or a number that counts builds.
const BUILD_DIGITS: usize = 5;
/// Digits of an abbreviated commit, at least and at most.
const COMMIT_DIGITS: std::ops::RangeInclusive<usize> = 7..=64;

/// How careful to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a manifest must have been seen before it may go.
    pub minimum_age: SignedDuration,
    /// How many of the newest images of a repository are kept in any case.
    pub minimum_kept: usize,
    /// How many percent of a repository's images one run may delete.
    pub maximum_share: usize,
    /// How many manifests one run may delete.
    pub maximum_number: usize,
    /// How far apart two runs must lie that both find that nothing needs an image.
    pub apart: SignedDuration,
    /// Tags that are never moved, beyond those that show it by their form.
    pub immutable_tags: Vec<Glob>,
    /// Tags that are moved, whatever their form.
    pub mutable_tags: Vec<Glob>,
    /// What was consented to.
    pub consents: Consents,
}

/// What an operator has looked at and found right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consents {
    /// Roots may be as few as this, whatever there was before.
    pub fewest_roots: Option<usize>,
    /// Sources that there are no longer, by name.
    pub sources_gone: BTreeSet<String>,
    /// Texts that cannot be read and mean nothing of this registry.
    pub foreign_texts: BTreeSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            minimum_age: SignedDuration::from_hours(7 * 24),
            minimum_kept: 5,
            maximum_share: 10,
            maximum_number: 200,
            apart: SignedDuration::from_hours(24),
            immutable_tags: Vec::new(),
            mutable_tags: Vec::new(),
            consents: Consents::default(),
        }
    }
}

impl Settings {
    /// Whether a tag may be pushed again with other content. One that does not show by its form
    /// that it names one build is taken to be: `staging`, `latest`, `7`, `release-1.2`.
    pub fn is_mutable(&self, tag: &Tag) -> bool {
        let is_among = |globs: &[Glob]| globs.iter().any(|glob| glob.matches(tag.as_str()));
        is_among(&self.mutable_tags) || !(is_among(&self.immutable_tags) || names_a_build(tag))
    }
}

/// Whether a tag has the form of a full version, a commit, a date or a number of a build.
fn names_a_build(tag: &Tag) -> bool {
    let text = tag.as_str();
    // What is said of a digest moves only with the digest.
    if crate::registry::subject_of_tag(tag).is_some() {
        return true;
    }
    if Version::strict(text).is_some() {
        return true;
    }
    let mut words = text.split(['-', '_', '.']);
    words.any(|word| {
        let is_hexadecimal = word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let is_commit = is_hexadecimal && COMMIT_DIGITS.contains(&word.len()) && digits > 0;
        let is_number = digits == word.len() && digits >= BUILD_DIGITS;
        is_commit || is_number
    })
}
