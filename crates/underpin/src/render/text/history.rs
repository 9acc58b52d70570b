//! What was done to an environment, and what two revisions applied.

use underpin_deploy::{History, RevisionComparison};
use underpin_model::{FieldChange, HistoryRecord, ObjectKey, RevisionContent, wording};
use underpin_plan::Environment;

use super::plan::{CHANGES_SHOWN, one_change};
use crate::render::style::{self, BOLD, paint};

/// The newest runs, newest first.
pub(crate) fn history(environment: &Environment, history: &History, limit: usize) -> String {
    let name = environment.display_name();
    let context = &history.cluster.context;
    let records = history.claim.iter().flat_map(|claim| claim.history.iter());
    let records: Vec<&HistoryRecord> = records.rev().collect();
    let Some(claim) = &history.claim else {
        return format!("nothing is recorded for {name} in context {context}\n");
    };
    let mut text = format!(
        "{} of {name} (context {context}): {}, newest first\n",
        paint(BOLD, "history"),
        wording::count(records.len(), "run"),
    );
    for record in records.iter().take(limit) {
        text.push_str(&format!("\n{}", one_record(record)));
    }
    if records.len() > limit {
        let more = wording::count(records.len() - limit, "older run");
        text.push_str(&format!("\n… {more} (a higher --limit shows more)\n"));
    }
    if let Some(lock) = &claim.lock {
        text.push_str(&format!(
            "\na run is at work, or was cut: locked by {} since {}\n",
            lock.who, lock.acquired
        ));
    }
    text
}

fn one_record(record: &HistoryRecord) -> String {
    let number = match record.revision {
        Some(number) => format!("revision {number}"),
        None => "without a number".to_owned(),
    };
    let mut text = format!(
        "{}  {}  {}: {}\n    by {}\n",
        paint(BOLD, &number),
        record.at,
        record.command,
        record.outcome,
        record.who
    );
    if let Some(changed) = record.changed {
        text.push_str(&format!(
            "    {} changed\n",
            wording::count(changed, "object")
        ));
    }
    for one in &record.accepted {
        text.push_str(&format!(
            "    accepted {}:{}: {}\n",
            one.code, one.subject, one.reason
        ));
    }
    if let Some(RevisionContent::NotKept(why)) = &record.content {
        text.push_str(&format!("    not for `diff`: {why}\n"));
    }
    text
}

/// What differs between what two revisions applied.
pub(crate) fn diff(environment: &Environment, compared: &RevisionComparison) -> String {
    let diff = &compared.diff;
    let mut text = format!(
        "{} of what {} applied\n  - {}\n  + {}\n\n",
        paint(BOLD, "difference"),
        environment.display_name(),
        heading(&compared.from),
        heading(&compared.to),
    );
    let one = |mark: String, key: &ObjectKey| format!("  {mark} {key}\n");
    for key in &diff.added {
        text.push_str(&one(style::added(), key));
    }
    for key in &diff.removed {
        text.push_str(&one(style::removed(), key));
    }
    for (key, changes) in &diff.changed {
        text.push_str(&one(style::changed(), key));
        text.push_str(&fields(changes));
    }
    if !diff.is_empty() {
        text.push('\n');
    }
    let parts: Vec<String> = [
        (diff.added.len(), "added"),
        (diff.removed.len(), "removed"),
        (diff.changed.len(), "changed"),
        (diff.unchanged, "the same"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    text.push_str(&match parts.as_slice() {
        [] => "neither applied anything\n".to_owned(),
        parts => format!("{}\n", parts.join(", ")),
    });
    if !compared.secrets_comparable {
        text.push_str(
            "note: the fingerprint key was replaced in between: all secrets look changed\n",
        );
    }
    text
}

fn heading(record: &HistoryRecord) -> String {
    let number = record.revision.unwrap_or_default();
    format!("revision {number} of {} by {}", record.at, record.who)
}

fn fields(changes: &[FieldChange]) -> String {
    let shown = changes.iter().take(CHANGES_SHOWN);
    let mut text: String = shown
        .map(|change| format!("      {}\n", one_change(change)))
        .collect();
    if changes.len() > CHANGES_SHOWN {
        let more = changes.len() - CHANGES_SHOWN;
        text.push_str(&format!("      … {more} more (--output json shows all)\n"));
    }
    text
}
