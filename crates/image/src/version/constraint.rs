//! One condition of a range, and the versions that fulfil it.

use std::cmp::Ordering;

use super::{RangeError, Version, is_prerelease, whole_number};

/// How a version is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Tilde,
    Caret,
}

/// A version as a range writes it, with what is left out or a placeholder.
pub(super) struct Written<'t> {
    pub(super) text: &'t str,
    pub(super) numbers: [&'t str; 3],
    pub(super) prerelease: &'t str,
}

/// How many of the three numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    /// None: `*`.
    Nothing,
    /// `1`, `1.x`.
    Major,
    /// `1.2`, `1.2.x`.
    Minor,
    /// `1.2.3`.
    Patch,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Constraint {
    operator: Operator,
    bound: Version,
    precision: Precision,
}

impl Constraint {
    pub(super) fn new(operator: Operator, written: &Written<'_>) -> Result<Self, RangeError> {
        let error = || RangeError::Version(written.text.to_owned());
        let is_open = |text: &str| matches!(text, "" | "x" | "X" | "*");
        let open = written.numbers.iter().position(|number| is_open(number));
        let precision = match open {
            Some(0) => Precision::Nothing,
            Some(1) => Precision::Major,
            Some(_) => Precision::Minor,
            None => Precision::Patch,
        };
        if !written.prerelease.is_empty() && !is_prerelease(written.prerelease) {
            return Err(error());
        }
        let known = open.unwrap_or(written.numbers.len());
        let number = |at: usize| {
            if at < known {
                whole_number(written.numbers[at]).ok_or_else(error)
            } else {
                Ok(0)
            }
        };
        Ok(Self {
            operator,
            bound: Version {
                major: number(0)?,
                minor: number(1)?,
                patch: number(2)?,
                prerelease: written.prerelease.to_owned(),
            },
            precision,
        })
    }

    pub(super) fn names_prerelease(&self) -> bool {
        !self.bound.prerelease.is_empty()
    }

    /// Whether a version fulfils it, prereleases let in.
    pub(super) fn holds(&self, version: &Version) -> bool {
        let is_exact = self.precision == Precision::Patch;
        let order = version.precedence(&self.bound);
        match self.operator {
            Operator::Equal if is_exact => order == Ordering::Equal,
            Operator::Equal | Operator::Tilde => self.tilde(version),
            Operator::NotEqual => self.differs(version),
            Operator::Greater if is_exact => order == Ordering::Greater,
            Operator::Greater => self.is_beyond(version),
            Operator::GreaterEqual => order != Ordering::Less,
            Operator::Less => order == Ordering::Less,
            Operator::LessEqual if is_exact => order != Ordering::Greater,
            Operator::LessEqual => self.is_up_to(version),
            Operator::Caret => self.caret(version),
        }
    }

    fn is_same_major(&self, version: &Version) -> bool {
        version.major == self.bound.major
    }

    fn is_same_minor(&self, version: &Version) -> bool {
        self.is_same_major(version) && version.minor == self.bound.minor
    }

    /// From the version on, as long as what is written before its last number stays.
    fn tilde(&self, version: &Version) -> bool {
        if version.precedence(&self.bound) == Ordering::Less {
            return false;
        }
        let bound = &self.bound;
        let is_zero = (bound.major, bound.minor, bound.patch) == (0, 0, 0);
        match self.precision {
            // `~0.0.0` lets everything in, as a placeholder does.
            Precision::Nothing => true,
            Precision::Patch if is_zero => true,
            Precision::Major => self.is_same_major(version),
            Precision::Minor | Precision::Patch => self.is_same_minor(version),
        }
    }

    /// From the version on, as long as its first number that is not zero stays.
    fn caret(&self, version: &Version) -> bool {
        if version.precedence(&self.bound) == Ordering::Less {
            return false;
        }
        let bound = &self.bound;
        if bound.major > 0 || self.precision == Precision::Major {
            return self.is_same_major(version);
        }
        if bound.minor > 0 || self.precision == Precision::Minor {
            return self.is_same_minor(version);
        }
        self.is_same_minor(version) && version.patch == bound.patch
    }

    fn differs(&self, version: &Version) -> bool {
        match self.precision {
            Precision::Patch => version.precedence(&self.bound) != Ordering::Equal,
            Precision::Major => !self.is_same_major(version),
            Precision::Minor => {
                let has_prerelease = !version.prerelease.is_empty() || self.names_prerelease();
                !self.is_same_minor(version)
                    || has_prerelease && version.prerelease != self.bound.prerelease
            }
            // Of a placeholder alone, the zeros that stand for it are compared.
            Precision::Nothing => {
                !self.is_same_minor(version) || version.patch != 0 || {
                    version.prerelease != self.bound.prerelease
                }
            }
        }
    }

    /// Beyond everything that the written numbers stand for: `>11` begins with 12.
    fn is_beyond(&self, version: &Version) -> bool {
        let bound = &self.bound;
        match self.precision {
            Precision::Major => version.major > bound.major,
            Precision::Minor => (version.major, version.minor) > (bound.major, bound.minor),
            Precision::Nothing | Precision::Patch => {
                version.major > bound.major
                    || self.is_same_major(version) && version.precedence(bound) == Ordering::Greater
            }
        }
    }

    /// Up to the end of what the written numbers stand for: `<=11` ends before 12.
    fn is_up_to(&self, version: &Version) -> bool {
        let bound = &self.bound;
        match self.precision {
            Precision::Major => version.major <= bound.major,
            _ => (version.major, version.minor) <= (bound.major, bound.minor),
        }
    }
}
