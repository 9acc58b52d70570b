//! Needs with their verdicts: refused ones first, with what says so.

use underpin_connect::{Flow, Verdict};
use underpin_model::{Need, wording};
use underpin_plan::connectivity::JudgedNeed;

use super::{
    csv::field,
    text::{left_out, nearest_of, reasons, verdict},
};
use crate::{
    commands::reach::{Needs, Side},
    render::style::{DIM, paint},
};

/// Fields shown of one need, and policies that refuse it; JSON has all of them.
const EVIDENCE_SHOWN: usize = 4;
/// Problems shown; JSON has all of them.
const PROBLEMS_SHOWN: usize = 8;

/// All needs.
pub(crate) fn text(side: &Side, needs: &Needs) -> String {
    let judged = &needs.judged;
    let count = |verdict| judged.iter().filter(|one| one.verdict == verdict).count();
    let mut text = format!(
        "{} ({}): {} refused, {} unknown, {} allowed\n",
        wording::count(judged.len(), "need"),
        side.name,
        count(Verdict::Refused),
        count(Verdict::Unknown),
        count(Verdict::Allowed)
    );
    for one in judged {
        text.push_str(&format!(
            "\n{}: {} ({})\n",
            verdict(one.verdict),
            one.need,
            one.need.confidence.name()
        ));
        text.push_str(&because(&one.need));
        text.push_str(&reasons(&one.reasons));
        if one.verdict == Verdict::Refused {
            text.push_str(&refusal(one));
        }
    }
    if !needs.suppressed.is_empty() {
        text.push_str("\nsaid to be no needs\n");
    }
    for one in &needs.suppressed {
        text.push_str(&format!(
            "  {}: {} ({})\n",
            one.need, one.reason, one.evidence
        ));
    }
    if !needs.problems.is_empty() {
        text.push_str("\nincomplete: there may be more needs\n");
    }
    for problem in needs.problems.iter().take(PROBLEMS_SHOWN) {
        text.push_str(&format!("  {}\n", problem.evidence));
    }
    if needs.problems.len() > PROBLEMS_SHOWN {
        let more = needs.problems.len() - PROBLEMS_SHOWN;
        text.push_str(&format!("  … {more} more (--output json shows all)\n"));
    }
    text.push_str(&left_out(side));
    text
}

/// What says that it is needed.
pub(super) fn because(need: &Need) -> String {
    let mut text = String::new();
    if let Some(reason) = &need.reason {
        text.push_str(&format!("  needed for: {reason}\n"));
    }
    for evidence in need.evidence.iter().take(EVIDENCE_SHOWN) {
        text.push_str(&format!("  {} {evidence}\n", paint(DIM, "needed, because")));
    }
    if need.evidence.len() > EVIDENCE_SHOWN {
        let more = need.evidence.len() - EVIDENCE_SHOWN;
        text.push_str(&format!("  … {more} more (--output json shows all)\n"));
    }
    text
}

/// What refuses it, and what comes nearest to allowing it.
pub(super) fn refusal(judged: &JudgedNeed) -> String {
    let flows: Vec<&Flow> = judged
        .judgements
        .iter()
        .flat_map(|one| &one.answer.flows)
        .collect();
    let traces = flows.iter().flat_map(|flow| [&flow.egress, &flow.ingress]);
    let refusing = traces.filter(|trace| trace.verdict == Verdict::Refused);
    let mut lines: Vec<String> = Vec::new();
    let mut nearest: Vec<String> = Vec::new();
    for trace in refusing {
        use underpin_connect::Effect::{Denies, Isolates, Selects};
        let told = trace.lines.iter();
        for line in told.filter(|line| matches!(line.effect, Selects | Denies | Isolates)) {
            push(&mut lines, format!("  refused by {}\n", line.evidence));
        }
        if let Some(difference) = nearest_of(trace) {
            push(
                &mut nearest,
                format!("  nearest miss: {}\n", difference.evidence),
            );
        }
    }
    lines.truncate(EVIDENCE_SHOWN);
    nearest.truncate(1);
    lines.concat() + &nearest.concat()
}

fn push(lines: &mut Vec<String>, line: String) {
    if !lines.contains(&line) {
        lines.push(line);
    }
}

/// A line per need.
pub(crate) fn csv(needs: &Needs) -> String {
    let mut text = String::from("verdict,confidence,from,to,protocol,port,because\n");
    for one in &needs.judged {
        let need = &one.need;
        let port = need.port.as_ref().map(ToString::to_string);
        let because: Vec<String> = need.evidence.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "{},{},{},{},{},{},{}\n",
            one.verdict,
            need.confidence.name(),
            field(&need.from.to_string()),
            field(&need.to.to_string()),
            need.protocol,
            field(&port.unwrap_or_default()),
            field(&because.join("; "))
        ));
    }
    text
}
