//! The verdict: every rule over the world before, the plan and the world after.

use underpin_model::{Claim, Finding, Severity, World};

use crate::{Acceptance, Acceptances, Context, Environment, Ownership, Plan, Recorded, rules};

/// What the rules say of a plan.
#[derive(Debug)]
pub struct Verdict {
    /// Findings, the heaviest first, then by code and subject.
    pub findings: Vec<Finding>,
    /// Acceptances that matched no finding: an error, for a typo must not pass for consent.
    pub unused: Vec<Acceptance>,
}

impl Verdict {
    /// Whether a finding stops the plan.
    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(Finding::blocks)
    }

    /// Whether there is a warning.
    pub fn has_warnings(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Warn)
    }
}

/// What is judged, and what is known besides.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// What is asked for; absent for `down`, which needs no stack file's contents.
    pub environment: Option<&'a Environment>,
    /// The environment's claim, unless it has none yet.
    pub claim: Option<&'a Claim>,
    /// The world as read.
    pub before: &'a World,
    /// What is going to be done.
    pub plan: &'a Plan,
    /// Whose every object is.
    pub ownership: &'a Ownership,
    /// What was accepted by name.
    pub acceptances: &'a Acceptances,
    /// Objects as other tools' states record them.
    pub recorded: &'a Recorded,
}

/// Judges a plan.
pub fn judge(case: Case<'_>) -> Verdict {
    let context = Context::new(case);
    let mut findings: Vec<Finding> = rules::RULES
        .iter()
        .filter_map(|rule| rule.check)
        .flat_map(|check| check(&context))
        .collect();
    let unused = case.acceptances.mark(&mut findings);
    sort_findings(&mut findings);
    Verdict { findings, unused }
}

/// The heaviest first, then by code and subject.
pub fn sort_findings(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (b.blocks(), b.severity, a.code, &a.subject, &a.message).cmp(&(
            a.blocks(),
            a.severity,
            b.code,
            &b.subject,
            &b.message,
        ))
    });
}
