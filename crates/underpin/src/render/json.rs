//! The JSON documents: one per command, each with its schema's name. A field is never renamed
//! within a version.

use serde_json::{Value, json};
use underpin_deploy::{
    Failure, History, Imported, KeptNamespace, NotReadyNow, RevisionComparison, Status, StepResult,
    Summary,
};
use underpin_model::{
    Claim, Evidence, FieldChange, Finding, HistoryRecord, ObjectKey, Place, RevisionContent, Step,
};
use underpin_plan::{Environment, Plan, Problem, Purpose, rules::Rule};
use underpin_readiness::diagnosis::{EventReport, Log, PodReport};
use underpin_source::Diagnostic;

use super::{Ended, Judged};
use crate::{Exit, commands::sandbox::Running, error::CommandError};

/// A command that failed.
pub(crate) fn error(command: &str, error: &CommandError) -> String {
    let mut document = head(command, error.exit());
    document["error"] = json!({
        "message": error.to_string(),
        "help": error.help(),
        "diagnostics": error.diagnostics().iter().map(diagnostic).collect::<Vec<_>>(),
    });
    if !error.movements().is_empty() {
        document["error"]["moved"] = error
            .movements()
            .iter()
            .map(|one| json!({"object": one.subject, "message": one.message}))
            .collect();
    }
    text(&document)
}

/// What `check` found.
pub(crate) fn check(
    exit: Exit,
    files: usize,
    diagnostics: &[Diagnostic],
    findings: &[Finding],
) -> String {
    let mut document = head("check", exit);
    document["stackFiles"] = json!(files);
    document["diagnostics"] = diagnostics.iter().map(diagnostic).collect();
    document["findings"] = findings.iter().map(finding).collect();
    text(&document)
}

/// A plan.
pub(crate) fn plan<'a>(command: &str, exit: Exit, judged: impl Into<Judged<'a>>) -> String {
    text(&plan_document(command, exit, judged.into()))
}

/// A plan that was frozen into a file.
pub(crate) fn frozen_plan<'a>(
    exit: Exit,
    judged: impl Into<Judged<'a>>,
    file: &str,
    covers_secrets: bool,
) -> String {
    let mut document = plan_document("plan", exit, judged.into());
    document["frozen"] = json!({"file": file, "coversSecrets": covers_secrets});
    text(&document)
}

/// What was done to an environment, newest first.
pub(crate) fn history(environment: &Environment, history: &History, limit: usize) -> String {
    let mut document = head("history", Exit::Done);
    document["stack"] = json!(environment.stack);
    document["environment"] = json!(environment.name);
    document["context"] = json!(history.cluster.context);
    let records = history.claim.iter().flat_map(|claim| claim.history.iter());
    document["total"] = json!(records.clone().count());
    document["revisions"] = records.rev().take(limit).map(revision).collect();
    text(&document)
}

fn revision(record: &HistoryRecord) -> Value {
    let (kept, why) = match &record.content {
        Some(RevisionContent::Stored(_)) => (true, None),
        Some(RevisionContent::NotKept(why)) => (false, Some(why)),
        None => (false, None),
    };
    json!({
        "revision": record.revision,
        "at": record.at,
        "who": record.who,
        "command": record.command,
        "outcome": record.outcome,
        "changed": record.changed,
        "accepted": record.accepted,
        "contentKept": kept,
        "contentNotKeptBecause": why,
    })
}

/// What differs between what two revisions applied.
pub(crate) fn diff(environment: &Environment, compared: &RevisionComparison) -> String {
    let mut document = head("diff", Exit::Done);
    document["stack"] = json!(environment.stack);
    document["environment"] = json!(environment.name);
    document["from"] = revision(&compared.from);
    document["to"] = revision(&compared.to);
    document["added"] = keys(&compared.diff.added);
    document["removed"] = keys(&compared.diff.removed);
    document["changed"] = compared
        .diff
        .changed
        .iter()
        .map(|(key, changes)| json!({"object": key.to_string(), "changes": field_changes(changes)}))
        .collect();
    document["unchanged"] = json!(compared.diff.unchanged);
    document["secretsComparable"] = json!(compared.secrets_comparable);
    text(&document)
}

/// A teardown of what is not there.
pub(crate) fn nothing_recorded(environment: &Environment) -> String {
    let mut document = head("down", Exit::Done);
    document["stack"] = json!(environment.stack);
    document["environment"] = json!(environment.name);
    document["result"] = json!({"outcome": "nothing-recorded"});
    text(&document)
}

/// A plan and what came of it.
pub(crate) fn outcome(command: &str, exit: Exit, judged: Judged<'_>, ended: Ended<'_>) -> String {
    let mut document = plan_document(command, exit, judged);
    document["result"] = match ended {
        Ended::Refused => json!({"outcome": "refused"}),
        Ended::Settled => json!({"outcome": "unchanged"}),
        Ended::Ran(summary) => summary_document(judged.plan, summary),
    };
    text(&document)
}

