//! Findings: code, message, evidence, the whole cascade by owner, the way out.

use underpin_model::{CascadeGroup, Finding, wording};

use crate::render::style::{self, BOLD, DIM, paint};

/// Pieces of evidence shown of one finding; JSON has all of them.
const EVIDENCE_SHOWN: usize = 12;
/// Objects shown of one owner in a cascade; JSON has all of them.
const CASCADE_SHOWN: usize = 40;

pub(crate) fn findings(findings: &[Finding]) -> String {
    findings.iter().map(finding).collect()
}

fn finding(finding: &Finding) -> String {
    let unknown = if finding.unknown { "?" } else { "" };
    let code = format!("{}{unknown}", finding.code);
    let severity = style::severity(finding.severity, finding.accepted.is_some());
    let mut text = format!("{severity} {} {}\n", paint(BOLD, &code), finding.subject);
    text.push_str(&format!("    {}\n", finding.message));
    if let Some(place) = &finding.place {
        text.push_str(&format!("    {} {place}\n", paint(DIM, "at")));
    }
    if let Some(reason) = &finding.accepted {
        text.push_str(&format!("    accepted: {reason}\n"));
    }
    for group in &finding.cascade {
        text.push_str(&cascade(group));
    }
    for evidence in finding.evidence.iter().take(EVIDENCE_SHOWN) {
        text.push_str(&format!("    {} {evidence}\n", paint(DIM, "because")));
    }
    if finding.evidence.len() > EVIDENCE_SHOWN {
        let more = finding.evidence.len() - EVIDENCE_SHOWN;
        text.push_str(&format!("    … {more} more (--output json shows all)\n"));
    }
    for help in &finding.help {
        text.push_str(&format!("    {} {help}\n", paint(BOLD, "help:")));
    }
    text.push('\n');
    text
}

fn cascade(group: &CascadeGroup) -> String {
    let count = wording::count(group.objects.len(), "object");
    let whose = if group.owner.is_claimed() { "of " } else { "" };
    let mut text = format!("    would take along, {whose}{}: {count}\n", group.owner);
    for object in group.objects.iter().take(CASCADE_SHOWN) {
        text.push_str(&format!("      {object}\n"));
    }
    if group.objects.len() > CASCADE_SHOWN {
        let more = group.objects.len() - CASCADE_SHOWN;
        text.push_str(&format!("      … {more} more (--output json shows all)\n"));
    }
    text
}
