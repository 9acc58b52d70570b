#![doc = include_str!("docs/UP104.md")]

use std::collections::BTreeSet;

use underpin_model::{
    Action, Code, Evidence, FieldPath, Finding, KeepReason, Object, ObjectKey, Severity,
};
use underpin_refs::{Protection, protections};

use crate::{Context, RecordedObject, UnreadRecord, rules::Rule, wording::accept};

/// The rule's code.
pub const CODE: Code = Code(104);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "protection-not-recorded",
    summary: "a protection stands on the object or in the manifest, but not in the state that the \
              tool reads when it deletes",
    documentation: include_str!("docs/UP104.md"),
    check: Some(check),
    survey: None,
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let known = context.recorded.objects.iter();
    let mut findings: Vec<Finding> = known
        .filter_map(|recorded| judge(context, recorded))
        .collect();
    if !context.recorded.unread.is_empty() {
        let unknown = |object| unread(context, object);
        findings.extend(context.before.objects().filter_map(unknown));
    }
    findings
}

/// What is to be said of an object that belongs to a unit whose record could not be read.
fn unread(context: &Context<'_>, live: &Object) -> Option<Finding> {
    let mut records = context.recorded.unread.iter();
    let (record, unit) = records.find_map(|record| Some((record, record.unit_of(live)?)))?;
    let declared = context
        .step(&live.key)
        .and_then(|step| step.desired.as_ref());
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut keys = Vec::new();
    for (object, place) in [(Some(live), "live object"), (declared, "manifest")] {
        let Some(object) = object else { continue };
        for protection in protections(object) {
            if protection.tool == record.tool && protection.from_delete {
                evidence.push(standing(object, &protection, place));
                keys.push(protection.key);
            }
        }
    }
    let key = keys.first()?;
    let relied = reliance(context, &live.key, &keys);
    let severity = severity_of(relied.as_ref());
    let relied = relied.map_or_else(String::new, |how| format!("; {how}"));
    let UnreadRecord { tool, reason, .. } = record;
    let message = format!(
        "{} carries {key}, and whether {tool} {unit} records it could not be read ({reason}): \
         {tool} reads its own record when it deletes{relied}",
        live.key
    );
    let subject = live.key.subject();
    let mut finding = Finding::new(CODE, severity, subject.clone(), message);
    finding.unknown = true;
    finding.evidence = evidence;
    finding.step = context.step(&live.key).map(|step| step.key.clone());
    finding.help = vec![format!(
        "let {tool}'s record in namespace {} be read, and mend it if it is damaged",
        record.namespace
    )];
    if severity == Severity::Block {
        finding.help.push(accept(CODE, &subject));
    }
    Some(finding)
}

fn severity_of(relied: Option<&String>) -> Severity {
    if relied.is_some() {
        Severity::Block
    } else {
        Severity::Warn
    }
}

fn judge(context: &Context<'_>, recorded: &RecordedObject) -> Option<Finding> {
    let live = context.before.get(&recorded.key);
    let declared = context
        .step(&recorded.key)
        .and_then(|step| step.desired.as_ref());
    let mut seen = BTreeSet::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut missing = Vec::new();
    for (object, place) in [(live, "live object"), (declared, "manifest")] {
        for protection in object.map(protections).unwrap_or_default() {
            if !is_missing(&protection, recorded) {
                continue;
            }
            evidence.extend(object.map(|object| standing(object, &protection, place)));
            if seen.insert(protection.key.clone()) {
                missing.push(protection.key);
            }
        }
    }
    let key = missing.first()?;
    let relied = reliance(context, &recorded.key, &missing);
    let severity = severity_of(relied.as_ref());
    let RecordedObject { tool, unit, .. } = recorded;
    let relied = relied.map_or_else(String::new, |how| format!("; {how}"));
    let message = format!(
        "{} carries {key}, but {tool} {unit} does not record it: {tool} reads its own record when \
         it deletes, and would delete the object{relied}",
        recorded.key
    );
    let subject = recorded.key.subject();
    let mut finding = Finding::new(CODE, severity, subject.clone(), message);
    finding.evidence = evidence;
    finding.step = context.step(&recorded.key).map(|step| step.key.clone());
    finding.help = help(recorded, key);
    if severity == Severity::Block {
        finding.help.push(accept(CODE, &subject));
    }
    Some(finding)
}

/// Only the tool that defined a key reads it, and only from its own record.
fn is_missing(protection: &Protection, recorded: &RecordedObject) -> bool {
    protection.tool == recorded.tool
        && protection.from_delete
        && !recorded.protections.contains(&protection.key)
}

/// How this plan relies on the protection that does not hold, if it does.
fn reliance(context: &Context<'_>, key: &ObjectKey, missing: &[String]) -> Option<String> {
    if context.simulation.deaths.contains_key(key) {
        return Some("this plan deletes it".to_owned());
    }
    match &context.step(key)?.action {
        Action::Keep(KeepReason::Protected(key)) if missing.contains(key) => {
            Some("this plan lets go of it and counts on that key to keep it".to_owned())
        }
        _ => None,
    }
}

fn standing(object: &Object, protection: &Protection, place: &str) -> Evidence {
    let key = protection
        .key
        .split_once('=')
        .map_or(protection.key.as_str(), |(key, _)| key);
    let map = if object.annotation(key).is_some() {
        "annotations"
    } else {
        "labels"
    };
    let path = FieldPath::new("metadata").key(map).key(key);
    object.evidence(path, format!("{} on the {place}", protection.key))
}

fn help(recorded: &RecordedObject, key: &str) -> Vec<String> {
    let mut help = Vec::new();
    if recorded.tool == "Helm" {
        help.push(format!(
            "record it: set {key} in the chart's template, then helm upgrade {}; do not run helm \
             uninstall {} before",
            recorded.unit, recorded.unit
        ));
    } else {
        help.push(format!(
            "apply {} once with the protection in place, so that {} records it, before anything \
             is deleted",
            recorded.unit, recorded.tool
        ));
    }
    help
}
