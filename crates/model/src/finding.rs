//! Findings: what a rule says, with evidence and a way out.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Evidence, ObjectKey, Owner, Place};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// A standing risk, or something that was already so.
    Warn,
    /// The plan is refused.
    Block,
}

impl Severity {
    /// The name in output and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Block => "block",
        }
    }
}

/// A rule's code such as `UP101`. A public contract: never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(pub u16);

/// A text that is not `UP` and three digits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a rule code such as UP101")]
pub struct ParseCodeError(String);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UP{:03}", self.0)
    }
}

impl FromStr for Code {
    type Err = ParseCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("UP").or_else(|| text.strip_prefix("up"));
        digits
            .filter(|digits| digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| ParseCodeError(text.to_owned()))
    }
}

impl TryFrom<String> for Code {
    type Error = ParseCodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

/// What would die in a cascade and belongs to one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CascadeGroup {
    /// Whose the objects are.
    pub owner: Owner,
    /// The objects, sorted.
    pub objects: Vec<ObjectKey>,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub code: Code,
    /// Its weight here.
    pub severity: Severity,
    /// Whether the rule could not be decided because a source was not read completely.
    pub unknown: bool,
    /// The thing it is about, as `--accept CODE:subject` names it; see [`ObjectKey`]'s display.
    pub subject: String,
    /// One or two sentences: what happens, to what, why that is bad.
    pub message: String,
    /// The place in the declared files, if one is to blame.
    pub place: Option<Place>,
    /// Facts that a person can check.
    pub evidence: Vec<Evidence>,
    /// Everything that would die, by owner.
    pub cascade: Vec<CascadeGroup>,
    /// The object whose step it concerns.
    pub step: Option<ObjectKey>,
    /// What to do, in commands where possible; one way out each.
    pub help: Vec<String>,
    /// The reason given by whoever accepted it.
    pub accepted: Option<String>,
}

impl Finding {
    /// A finding about `subject`; add evidence and help with the fields.
    pub fn new(code: Code, severity: Severity, subject: String, message: String) -> Self {
        Self {
            code,
            severity,
            unknown: false,
            subject,
            message,
            place: None,
            evidence: Vec::new(),
            cascade: Vec::new(),
            step: None,
            help: Vec::new(),
            accepted: None,
        }
    }

    /// Takes the ways out away that accept it by name: it is accepted already, or there is no run
    /// that could accept anything.
    pub fn offer_no_acceptance(&mut self) {
        self.help.retain(|way| !way.contains("--accept "));
    }

    /// Whether it stops the plan.
    pub fn blocks(&self) -> bool {
        self.severity == Severity::Block && self.accepted.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_parse_back_and_nothing_else_does() {
        assert_eq!("UP101".parse(), Ok(Code(101)));
        assert_eq!(Code(101).to_string(), "UP101");
        for text in ["", "101", "UP", "UP1", "UP1011", "UPx01", "UP+10"] {
            assert!(text.parse::<Code>().is_err(), "{text}");
        }
    }
}
