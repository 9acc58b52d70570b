//! Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers.

use serde_json::{Map, Value};

use super::{
    common::{amount_or_percent, at_most_all, is_zero, not_negative, one_of},
    metadata, pods, storage,
};
use crate::admission::{
    causes::Causes,
    path::Path,
    view::{field, integer, present, text},
};

const SPEC: Path<'static> = Path::root("spec");

/// How the workload is called in messages, and what may not be in its template.
struct Workload {
    lower: &'static str,
    name: &'static str,
}

pub(super) fn deployment(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    const NUMBERS: [&str; 3] = [
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
    ];
    const THIS: Workload = Workload {
        lower: "deployment",
        name: "ReplicaSet",
    };
    let spec = field(new, "spec");
    not_negative(causes, &SPEC, spec, &["replicas"]);
    selector(causes, spec, &THIS);
    template(causes, spec, &THIS);
    deployment_strategy(causes, &SPEC.child("strategy"), field(spec, "strategy"));
    not_negative(causes, &SPEC, spec, &NUMBERS);
    if let Some(deadline) = integer(spec, "progressDeadlineSeconds")
        && deadline <= integer(spec, "minReadySeconds").unwrap_or_default()
    {
        let path = SPEC.child("progressDeadlineSeconds");
        causes.invalid(&path, &deadline, "must be greater than minReadySeconds");
    }
    fixed(causes, old, spec, &["selector"]);
}

pub(super) fn replica_set(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    const THIS: Workload = Workload {
        lower: "deployment",
        name: "ReplicaSet",
    };
    let spec = field(new, "spec");
    not_negative(causes, &SPEC, spec, &["replicas", "minReadySeconds"]);
    selector(causes, spec, &THIS);
    template(causes, spec, &THIS);
    fixed(causes, old, spec, &["selector"]);
}

pub(super) fn replication_controller(causes: &mut Causes, new: &Value) {
    let spec = field(new, "spec");
    not_negative(causes, &SPEC, spec, &["minReadySeconds"]);
    let selected = field(spec, "selector");
    if selected.as_object().is_none_or(Map::is_empty) {
        causes.required(&SPEC.child("selector"), "");
    }
    not_negative(causes, &SPEC, spec, &["replicas"]);
    let path = SPEC.child("template");
    let Some(template) = present(spec, "template") else {
        causes.required(&path, "");
        return;
    };
    let labels = template.pointer("/metadata/labels").unwrap_or(&Value::Null);
    let matches = |(key, value): (&String, &Value)| labels.get(key) == Some(value);
    if !selected.as_object().into_iter().flatten().all(matches) {
        not_selected(causes, &path, labels);
    }
    pods::template(causes, &path, template);
    always(causes, &path, template, "ReplicationController");
}

pub(super) fn stateful_set(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    const RETENTION: [&str; 2] = ["Delete", "Retain"];
    const THIS: Workload = Workload {
        lower: "statefulset",
        name: "StatefulSet",
    };
    let spec = field(new, "spec");
    match text(spec, "podManagementPolicy") {
        "OrderedReady" | "Parallel" => {}
        other => {
            let detail = "must be 'OrderedReady' or 'Parallel'";
            causes.invalid(&SPEC.child("podManagementPolicy"), other, detail);
        }
    }
    stateful_set_strategy(
        causes,
        &SPEC.child("updateStrategy"),
        field(spec, "updateStrategy"),
    );
    if let Some(retention) = present(spec, "persistentVolumeClaimRetentionPolicy") {
        let path = SPEC.child("persistentVolumeClaimRetentionPolicy");
        one_of(causes, &path, retention, "whenDeleted", &RETENTION);
        one_of(causes, &path, retention, "whenScaled", &RETENTION);
    }
    not_negative(causes, &SPEC, spec, &["replicas", "minReadySeconds"]);
    selector(causes, spec, &THIS);
    template(causes, spec, &THIS);
    if let Some(old) = old {
        stateful_set_update(causes, field(old, "spec"), spec);
    }
}

