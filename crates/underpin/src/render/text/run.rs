//! What came of a run.

use underpin_deploy::{Held, StepResult, Summary};
use underpin_model::{NamespaceProvenance, ObjectKey, wording};
use underpin_plan::Purpose;

use super::{
    failure,
    findings::findings,
    plan::{plan, refusal},
};
use crate::render::{
    Ended, Judged,
    style::{BOLD, paint},
};

/// How the run ended. The plan was shown before; a refused one is shown here.
pub(crate) fn outcome(command: &str, judged: Judged<'_>, ended: Ended<'_>) -> String {
    match ended {
        Ended::Refused => format!("{}{}", plan(judged), refusal(judged)),
        Ended::Settled => settled(judged),
        Ended::Ran(summary) => ran(command, judged, summary),
    }
}

fn settled(judged: Judged<'_>) -> String {
    let plan = judged.plan;
    let name = format!("{}/{}", plan.stack, plan.environment);
    let namespace = &plan.placement.placement.namespace;
    let mut text = findings(&judged.verdict.findings);
    if let (Purpose::Up, Some(note)) = (plan.purpose, plan.placement.note()) {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(&match plan.purpose {
        Purpose::Up => format!(
            "{name} is up to date in namespace {namespace}: {} unchanged\n",
            wording::count(plan.steps.len(), "object")
        ),
        Purpose::Down => format!("{name} is torn down already; nothing more can be deleted\n"),
    });
    text.push_str(&kept_by_plan(judged));
    text
}

fn ran(command: &str, judged: Judged<'_>, summary: &Summary) -> String {
    let mut text = String::new();
    for failure in &summary.failures {
        text.push_str(&failure::failure(failure));
    }
    text.push_str(&still_going(summary));
    for (namespace, why) in &summary.kept {
        text.push_str(&format!("kept namespace {namespace}: {why}\n"));
        if !was_there_before(judged, namespace) {
            text.push_str(
                "    `underpin status --kept` shows it, `underpin down --kept` deletes it once it \
                 is empty\n",
            );
        }
    }
    let left = summary.left(judged.plan.changing());
    let done = wording::count(summary.done(), "change");
    text.push_str(&match summary.stopped {
        Some(reason) => {
            format!(
                "{command} stopped ({reason}): {done} made, {} left\n",
                left.len()
            )
        }
        None if summary.is_carried_out() => match going(summary).count() {
            0 => format!("{command} done: {done}\n"),
            left => {
                let left = wording::count(left, "object");
                format!("{command} not done yet: {done} made, {left} still being deleted\n")
            }
        },
        None => format!("{command} incomplete: {done} made, {} left\n", left.len()),
    });
    if summary.is_carried_out() {
        // What is still being deleted was told of above.
        return text;
    }
    for key in left {
        text.push_str(&format!("    left: {key}\n"));
    }
    if summary.stopped.is_some() {
        text.push_str("run the same command again to continue\n");
    } else {
        text.push_str("remove the cause and run the same command again\n");
    }
    text
}

/// What the server has begun to delete, and what holds it.
fn going(summary: &Summary) -> impl Iterator<Item = (&ObjectKey, &Held)> {
    summary
        .results
        .iter()
        .filter_map(|(key, result)| match result {
            StepResult::Terminating(held) => Some((key, held)),
            _ => None,
        })
}

/// Objects that something still holds. Namespaces wait for these, and are told of as kept.
fn still_going(summary: &Summary) -> String {
    let mut text = String::new();
    for (key, held) in going(summary).filter(|(key, _)| !key.is_namespace()) {
        text.push_str(&format!("still being deleted: {key}, held by {held}\n"));
        let (kind, name) = (&key.kind, &key.name);
        let namespace = key.namespace.as_ref();
        let within = namespace.map(|namespace| format!(" -n {namespace}"));
        let within = within.unwrap_or_default();
        let help = paint(BOLD, "help:");
        if held.by_others() {
            text.push_str(&format!(
                "    {help} whoever set it removes it when all is done that it stands for; wait, and run \
                 the same command again\n    {help} where nobody does that any more: `kubectl patch \
                 {kind}/{name}{within} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}'`\n"
            ));
        } else {
            text.push_str(&format!(
                "    {help} Kubernetes waits for what still uses it; `kubectl describe \
                 {kind}/{name}{within}` may tell what that is\n"
            ));
        }
    }
    text
}

/// Whether a namespace is the environment's home and was there before it: nobody's leak.
fn was_there_before(judged: Judged<'_>, namespace: &str) -> bool {
    let home = &judged.plan.placement.placement;
    home.namespace == namespace && home.provenance == NamespaceProvenance::Existing
}

/// Namespaces that a teardown keeps by plan.
fn kept_by_plan(judged: Judged<'_>) -> String {
    if judged.plan.purpose == Purpose::Up {
        return String::new();
    }
    let steps = judged
        .plan
        .steps
        .iter()
        .filter(|step| step.key.is_namespace());
    steps
        .map(|step| format!("kept namespace {}: {}\n", step.key.name, step.reason))
        .collect()
}
