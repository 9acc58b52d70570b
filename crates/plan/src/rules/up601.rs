#![doc = include_str!("docs/UP601.md")]

use serde_json::Value;
use underpin_model::{Code, Evidence, FieldExpression, FieldPath, Finding, ObjectKey, Severity};

use crate::{
    Context, FieldConflict,
    context::evidence_of,
    rules::Rule,
    wording::{change_it_in_git, count, list},
};

/// Characters of a value shown.
const VALUE_SHOWN: usize = 80;

/// The rule's code.
pub const CODE: Code = Code(601);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "field-conflict",
    summary: "another field manager owns a field that the plan would set to another value",
    documentation: include_str!("docs/UP601.md"),
    check: Some(check),
    survey: None,
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let conflicts = context.plan.conflicts.iter();
    conflicts
        .map(|(key, conflicts)| finding(context, key, conflicts))
        .collect()
}

fn finding(context: &Context<'_>, key: &ObjectKey, conflicts: &[FieldConflict]) -> Finding {
    let mut managers: Vec<&str> = conflicts.iter().map(|one| one.manager.as_str()).collect();
    managers.sort_unstable();
    managers.dedup();
    let verb = if managers.len() == 1 { "owns" } else { "own" };
    let message = format!(
        "{} {verb} {} of {key} that this plan would set to another value",
        list(&managers),
        count(conflicts.len(), "field")
    );
    let subject = key.subject();
    let mut finding = Finding::new(CODE, Severity::Block, subject.clone(), message);
    finding.evidence = conflicts
        .iter()
        .map(|conflict| evidence(context, key, conflict))
        .collect();
    finding.place = finding.evidence.iter().find_map(|one| one.place.clone());
    finding.step = Some(key.clone());
    let live = context.before.get(key);
    let in_git = live.and_then(|live| change_it_in_git(live, context.before));
    let take = match &in_git {
        // What is taken over from somebody who applies it again and again does not stay.
        Some(_) => "once nobody else applies it, to take the fields over",
        None => "to take the fields over",
    };
    finding.help = in_git.into_iter().collect();
    finding.help.extend([
        format!("{take}: --adopt {subject}"),
        "to leave them as they are live: name them under `ignoreFields:` in the stack file"
            .to_owned(),
        "or remove them from the manifest".to_owned(),
    ]);
    finding
}

fn evidence(context: &Context<'_>, key: &ObjectKey, conflict: &FieldConflict) -> Evidence {
    let note = match values(context, key, conflict) {
        Some(values) => format!("owned by {}: {values}", conflict.manager),
        None => format!("owned by {}", conflict.manager),
    };
    // The server writes `.spec.replicas`.
    let path = FieldPath::new(conflict.field.trim_start_matches('.'));
    match context.step(key).and_then(|step| step.desired.as_ref()) {
        Some(desired) => desired.evidence(path, note),
        None => Evidence {
            path,
            ..evidence_of(context, key, note)
        },
    }
}

/// Both sides of a conflict about a single value, where it can be told; never a Secret's.
fn values(context: &Context<'_>, key: &ObjectKey, conflict: &FieldConflict) -> Option<String> {
    if key.kind.is("", "Secret") {
        return None;
    }
    // The server writes `.spec.containers[name="web"].image`.
    let path = conflict.field.trim_start_matches('.').replace("=\"", "=");
    let path: FieldExpression = path.replace("\"]", "]").parse().ok()?;
    let desired = context.step(key)?.desired.as_ref()?;
    let live = path.get(&context.before.get(key)?.value)?;
    let declared = path.get(&desired.value)?;
    let single = |value: &Value| !value.is_object() && !value.is_array();
    (single(live) && single(declared)).then(|| {
        let live = shortened(&live.to_string());
        format!("{live} live, {} declared", shortened(&declared.to_string()))
    })
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= VALUE_SHOWN {
        return text.to_owned();
    }
    text.chars().take(VALUE_SHOWN).chain(['…']).collect()
}