/// What an import recorded.
pub(crate) fn imported(environment: &Environment, imported: &Imported) -> String {
    let mut document = head("import", Exit::Done);
    document["stack"] = json!(environment.stack);
    document["environment"] = json!(environment.name);
    document["namespace"] = json!(imported.placement.namespace);
    document["recorded"] = keys(&imported.found);
    document["alreadyRecorded"] = keys(&imported.already);
    document["missing"] = keys(&imported.missing);
    document["owners"] = json!(imported.owners);
    document["written"] = json!(imported.written);
    text(&document)
}

/// What is recorded.
pub(crate) fn status(status: &Status) -> String {
    let mut document = head("status", Exit::Done);
    document["context"] = json!(status.context);
    document["environments"] = status
        .claims
        .iter()
        .map(|one| {
            let mut environment = claim(&one.claim);
            environment["ready"] = json!(one.ready());
            environment["notReady"] = one.not_ready.iter().map(not_ready).collect();
            environment["intended"] = keys(&one.intended);
            environment["missing"] = keys(&one.missing);
            environment["replaced"] = keys(&one.replaced);
            environment["unread"] = keys(&one.unread);
            environment
        })
        .collect();
    document["absent"] = json!(status.absent);
    document["kept"] = status.kept.iter().map(kept).collect();
    text(&document)
}

fn not_ready(one: &NotReadyNow) -> Value {
    json!({
        "object": one.key.to_string(),
        "state": one.state,
        "why": one.why,
        "cause": one.cause,
    })
}

fn claim(claim: &Claim) -> Value {
    json!({
        "stack": claim.stack,
        "environment": claim.environment,
        "namespace": claim.placement.as_ref().map(|placement| &placement.namespace),
        "objects": claim.entries.len(),
        "retired": claim.retired.is_some(),
        "lock": claim.lock.as_ref().map(|lock| json!({
            "who": lock.who,
            "acquired": lock.acquired,
            "leaseSeconds": lock.lease_seconds,
        })),
        "history": claim.history,
    })
}

