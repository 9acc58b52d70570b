//! For people.

use underpin_model::{Evidence, Finding, wording};
use underpin_source::Diagnostic;

use super::{Checked, Excerpts, code};
use crate::render::style::{self, BOLD, DIM, paint};

/// Pieces of evidence shown of one finding; JSON has all of them.
const EVIDENCE_SHOWN: usize = 12;
/// Places shown with their line beside the one to blame.
const EXCERPTS_SHOWN: usize = 4;
/// What was not looked into is listed up to here; JSON has all of it.
const OPAQUE_SHOWN: usize = 5;

/// What a check found, each with the line that is to blame.
pub(crate) fn text(checked: &Checked) -> String {
    let mut text = String::new();
    for diagnostic in &checked.diagnostics {
        text.push_str(&problem(diagnostic, &checked.excerpts));
    }
    for one in &checked.findings {
        text.push_str(&finding(one, &checked.excerpts));
    }
    if checked.show_suppressed {
        for one in &checked.suppressed {
            let by = &one.by;
            let code = paint(BOLD, &code(&one.finding));
            text.push_str(&format!(
                "{} {code} {}\n    {}\n    {} {}: {}\n\n",
                paint(DIM, "suppressed"),
                one.finding.subject,
                one.finding.message,
                paint(DIM, "at"),
                by.place,
                by.reason
            ));
        }
    }
    text.push_str(&opaque(checked));
    for one in &checked.notes {
        text.push_str(&format!("{} {one}\n", style::note("note:")));
    }
    text.push_str(&summary(checked));
    text
}

fn problem(diagnostic: &Diagnostic, excerpts: &Excerpts) -> String {
    let mut text = crate::render::text::one_diagnostic(diagnostic);
    let shown = excerpts.show(&diagnostic.place, "");
    // The first line is the place, which stands above already.
    text.extend(shown.lines().skip(1).map(|line| format!("{line}\n")));
    text
}

fn finding(finding: &Finding, excerpts: &Excerpts) -> String {
    let severity = style::severity(finding.severity, false);
    let code = paint(BOLD, &code(finding));
    let mut text = format!("{severity} {code} {}\n", finding.subject);
    text.push_str(&format!("    {}\n", finding.message));
    let place = finding.place.as_ref();
    let is_to_blame = |one: &&Evidence| place.is_some() && one.place.as_ref() == place;
    if let Some(place) = place {
        let label = finding.evidence.iter().find(is_to_blame);
        let label = label.map_or("", |evidence| evidence.note.as_str());
        text.push_str(&excerpts.show(place, label));
    }
    let others: Vec<&Evidence> = finding
        .evidence
        .iter()
        .filter(|one| !is_to_blame(one))
        .collect();
    let mut shown = 0;
    for evidence in others.iter().take(EVIDENCE_SHOWN) {
        text.push_str(&format!("    {} {evidence}\n", paint(DIM, "because")));
        let Some(place) = evidence.place.as_ref().filter(|_| shown < EXCERPTS_SHOWN) else {
            continue;
        };
        shown += 1;
        let lines = excerpts.show(place, "");
        text.extend(lines.lines().skip(1).map(|line| format!("{line}\n")));
    }
    if others.len() > EVIDENCE_SHOWN {
        let more = others.len() - EVIDENCE_SHOWN;
        text.push_str(&format!("    … {more} more (--output json shows all)\n"));
    }
    for help in &finding.help {
        text.push_str(&format!("    {} {help}\n", paint(BOLD, "help:")));
    }
    text.push('\n');
    text
}

fn opaque(checked: &Checked) -> String {
    let mut text = String::new();
    for (place, what) in checked.opaque.iter().take(OPAQUE_SHOWN) {
        text.push_str(&format!("{} {place}: {what}\n", style::note("note:")));
    }
    if checked.opaque.len() > OPAQUE_SHOWN {
        let more = checked.opaque.len() - OPAQUE_SHOWN;
        text.push_str(&format!("… {more} more (--output json shows all)\n"));
    }
    text
}

fn summary(checked: &Checked) -> String {
    let mut read = Vec::new();
    if checked.stack_files > 0 || (checked.loose == 0 && checked.besides.is_empty()) {
        read.push(wording::count(checked.stack_files, "stack file"));
    }
    if checked.loose > 0 {
        read.push(wording::count(checked.loose, "object"));
    }
    read.extend(checked.besides.iter().cloned());
    let counts = [
        (checked.diagnostics.len(), "error"),
        (checked.findings.len(), "finding"),
    ];
    let mut found: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| wording::count(count, noun))
        .collect();
    if found.is_empty() {
        found.push("nothing found".to_owned());
    }
    if !checked.suppressed.is_empty() {
        let hint = if checked.show_suppressed {
            ""
        } else {
            " (--show-suppressed lists them)"
        };
        found.push(format!("{} suppressed{hint}", checked.suppressed.len()));
    }
    let since = match &checked.since {
        Some(commit) => format!(" since {}", commit.get(..12).unwrap_or(commit)),
        None => String::new(),
    };
    format!("{} checked{since}: {}\n", read.join(", "), found.join(", "))
}
