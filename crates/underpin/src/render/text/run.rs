//! What came of a run.

use underpin_deploy::{Outcome, Planned, Summary};
use underpin_plan::Purpose;

use super::{
    counted,
    findings::findings,
    plan::{plan, refusal},
};
use crate::render::style;

/// How the run ended. The plan was shown before; a refused one is shown here.
pub(crate) fn outcome(command: &str, outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(planned) => format!("{}{}", plan(planned), refusal(planned)),
        Outcome::Settled(planned) => settled(planned),
        Outcome::Ran(planned, summary) => ran(command, planned, summary),
    }
}

fn settled(planned: &Planned) -> String {
    let plan = &planned.plan;
    let name = format!("{}/{}", plan.stack, plan.environment);
    let namespace = &plan.placement.placement.namespace;
    let mut text = findings(&planned.verdict.findings);
    if let (Purpose::Up, Some(note)) = (plan.purpose, plan.placement.note()) {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(&match plan.purpose {
        Purpose::Up => format!(
            "{name} is up to date in namespace {namespace}: {} unchanged\n",
            counted(plan.steps.len(), "object")
        ),
        Purpose::Down => format!("{name} is torn down already; nothing more can be deleted\n"),
    });
    text.push_str(&kept_by_plan(planned));
    text
}

fn ran(command: &str, planned: &Planned, summary: &Summary) -> String {
    let mut text = String::new();
    for failure in &summary.failures {
        text.push_str(&format!(
            "{} {}: {}\n",
            style::error("failed:"),
            failure.key,
            failure.message
        ));
    }
    for (namespace, why) in &summary.kept {
        text.push_str(&format!(
            "kept namespace {namespace}: {why}\n    `underpin status --kept` shows it, `underpin down --kept` deletes it once it is empty\n"
        ));
    }
    let left = summary.left(planned.plan.changing());
    let done = counted(summary.done(), "change");
    if let Some(reason) = summary.stopped {
        text.push_str(&format!(
            "{command} stopped ({reason}): {done} made, {} left\n",
            left.len()
        ));
        for key in left {
            text.push_str(&format!("    left: {key}\n"));
        }
        text.push_str("run the same command again to continue\n");
    } else if summary.is_complete() {
        text.push_str(&format!("{command} done: {done}\n"));
    } else {
        text.push_str(&format!(
            "{command} incomplete: {done} made, {} left; run again to retry\n",
            left.len()
        ));
    }
    text
}

/// Namespaces that a teardown keeps by plan.
fn kept_by_plan(planned: &Planned) -> String {
    if planned.plan.purpose == Purpose::Up {
        return String::new();
    }
    let steps = planned
        .plan
        .steps
        .iter()
        .filter(|step| step.key.is_namespace());
    steps
        .map(|step| format!("kept namespace {}: {}\n", step.key.name, step.reason))
        .collect()
}
