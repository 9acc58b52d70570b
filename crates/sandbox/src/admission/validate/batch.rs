//! Jobs and CronJobs.

use serde_json::{Value, json};

use super::{
    common::{not_negative, one_of, one_of_if_set},
    cron, metadata, pods, workloads,
};
use crate::{
    admission::{
        causes::Causes,
        path::Path,
        view::{at, field, flag, present, text},
    },
    object,
};

const SPEC: Path<'static> = Path::root("spec");
/// A CronJob's name is the beginning of its Jobs' names.
const CRON_NAME_LIMIT: usize = 52;

pub(super) fn job(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let spec = field(new, "spec");
    job_spec(causes, &SPEC, spec);
    let selector = field(spec, "selector");
    if old.is_none() && !flag(spec, "manualSelector") && !is_generated(selector, new) {
        let detail = "`selector` not auto-generated";
        causes.invalid(&SPEC.child("selector"), selector, detail);
    }
    if selector.is_null() {
        causes.required(&SPEC.child("selector"), "");
    } else {
        metadata::selector(causes, &SPEC.child("selector"), selector);
        let labels = at(spec, "/template/metadata/labels");
        if !metadata::selects(selector, labels) {
            let path = SPEC.child("template");
            let path = path.child("metadata");
            let detail = "`selector` does not match template `labels`";
            causes.invalid(&path.child("labels"), labels, detail);
        }
    }
    workloads::fixed(
        causes,
        old,
        spec,
        &[
            "selector",
            "completionMode",
            "podFailurePolicy",
            "backoffLimitPerIndex",
        ],
    );
    if let Some(whole) = old {
        let old = field(whole, "spec");
        let indexed = text(spec, "completionMode") == "Indexed";
        if !indexed {
            let fields = (old.get("completions"), spec.get("completions"));
            causes.immutable(&SPEC.child("completions"), fields.0, fields.1);
        }
        // Of a suspended job that has not begun the scheduling part of the template may change.
        let is_waiting = flag(old, "suspend") && at(whole, "/status/startTime").is_null();
        if !is_waiting {
            let fields = (old.get("template"), spec.get("template"));
            causes.immutable(&SPEC.child("template"), fields.0, fields.1);
        }
    }
}

/// Whether a selector asks for nothing but the labels that the server gives a job's pods.
fn is_generated(selector: &Value, job: &Value) -> bool {
    let (uid, name) = (object::uid(job), object::name(job));
    let labels = json!({
        "batch.kubernetes.io/controller-uid": uid, "controller-uid": uid,
        "batch.kubernetes.io/job-name": name, "job-name": name,
    });
    metadata::selects(selector, &labels)
}

fn job_spec(causes: &mut Causes, path: &Path<'_>, spec: &Value) {
    const NUMBERS: [&str; 5] = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
    ];
    not_negative(causes, path, spec, &NUMBERS);
    one_of_if_set(
        causes,
        path,
        spec,
        "completionMode",
        &["NonIndexed", "Indexed"],
    );
    if text(spec, "completionMode") == "Indexed" && present(spec, "completions").is_none() {
        let detail = "when completion mode is Indexed";
        causes.required(&path.child("completions"), detail);
    }
    let template_path = path.child("template");
    let template = field(spec, "template");
    pods::template(causes, &template_path, template);
    let policy_path = template_path.child("spec");
    let policy_path = policy_path.child("restartPolicy");
    match text(field(template, "spec"), "restartPolicy") {
        "OnFailure" | "Never" => {}
        "Always" | "" => {
            causes.required(&policy_path, "valid values: \"OnFailure\", \"Never\"");
        }
        other => causes.not_supported(&policy_path, other, &["OnFailure", "Never"]),
    }
}

pub(super) fn cron_job(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    const LIMITS: [&str; 2] = ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"];
    let spec = field(new, "spec");
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        causes.required(&SPEC.child("schedule"), "");
    } else if let Some(problem) = cron::problem(schedule) {
        causes.invalid(&SPEC.child("schedule"), schedule, &problem);
    }
    not_negative(causes, &SPEC, spec, &["startingDeadlineSeconds"]);
    one_of(
        causes,
        &SPEC,
        spec,
        "concurrencyPolicy",
        &["Allow", "Forbid", "Replace"],
    );
    let path = SPEC.child("jobTemplate");
    let path = path.child("spec");
    let template = at(spec, "/jobTemplate/spec");
    job_spec(causes, &path, template);
    if let Some(selector) = present(template, "selector") {
        causes.invalid(
            &path.child("selector"),
            selector,
            "`selector` will be auto-generated",
        );
    }
    if flag(template, "manualSelector") {
        let shown = field(template, "manualSelector");
        causes.not_supported(&path.child("manualSelector"), shown, &["nil", "false"]);
    }
    not_negative(causes, &SPEC, spec, &LIMITS);
    let name = object::name(new);
    if old.is_none() && name.len() > CRON_NAME_LIMIT {
        let path = Path::root("metadata");
        causes.invalid(
            &path.child("name"),
            name,
            "must be no more than 52 characters",
        );
    }
    if spec.get("timeZone") == Some(&Value::from("")) {
        causes.invalid(
            &SPEC.child("timeZone"),
            "",
            "timeZone must be nil or non-empty string",
        );
    }
}