fn kept(kept: &KeptNamespace) -> Value {
    json!({
        "namespace": kept.namespace,
        "environment": kept.environment,
        "since": kept.since,
        "empty": kept.occupancy.is_proven_empty(),
        "occupants": kept.occupancy.occupants.iter().map(|occupant| json!({
            "object": occupant.key.to_string(),
            "owner": occupant.owner.to_string(),
            "created": occupant.created,
        })).collect::<Vec<_>>(),
        "homeOf": kept.occupancy.placed,
        "expectedBy": kept.occupancy.expecting,
        "unread": kept.occupancy.unread.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn keys(keys: &[ObjectKey]) -> Value {
    keys.iter().map(ToString::to_string).collect()
}

/// A sandbox that has begun to run.
pub(crate) fn sandbox(running: &Running) -> String {
    let mut document = head("sandbox", Exit::Done);
    document["server"] = json!(running.address);
    document["kubeconfig"] = json!(running.kubeconfig);
    document["contexts"] = running
        .contexts()
        .map(|(context, user)| json!({"name": context, "user": user}))
        .collect();
    document["nodes"] = json!(running.nodes);
    text(&document)
}

/// Rules.
pub(crate) fn rules(rules: &[&Rule]) -> String {
    let mut document = head("explain", Exit::Done);
    document["rules"] = rules
        .iter()
        .map(|rule| {
            json!({
                "code": rule.code.to_string(),
                "name": rule.name,
                "summary": rule.summary,
                "documentation": rule.documentation,
            })
        })
        .collect();
    text(&document)
}

fn head(command: &str, exit: Exit) -> Value {
    json!({"schema": format!("underpin.dev/{command}/v1"), "exit": exit.code()})
}

fn text(document: &Value) -> String {
    format!("{document:#}\n")
}

fn plan_document(command: &str, exit: Exit, judged: Judged<'_>) -> Value {
    let plan = judged.plan;
    let cluster = &judged.world.cluster;
    let mut document = head(command, exit);
    document["stack"] = json!(plan.stack);
    document["environment"] = json!(plan.environment);
    document["cluster"] = json!({
        "context": cluster.context,
        "uid": cluster.uid,
        "version": cluster.version,
    });
    document["purpose"] = json!(match plan.purpose {
        Purpose::Up => "up",
        Purpose::Down => "down",
    });
    document["placement"] = json!({
        "namespace": plan.placement.placement.namespace,
        "recorded": plan.placement.recorded,
        "derived": plan.placement.derived,
        "note": plan.placement.note(),
    });
    document["steps"] = plan.steps.iter().map(step).collect();
    document["forgotten"] = plan
        .dropped
        .iter()
        .map(|(logical, why)| {
            json!({
                "object": format!("{}/{}", logical.kind, logical.name),
                "reason": why,
            })
        })
        .collect();
    document["problems"] = plan.problems.iter().map(problem).collect();
    document["findings"] = judged.verdict.findings.iter().map(finding).collect();
    document["unread"] = judged
        .world
        .unread
        .iter()
        .map(ToString::to_string)
        .collect();
    document
}

fn step(step: &Step) -> Value {
    let mut document = json!({
        "action": step.action.name(),
        "object": step.key.to_string(),
        "reason": step.reason,
        "wave": step.wave,
        "validated": step.validated,
        "changes": field_changes(&step.changes),
    });
    // Only where something is not known.
    if let Some(why) = &step.unvalidated {
        document["unvalidated"] = json!({"why": why.name(), "message": why.message()});
    }
    if let Some(why) = &step.unseen {
        document["unseen"] = json!(why);
    }
    document
}

fn field_changes(changes: &[FieldChange]) -> Value {
    let changes = changes.iter().map(|change| {
        json!({
            "path": change.path.as_str(),
            "before": change.before,
            "after": change.after,
        })
    });
    changes.collect()
}

fn summary_document(plan: &Plan, summary: &Summary) -> Value {
    let results: serde_json::Map<String, Value> = summary
        .results
        .iter()
        .map(|(key, result)| (key.to_string(), step_result(result)))
        .collect();
    let left: Vec<String> = summary
        .left(plan.changing())
        .into_iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "outcome": if summary.is_complete() { "done" } else { "incomplete" },
        "stopped": summary.stopped.map(|reason| reason.to_string()),
        "steps": results,
        "left": left,
        "failures": summary.failures.iter().map(failure).collect::<Vec<_>>(),
        "keptNamespaces": summary.kept,
    })
}

fn failure(failure: &Failure) -> Value {
    let mut document = json!({
        "object": failure.key.to_string(),
        "message": failure.message,
        "place": failure.place.as_ref().map(place),
    });
    if let Some(not_ready) = &failure.not_ready {
        let diagnosis = &not_ready.diagnosis;
        document["state"] = json!(not_ready.state);
        document["help"] = json!(diagnosis.help);
        document["pods"] = diagnosis.pods.iter().map(troubled_pod).collect();
        document["morePods"] = json!(diagnosis.more_pods);
        document["events"] = diagnosis.events.iter().map(event).collect();
        document["log"] = diagnosis.log.as_ref().map_or(Value::Null, log);
        document["unread"] = json!(diagnosis.unread);
    }
    document
}

fn troubled_pod(pod: &PodReport) -> Value {
    json!({
        "name": pod.name,
        "trouble": pod.trouble,
        "said": pod.said,
        "container": pod.culprit.as_ref().map(|culprit| &culprit.container),
    })
}

fn event(event: &EventReport) -> Value {
    json!({
        "about": event.about,
        "reason": event.reason,
        "message": event.message,
        "count": event.count,
        "last": event.last,
    })
}

fn log(log: &Log) -> Value {
    json!({
        "pod": log.pod,
        "container": log.container,
        "previous": log.previous,
        "lines": log.lines,
    })
}

fn step_result(result: &StepResult) -> Value {
    let (name, why) = match result {
        StepResult::Done => ("done", None),
        StepResult::AlreadyDone => ("already-done", None),
        StepResult::Terminating(held) => ("terminating", Some(held.to_string())),
        StepResult::Kept(why) => ("kept", Some(why.clone())),
        StepResult::Failed(why) => ("failed", Some(why.clone())),
        StepResult::Skipped(why) => ("skipped", Some(why.clone())),
    };
    json!({"result": name, "why": why})
}

fn problem(problem: &Problem) -> Value {
    json!({
        "object": problem.key.to_string(),
        "place": problem.place.as_ref().map(place),
        "message": problem.message,
        "help": problem.help,
    })
}

fn diagnostic(diagnostic: &Diagnostic) -> Value {
    json!({
        "place": place(&diagnostic.place),
        "message": diagnostic.message,
        "help": diagnostic.help,
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code.to_string(),
        "severity": finding.severity.name(),
        "unknown": finding.unknown,
        "subject": finding.subject,
        "message": finding.message,
        "place": finding.place.as_ref().map(place),
        "evidence": finding.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "cascade": finding.cascade.iter().map(|group| json!({
            "owner": group.owner.to_string(),
            "objects": group.objects.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "step": finding.step.as_ref().map(ToString::to_string),
        "help": finding.help,
        "accepted": finding.accepted,
    })
}

fn evidence(evidence: &Evidence) -> Value {
    json!({
        "object": evidence.object.to_string(),
        "path": evidence.path.as_str(),
        "place": evidence.place.as_ref().map(place),
        "note": evidence.note,
    })
}

fn place(place: &Place) -> Value {
    json!({"file": &*place.file, "line": place.line, "column": place.column})
}