fn stateful_set_update(causes: &mut Causes, old: &Value, new: &Value) {
    const FREE: [&str; 7] = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |spec: &Value| {
        let map = spec.as_object().cloned().unwrap_or_default();
        let mut fixed: Map<String, Value> = map
            .into_iter()
            .filter(|(name, _)| !FREE.contains(&name.as_str()))
            .collect();
        storage::without_claim_status(&mut fixed);
        fixed
    };
    if fixed(old) != fixed(new) {
        let free: Vec<String> = FREE[..6].iter().map(|name| format!("'{name}'")).collect();
        let detail = format!(
            "updates to statefulset spec for fields other than {} and 'minReadySeconds' are forbidden",
            free.join(", ")
        );
        causes.forbidden(&SPEC, &detail);
    }
    not_negative(causes, &SPEC, new, &["replicas"]);
}

fn stateful_set_strategy(causes: &mut Causes, path: &Path<'_>, strategy: &Value) {
    let rolling = present(strategy, "rollingUpdate");
    match text(strategy, "type") {
        "" => causes.required(path, ""),
        "OnDelete" => {
            if let Some(rolling) = rolling {
                let detail = "only allowed for updateStrategy 'RollingUpdate'";
                causes.invalid(&path.child("rollingUpdate"), rolling, detail);
            }
        }
        "RollingUpdate" => {
            if let Some(rolling) = rolling {
                not_negative(
                    causes,
                    &path.child("rollingUpdate"),
                    rolling,
                    &["partition"],
                );
            }
        }
        _ => {
            let detail = "must be 'RollingUpdate' or 'OnDelete'";
            causes.invalid(path, strategy, detail);
        }
    }
}

pub(super) fn daemon_set(causes: &mut Causes, old: Option<&Value>, new: &Value) {
    let spec = field(new, "spec");
    let selected = field(spec, "selector");
    metadata::selector(causes, &SPEC.child("selector"), selected);
    let path = SPEC.child("template");
    let template = field(spec, "template");
    let labels = template.pointer("/metadata/labels").unwrap_or(&Value::Null);
    if selected.is_null() || !metadata::selects(selected, labels) {
        not_selected(causes, &path, labels);
    }
    if !selected.is_null() && metadata::is_empty_selector(selected) {
        let detail = "empty selector is invalid for daemonset";
        causes.invalid(&SPEC.child("selector"), selected, detail);
    }
    pods::template(causes, &path, template);
    always(causes, &path, template, "DaemonSet");
    not_negative(causes, &SPEC, spec, &["minReadySeconds"]);
    let strategy_path = SPEC.child("updateStrategy");
    let strategy = field(spec, "updateStrategy");
    match text(strategy, "type") {
        "OnDelete" => {}
        "RollingUpdate" => daemon_set_rolling(causes, &strategy_path, strategy),
        _ => causes.not_supported(&strategy_path, strategy, &["RollingUpdate", "OnDelete"]),
    }
    not_negative(causes, &SPEC, spec, &["revisionHistoryLimit"]);
    fixed(causes, old, spec, &["selector"]);
}

fn daemon_set_rolling(causes: &mut Causes, path: &Path<'_>, strategy: &Value) {
    let path = path.child("rollingUpdate");
    let Some(rolling) = present(strategy, "rollingUpdate") else {
        causes.required(&path, "");
        return;
    };
    let unavailable = field(rolling, "maxUnavailable");
    let surge = field(rolling, "maxSurge");
    amount_or_percent(causes, &path.child("maxUnavailable"), unavailable);
    at_most_all(causes, &path.child("maxUnavailable"), unavailable);
    amount_or_percent(causes, &path.child("maxSurge"), surge);
    at_most_all(causes, &path.child("maxSurge"), surge);
    match (is_zero(unavailable), is_zero(surge)) {
        (true, true) => {
            let detail = "cannot be 0 when `maxSurge` is 0";
            causes.invalid(&path.child("maxUnavailable"), unavailable, detail);
        }
        (false, false) => {
            let detail = "may not be set when maxUnavailable is non-zero";
            causes.invalid(&path.child("maxSurge"), surge, detail);
        }
        _ => {}
    }
}

