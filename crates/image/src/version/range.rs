//! Ranges as Masterminds' semver reads them: `>=1.2, <2 || ~3.1 || 4.x || 5.0 - 5.4`.

use super::{
    Version,
    constraint::{Constraint, Operator, Written},
};

/// Ranges longer than this are refused; nobody writes them.
const LENGTH_LIMIT: usize = 4096;

/// A range of versions: alternatives, each of conditions that must all hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    alternatives: Vec<Alternative>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alternative {
    conditions: Vec<Constraint>,
    /// Prereleases count only where one of the conditions names one.
    prereleases: bool,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Something that is no condition.
    #[error("the range cannot be read from its character {0} on")]
    At(usize),
    /// A number that is too great, or a prerelease that is none.
    #[error("`{0}` in the range is no version")]
    Version(String),
    /// Far too long.
    #[error("the range has more than 4096 characters")]
    TooLong,
}

impl VersionRange {
    /// Reads a range.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        if text.len() > LENGTH_LIMIT {
            return Err(RangeError::TooLong);
        }
        let mut at = 0;
        let mut alternatives = Vec::new();
        for part in text.split("||") {
            let mut scanner = Scanner {
                text: part,
                rest: part,
                before: at,
            };
            let conditions = scanner.conditions()?;
            alternatives.push(Alternative {
                prereleases: conditions.iter().any(Constraint::names_prerelease),
                conditions,
            });
            at += part.len() + 2;
        }
        Ok(Self { alternatives })
    }

    /// Whether a version is in it.
    pub fn contains(&self, version: &Version) -> bool {
        self.alternatives.iter().any(|alternative| {
            (version.prerelease.is_empty() || alternative.prereleases)
                && alternative.conditions.iter().all(|one| one.holds(version))
        })
    }
}

struct Scanner<'t> {
    text: &'t str,
    rest: &'t str,
    /// How much of the whole range stands before `text`.
    before: usize,
}

impl<'t> Scanner<'t> {
    fn conditions(&mut self) -> Result<Vec<Constraint>, RangeError> {
        self.spaces();
        let mut conditions = Vec::new();
        loop {
            let was_hyphenated = self.condition(&mut conditions)?;
            let spaced = self.spaces();
            if self.rest.is_empty() {
                return Ok(conditions);
            }
            let comma = self.take(",");
            if comma {
                self.spaces();
            }
            if !spaced && !comma && !was_hyphenated {
                return Err(self.error());
            }
            // A hyphen range takes the space before it along, so that only a comma divides it from
            // what stands before.
            let hyphenated = self.clone_at().hyphen_range().is_ok();
            if hyphenated && !comma && !was_hyphenated {
                return Err(self.error());
            }
        }
    }

    /// One condition, or the two that a hyphen range stands for; says whether it was one.
    fn condition(&mut self, into: &mut Vec<Constraint>) -> Result<bool, RangeError> {
        let mut ahead = self.clone_at();
        if let Ok([from, to]) = ahead.hyphen_range() {
            into.push(Constraint::new(Operator::GreaterEqual, &from)?);
            into.push(Constraint::new(Operator::LessEqual, &to)?);
            self.rest = ahead.rest;
            return Ok(true);
        }
        let operator = self.operator();
        self.spaces();
        let written = self.written()?;
        into.push(Constraint::new(operator, &written)?);
        Ok(false)
    }

    fn hyphen_range(&mut self) -> Result<[Written<'t>; 2], RangeError> {
        let from = self.written()?;
        if !self.spaces() || !self.take("-") || !self.spaces() {
            return Err(self.error());
        }
        Ok([from, self.written()?])
    }

    fn operator(&mut self) -> Operator {
        const OPERATORS: &[(&str, Operator)] = &[
            ("!=", Operator::NotEqual),
            (">=", Operator::GreaterEqual),
            ("=>", Operator::GreaterEqual),
            ("<=", Operator::LessEqual),
            ("=<", Operator::LessEqual),
            ("~>", Operator::Tilde),
            ("=", Operator::Equal),
            (">", Operator::Greater),
            ("<", Operator::Less),
            ("~", Operator::Tilde),
            ("^", Operator::Caret),
        ];
        let found = OPERATORS.iter().find(|(sign, _)| self.take(sign));
        found.map_or(Operator::Equal, |(_, operator)| *operator)
    }

    /// One to three numbers or placeholders, a prerelease, a build.
    fn written(&mut self) -> Result<Written<'t>, RangeError> {
        let start = self.rest;
        self.take("v");
        let number = |c: char| c.is_ascii_digit() || "xX*".contains(c);
        let mut numbers = [""; 3];
        numbers[0] = self.while_some(number).ok_or_else(|| self.error())?;
        for next in &mut numbers[1..] {
            let mut ahead = self.clone_at();
            if !ahead.take(".") {
                break;
            }
            let Some(digits) = ahead.while_some(number) else {
                break;
            };
            *next = digits;
            self.rest = ahead.rest;
        }
        let prerelease = self.identifiers("-").unwrap_or_default();
        self.identifiers("+");
        let text = &start[..start.len() - self.rest.len()];
        Ok(Written {
            text,
            numbers,
            prerelease,
        })
    }

    /// Identifiers between dots, behind a sign.
    fn identifiers(&mut self, sign: &str) -> Option<&'t str> {
        let identifier = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let mut ahead = self.clone_at();
        if !ahead.take(sign) {
            return None;
        }
        let start = ahead.rest;
        ahead.while_some(identifier)?;
        loop {
            self.rest = ahead.rest;
            if !ahead.take(".") || ahead.while_some(identifier).is_none() {
                return Some(&start[..start.len() - self.rest.len()]);
            }
        }
    }

    fn clone_at(&self) -> Self {
        Self { ..*self }
    }

    fn take(&mut self, sign: &str) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn while_some(&mut self, fits: impl Fn(char) -> bool) -> Option<&'t str> {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!taken.is_empty()).then_some(taken)
    }

    /// Skips white space; says whether there was any.
    fn spaces(&mut self) -> bool {
        let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r');
        self.while_some(is_space).is_some()
    }

    fn error(&self) -> RangeError {
        RangeError::At(self.before + self.text.len() - self.rest.len() + 1)
    }
}
