//! Acceptances: `--accept UP101:namespace/wallet --reason …`, narrow and recorded.

use std::{collections::BTreeMap, str::FromStr};

use underpin_model::{AcceptedFinding, Code, Finding, ParseCodeError};

/// A text that is not `CODE:subject`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AcceptanceError {
    /// There is no colon, or nothing after it.
    #[error("`{0}` does not say what is accepted; write CODE:subject, such as UP101:namespace/wallet")]
    NoSubject(String),
    /// The code is not one.
    #[error(transparent)]
    Code(#[from] ParseCodeError),
}

/// One acceptance as written on the command line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acceptance {
    /// The rule.
    pub code: Code,
    /// The subject of the finding, exactly.
    pub subject: String,
}

impl FromStr for Acceptance {
    type Err = AcceptanceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((code, subject)) if !subject.is_empty() => {
                Ok(Self { code: code.parse()?, subject: subject.to_owned() })
            }
            _ => Err(AcceptanceError::NoSubject(text.to_owned())),
        }
    }
}

/// What was accepted for one run, and why.
#[derive(Clone, Debug, Default)]
pub struct Acceptances {
    accepted: BTreeMap<Acceptance, String>,
}

impl Acceptances {
    /// Acceptances with their one reason.
    pub fn new(accepted: impl IntoIterator<Item = Acceptance>, reason: &str) -> Self {
        Self { accepted: accepted.into_iter().map(|one| (one, reason.to_owned())).collect() }
    }

    /// Whether a finding of this rule about this subject is accepted.
    pub fn covers(&self, code: Code, subject: &str) -> bool {
        self.accepted.contains_key(&Acceptance { code, subject: subject.to_owned() })
    }

    /// Marks the findings that are accepted and returns the acceptances that matched none.
    pub fn mark(&self, findings: &mut [Finding]) -> Vec<Acceptance> {
        let mut unused = Vec::new();
        for (acceptance, reason) in &self.accepted {
            let mut used = false;
            for finding in findings.iter_mut() {
                if finding.code == acceptance.code && finding.subject == acceptance.subject {
                    finding.accepted = Some(reason.clone());
                    used = true;
                }
            }
            if !used {
                unused.push(acceptance.clone());
            }
        }
        unused
    }

    /// The accepted findings, for the claim's history.
    pub fn record(&self) -> Vec<AcceptedFinding> {
        let records = self.accepted.iter().map(|(acceptance, reason)| AcceptedFinding {
            code: acceptance.code,
            subject: acceptance.subject.clone(),
            reason: reason.clone(),
        });
        records.collect()
    }
}
