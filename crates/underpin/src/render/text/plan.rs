//! A plan: where, which steps with which changes, what stands in the way.

use std::collections::BTreeMap;

use serde_json::Value;
use underpin_model::{
    Action, FieldChange, KeepReason, LogicalKey, ObjectKey, Step, Unvalidated, wording,
};
use underpin_plan::{Plan, Problem, Purpose};

use super::findings::findings;
use crate::render::{
    Judged,
    style::{self, BOLD, DIM, paint},
};

/// Field changes shown of one object; JSON has all of them.
pub(super) const CHANGES_SHOWN: usize = 30;
/// Characters of a value shown; JSON has all of them.
const VALUE_SHOWN: usize = 120;

/// The whole plan.
pub(crate) fn plan<'a>(judged: impl Into<Judged<'a>>) -> String {
    let judged = judged.into();
    let plan = judged.plan;
    let cluster = &judged.world.cluster;
    let what = match plan.purpose {
        Purpose::Up => "plan",
        Purpose::Down => "teardown",
    };
    let mut text = format!(
        "{} of {}/{} in namespace {} (context {}, {})\n",
        paint(BOLD, what),
        plan.stack,
        plan.environment,
        plan.placement.placement.namespace,
        cluster.context,
        cluster.version
    );
    if plan.purpose == Purpose::Up
        && let Some(note) = plan.placement.note()
    {
        text.push_str(&format!("note: {note}\n"));
    }
    let mut steps: String = shown(&plan.steps).map(one_step).collect();
    steps.extend(plan.dropped.iter().map(dropped));
    if !steps.is_empty() {
        text.push_str(&format!("\n{steps}"));
    }
    text.push_str(&format!("\n{}\n", totals(plan)));
    if !judged.world.unread.is_empty() {
        text.push_str("\nnot read completely (what depends on it is unknown):\n");
        for unread in &judged.world.unread {
            text.push_str(&format!("  {unread}\n"));
        }
    }
    text.push_str(&not_said(&plan.steps));
    if !plan.problems.is_empty() || !judged.verdict.findings.is_empty() {
        text.push('\n');
    }
    for problem in &plan.problems {
        text.push_str(&one_problem(problem));
    }
    text.push_str(&findings(&judged.verdict.findings));
    text
}

/// Everything but what is merely unchanged.
fn shown(steps: &[Step]) -> impl Iterator<Item = &Step> {
    steps
        .iter()
        .filter(|step| step.action != Action::Keep(KeepReason::Unchanged))
}

/// An entry that leaves the record without a step.
fn dropped((logical, why): (&LogicalKey, &String)) -> String {
    let kind = &logical.kind;
    let name = &logical.name;
    format!(
        "  {} forget {kind}/{name}{}\n",
        paint(DIM, "="),
        paint(DIM, &format!(": {why}"))
    )
}

fn one_step(step: &Step) -> String {
    let unvalidated = if step.action.applies() && !step.validated {
        paint(DIM, " (not server-validated)")
    } else {
        String::new()
    };
    let (mark, name) = match &step.unseen {
        // Whether it would be created, changed or left as it is, nobody knows.
        Some(_) => (paint(BOLD, "?"), "apply"),
        None => (style::mark(&step.action), step.action.name()),
    };
    let mut text = format!(
        "  {mark} {name} {}{}{unvalidated}\n",
        step.key,
        paint(DIM, &format!(": {}", step.reason)),
    );
    for change in step.changes.iter().take(CHANGES_SHOWN) {
        text.push_str(&format!("      {}\n", one_change(change)));
    }
    if step.changes.len() > CHANGES_SHOWN {
        let more = step.changes.len() - CHANGES_SHOWN;
        text.push_str(&format!("      … {more} more (--output json shows all)\n"));
    }
    text
}

