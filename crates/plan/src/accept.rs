//! Acceptances: `--accept UP101:namespace/wallet --reason …`, narrow and recorded.

use std::{collections::BTreeMap, str::FromStr};

use underpin_model::{AcceptedFinding, Code, Finding, ParseCodeError};

/// A text that is not `CODE:subject`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AcceptanceError {
    /// There is no colon, or nothing after it.
    #[error(
        "`{0}` does not say what is accepted; write CODE:subject, such as UP101:namespace/wallet"
    )]
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
            Some((code, subject)) if !subject.is_empty() => Ok(Self {
                code: code.parse()?,
                subject: subject.to_owned(),
            }),
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
        Self {
            accepted: accepted
                .into_iter()
                .map(|one| (one, reason.to_owned()))
                .collect(),
        }
    }

    /// Acceptances as they were recorded.
    pub fn of_records(records: &[AcceptedFinding]) -> Self {
        let accepted = records.iter().map(|record| {
            let acceptance = Acceptance {
                code: record.code,
                subject: record.subject.clone(),
            };
            (acceptance, record.reason.clone())
        });
        Self {
            accepted: accepted.collect(),
        }
    }

    /// Whether a finding of this rule about this subject is accepted.
    pub fn covers(&self, code: Code, subject: &str) -> bool {
        self.accepted.contains_key(&Acceptance {
            code,
            subject: subject.to_owned(),
        })
    }

    /// Marks the findings that are accepted, whose help no longer offers that, and returns the
    /// acceptances that matched none.
    pub fn mark(&self, findings: &mut [Finding]) -> Vec<Acceptance> {
        let mut unused = Vec::new();
        for (acceptance, reason) in &self.accepted {
            let mut used = false;
            for finding in findings.iter_mut() {
                if finding.code == acceptance.code && finding.subject == acceptance.subject {
                    finding.accepted = Some(reason.clone());
                    finding.offer_no_acceptance();
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
        let records = self
            .accepted
            .iter()
            .map(|(acceptance, reason)| AcceptedFinding {
                code: acceptance.code,
                subject: acceptance.subject.clone(),
                reason: reason.clone(),
            });
        records.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use underpin_model::Severity;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<(u16, &str)>) {
        let found: Result<Acceptance, AcceptanceError> = text.parse();
        let found = found.ok().map(|one| (one.code.0, one.subject));
        assert_eq!(
            found,
            expect.map(|(code, subject)| (code, subject.to_owned())),
            "{text}"
        );
    }

    #[test]
    fn an_acceptance_is_a_code_and_a_subject() {
        check("UP101:namespace/wallet", Some((101, "namespace/wallet")));
        check("up110:wallet/production", Some((110, "wallet/production")));
        check(
            "UP109:clusterrole.rbac.authorization.k8s.io/system:reader",
            Some((109, "clusterrole.rbac.authorization.k8s.io/system:reader")),
        );
        for text in [
            "",
            "UP101",
            "UP101:",
            ":namespace/wallet",
            "101:x",
            "UP1:x",
            "UP101 :x",
        ] {
            check(text, None);
        }
    }

    /// An acceptance covers its own finding, and one that covers nothing is told.
    #[test]
    fn acceptances_are_narrow() {
        let finding = |code: u16, subject: &str| {
            Finding::new(
                Code(code),
                Severity::Block,
                subject.to_owned(),
                String::new(),
            )
        };
        let accepted = ["UP101:namespace/a", "UP103:namespace/a"].map(|text| text.parse().unwrap());
        let acceptances = Acceptances::new(accepted, "tested");
        let mut findings = [
            finding(101, "namespace/a"),
            finding(101, "namespace/ab"),
            finding(102, "namespace/a"),
        ];
        let unused = acceptances.mark(&mut findings);
        assert_eq!(
            findings.map(|finding| finding.blocks()),
            [false, true, true]
        );
        assert_eq!(unused, ["UP103:namespace/a".parse().unwrap()]);
        assert_eq!(acceptances.record().len(), 2);
    }

    proptest! {
        #[test]
        fn every_code_and_subject_parses_back(code in 0_u16..1000, subject in "[a-z./:-]{1,30}") {
            let text = format!("{}:{subject}", Code(code));
            prop_assert_eq!(text.parse(), Ok(Acceptance { code: Code(code), subject }));
        }
    }
}