fn deployment_strategy(causes: &mut Causes, path: &Path<'_>, strategy: &Value) {
    let rolling = present(strategy, "rollingUpdate");
    match text(strategy, "type") {
        "Recreate" => {
            if rolling.is_some() {
                let detail = "may not be specified when strategy `type` is 'Recreate'";
                causes.forbidden(&path.child("rollingUpdate"), detail);
            }
        }
        "RollingUpdate" => {
            let path = path.child("rollingUpdate");
            let Some(rolling) = rolling else {
                let detail = "this should be defaulted and never be nil";
                causes.required(&path, detail);
                return;
            };
            let unavailable = field(rolling, "maxUnavailable");
            let surge = field(rolling, "maxSurge");
            amount_or_percent(causes, &path.child("maxUnavailable"), unavailable);
            amount_or_percent(causes, &path.child("maxSurge"), surge);
            if is_zero(unavailable) && is_zero(surge) {
                let detail = "may not be 0 when `maxSurge` is 0";
                causes.invalid(&path.child("maxUnavailable"), unavailable, detail);
            }
            at_most_all(causes, &path.child("maxUnavailable"), unavailable);
        }
        _ => causes.not_supported(path, strategy, &["Recreate", "RollingUpdate"]),
    }
}

/// The selector must be there and select something.
fn selector(causes: &mut Causes, spec: &Value, this: &Workload) {
    let path = SPEC.child("selector");
    let Some(selector) = present(spec, "selector") else {
        causes.required(&path, "");
        return;
    };
    metadata::selector(causes, &path, selector);
    if metadata::is_empty_selector(selector) {
        let detail = format!("empty selector is invalid for {}", this.lower);
        causes.invalid(&path, selector, &detail);
    }
}

fn template(causes: &mut Causes, spec: &Value, this: &Workload) {
    let path = SPEC.child("template");
    let template = field(spec, "template");
    let selector = field(spec, "selector");
    let labels = template.pointer("/metadata/labels").unwrap_or(&Value::Null);
    // No selector selects nothing; an empty one everything.
    let selects = metadata::is_empty_selector(selector) || metadata::selects(selector, labels);
    if selector.is_null() || !selects {
        not_selected(causes, &path, labels);
    }
    pods::template(causes, &path, template);
    always(causes, &path, template, this.name);
}

fn not_selected(causes: &mut Causes, path: &Path<'_>, labels: &Value) {
    let path = path.child("metadata");
    let detail = "`selector` does not match template `labels`";
    causes.invalid(&path.child("labels"), labels, detail);
}

/// Pods of a workload that goes on are restarted always and have no deadline.
fn always(causes: &mut Causes, path: &Path<'_>, template: &Value, name: &str) {
    let path = path.child("spec");
    let spec = field(template, "spec");
    let policy = text(spec, "restartPolicy");
    if policy != "Always" {
        causes.not_supported(&path.child("restartPolicy"), policy, &["Always"]);
    }
    if present(spec, "activeDeadlineSeconds").is_some() {
        let detail = format!("activeDeadlineSeconds in {name} is not Supported");
        causes.forbidden(&path.child("activeDeadlineSeconds"), &detail);
    }
}

/// Fields of the spec that no update may change.
pub(super) fn fixed(causes: &mut Causes, old: Option<&Value>, new: &Value, fields: &[&str]) {
    let Some(old) = old else { return };
    let old = field(old, "spec");
    for name in fields {
        causes.immutable(&SPEC.child(name), old.get(name), new.get(name));
    }
}