/// What the server has not said. What the plan itself makes first is no reason to tell.
fn not_said(steps: &[Step]) -> String {
    let no_right = by_reason(steps, |why| match why {
        Unvalidated::NoRight(right) => Some(format!("no right to {right}")),
        Unvalidated::NoAnswer(_) | Unvalidated::TooEarly(_) => None,
    });
    let no_answer = by_reason(steps, |why| match why {
        Unvalidated::NoAnswer(said) => Some(said.clone()),
        Unvalidated::NoRight(_) | Unvalidated::TooEarly(_) => None,
    });
    let mut text = String::new();
    if !no_right.is_empty() {
        text.push_str(
            "\nnot asked of the server (what it would refuse, default, or take over from others is \
             unknown):\n",
        );
        text.push_str(&no_right);
    }
    if !no_answer.is_empty() {
        text.push_str("\nasked of the server, without an answer that holds:\n");
        text.push_str(&no_answer);
    }
    text
}

/// A line for each reason, with the objects that it is about.
fn by_reason(steps: &[Step], reason: impl Fn(&Unvalidated) -> Option<String>) -> String {
    let mut reasons: BTreeMap<String, Vec<&ObjectKey>> = BTreeMap::new();
    for step in steps {
        if let Some(reason) = step.unvalidated.as_ref().and_then(&reason) {
            reasons.entry(reason).or_default().push(&step.key);
        }
    }
    let lines = reasons
        .into_iter()
        .map(|(reason, keys)| format!("  {}: {reason}\n", wording::list(&keys)));
    lines.collect()
}

pub(super) fn one_change(change: &FieldChange) -> String {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            format!("{}: {} → {}", change.path, short(before), short(after))
        }
        (None, Some(after)) => format!("{}: + {}", change.path, short(after)),
        (Some(before), None) => format!("{}: - {}", change.path, short(before)),
        (None, None) => change.path.to_string(),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= VALUE_SHOWN {
        return text;
    }
    let head: String = text.chars().take(VALUE_SHOWN).collect();
    format!("{head}…")
}

fn totals(plan: &Plan) -> String {
    let count = |name: &str| {
        let seen = plan.steps.iter().filter(|step| step.unseen.is_none());
        seen.filter(|step| step.action.name() == name).count()
    };
    let unseen = plan.steps.iter().filter(|step| step.unseen.is_some());
    let names = ["create", "update", "replace", "adopt", "delete", "keep"];
    let parts: Vec<String> = names
        .iter()
        .map(|name| (*name, count(name)))
        .chain([
            ("forget", plan.dropped.len()),
            ("apply with unknown effect", unseen.count()),
        ])
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} to {name}"))
        .collect();
    match parts.as_slice() {
        [] => "nothing declared, nothing recorded".to_owned(),
        [kept] if kept.ends_with("keep") => format!("nothing to change, {kept}"),
        parts => parts.join(", "),
    }
}

fn one_problem(problem: &Problem) -> String {
    let place = problem
        .place
        .as_ref()
        .map(|place| format!("{place}: "))
        .unwrap_or_default();
    // Some messages begin with the object, some are about one of its fields.
    let key = problem.key.to_string();
    let subject = if problem.message.contains(&key) {
        String::new()
    } else {
        format!("{key}: ")
    };
    let error = style::error("error:");
    let mut text = format!("{place}{error} {subject}{}\n", problem.message);
    if let Some(help) = &problem.help {
        text.push_str(&format!("    {} {help}\n", paint(BOLD, "help:")));
    }
    text
}

/// How a plan ends when it is not carried out.
pub(super) fn refusal(judged: Judged<'_>) -> String {
    let blocking = judged
        .verdict
        .findings
        .iter()
        .filter(|finding| finding.blocks())
        .count();
    let parts: Vec<String> = [
        (judged.plan.problems.len(), "error"),
        (blocking, "blocking finding"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, noun)| wording::count(count, noun))
    .collect();
    format!("{}: nothing was changed\n", parts.join(", "))
}
