#![doc = include_str!("../docs/UP107.md")]

mod files;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use underpin_model::{
    Action, Code, Finding, Object, ObjectKey, Reference, Relation, Severity, Strength, Unread,
    builtin_kind, nearest,
};

use crate::{
    Context,
    dangling::{Fate, fate, is_declared, is_derived, is_introduced, named},
    rules::{Rule, up103::root_of, up108},
    wording::{accept, count, list},
};

/// The rule's code.
pub const CODE: Code = Code(107);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "dangling-reference",
    summary: "after the plan something refers to an object that will not exist where it looks for it",
    documentation: include_str!("../docs/UP107.md"),
    check: Some(check),
    survey: Some(files::survey),
};

/// Everything that looks for one object that will not be there.
struct Need<'c> {
    fate: Fate<'c>,
    introduced: Vec<&'c Reference>,
    standing: Vec<&'c Reference>,
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut needs: BTreeMap<&ObjectKey, Need<'_>> = BTreeMap::new();
    let statics = static_classes(context);
    for reference in context.references_after.all() {
        let Some(target) = named(reference) else {
            continue;
        };
        if !breaks(reference) || is_derived(context, &reference.from) {
            continue;
        }
        if reference.relation == Relation::StorageClass && statics.contains(target.name.as_str()) {
            continue;
        }
        let fate = fate(context, target);
        if fate == Fate::Stays || up108::stale(context, reference).is_some() {
            continue;
        }
        let need = needs.entry(target).or_insert_with(|| Need {
            fate,
            introduced: Vec::new(),
            standing: Vec::new(),
        });
        if is_introduced(context, reference) {
            need.introduced.push(reference);
        } else {
            need.standing.push(reference);
        }
    }
    needs
        .into_iter()
        .filter_map(|(target, need)| judge(context, target, &need))
        .collect()
}

/// Class names that statically made volumes carry: a claim binds to them by name, without any class.
fn static_classes<'c>(context: &'c Context<'_>) -> BTreeSet<&'c str> {
    let is_volume = |object: &&Object| object.key.kind.is("", "PersistentVolume");
    let volumes = context.simulation.after.objects().filter(is_volume);
    volumes
        .filter_map(|volume| volume.text("/spec/storageClassName"))
        .collect()
}

/// Relations whose target must be there for the one who refers to work. What routes send to is
/// UP203's to tell.
fn breaks(reference: &Reference) -> bool {
    reference.strength == Strength::Required
        && matches!(
            reference.relation,
            Relation::ConfigMap
                | Relation::Secret
                | Relation::PullSecret
                | Relation::ServiceAccount
                | Relation::Claim
                | Relation::Volume
                | Relation::StorageClass
                | Relation::Class
                | Relation::Service
                | Relation::Host
                | Relation::ScaleTarget
                | Relation::Role
        )
}

fn judge(context: &Context<'_>, target: &ObjectKey, need: &Need<'_>) -> Option<Finding> {
    match need.fate {
        Fate::Stays => None,
        Fate::Dies => Some(taken_away(context, target, need)),
        Fate::Missing if !need.introduced.is_empty() => Some(newly_missing(context, target, need)),
        Fate::Missing => already_missing(context, target, need),
        Fate::Unknown(unread) => unknown(context, target, need, unread),
    }
}

fn taken_away(context: &Context<'_>, target: &ObjectKey, need: &Need<'_>) -> Finding {
    let all: Vec<&Reference> = need
        .standing
        .iter()
        .chain(&need.introduced)
        .copied()
        .collect();
    let root = root_of(context, target);
    let how = if root == *target {
        "is deleted by this plan"
    } else {
        "dies in this plan"
    };
    let message = format!(
        "{target} {how}, and {} it: {}",
        needers(&all),
        referrers(&all)
    );
    let mut finding = finding(target, Severity::Block, message, &all);
    finding.step = Some(root);
    finding.help = vec![
        format!(
            "keep declaring {target}, or change what needs it first and delete it in a later run"
        ),
        accept(CODE, &target.subject()),
    ];
    finding
}

/// A custom resource beside the missing object that names it: whoever reconciles that resource may
/// well be the one who makes the object. Secrets and ConfigMaps only; nothing else is made so.
fn promised_by<'c>(context: &'c Context<'_>, target: &'c ObjectKey) -> Option<&'c Object> {
    if !target.kind.is("", "Secret") && !target.kind.is("", "ConfigMap") {
        return None;
    }
    let namespace = target.namespace.as_deref()?;
    context
        .simulation
        .after
        .in_namespace(namespace)
        .find(|object| {
            let kind = &object.key.kind;
            builtin_kind(&kind.group, &kind.kind).is_none()
                && object
                    .at("/spec")
                    .is_some_and(|spec| holds_text(spec, &target.name))
        })
}

fn holds_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(found) => found == text,
        Value::Array(items) => items.iter().any(|item| holds_text(item, text)),
        Value::Object(map) => map.values().any(|item| holds_text(item, text)),
        _ => false,
    }
}

fn newly_missing(context: &Context<'_>, target: &ObjectKey, need: &Need<'_>) -> Finding {
    let all = &need.introduced;
    if let Some(promise) = promised_by(context, target) {
        let message = format!(
            "{target} does not exist yet, and {} it: {}; {} names it and may be what makes it",
            needers(all),
            referrers(all),
            promise.key
        );
        let mut finding = finding(target, Severity::Warn, message, all);
        finding.help = vec![format!(
            "if nothing makes {target}, its pods wait for ever: declare it in the stack"
        )];
        return finding;
    }
    let message = format!(
        "{target} does not exist and is not declared, and this plan makes {} need it",
        referrers(all)
    );
    let mut finding = finding(target, Severity::Block, message, all);
    finding.help.extend(meant(context, target));
    finding.help.extend([format!(
        "declare {target} in the stack, or create it before"
    )]);
    if finding.help.len() == 1 {
        let slip = "if the name is misspelled, correct it at the place shown";
        finding.help.push(slip.to_owned());
    }
    if matches!(target.kind.kind.as_str(), "Secret" | "ConfigMap") {
        finding
            .help
            .push("if it may be absent, mark the reference `optional: true`".to_owned());
        finding.help.push(
            "if an operator makes it from a resource that does not name it, accept this once"
                .to_owned(),
        );
    }
    finding.help.push(accept(CODE, &target.subject()));
    finding
}

/// An object beside the missing one that has nearly its name.
fn meant(context: &Context<'_>, target: &ObjectKey) -> Option<String> {
    let of_kind = context.simulation.after.of_kind(&target.kind);
    let beside = of_kind.filter(|object| object.key.namespace == target.namespace);
    let name = nearest(&target.name, beside.map(|object| object.key.name.as_str()))?;
    let other = ObjectKey {
        name: name.to_owned(),
        ..target.clone()
    };
    Some(format!(
        "if {other} is meant: correct the name at the place shown"
    ))
}

/// What was dangling before stops nothing, and what others left dangling is not this plan's tale.
fn already_missing(context: &Context<'_>, target: &ObjectKey, need: &Need<'_>) -> Option<Finding> {
    let own = own(context, &need.standing);
    if own.is_empty() {
        return None;
    }
    let message = format!(
        "{target} does not exist, and {} it already: {}",
        needers(&own),
        referrers(&own)
    );
    let mut finding = finding(target, Severity::Warn, message, &own);
    finding.help = vec![format!(
        "declare {target} in the stack, or remove the reference"
    )];
    Some(finding)
}

fn unknown(
    context: &Context<'_>,
    target: &ObjectKey,
    need: &Need<'_>,
    unread: &Unread,
) -> Option<Finding> {
    let replaced = |reference: &&&Reference| {
        context
            .step(&reference.from)
            .is_some_and(|step| step.action == Action::Replace)
    };
    let destructive: Vec<&Reference> = need
        .standing
        .iter()
        .chain(&need.introduced)
        .filter(replaced)
        .copied()
        .collect();
    let (severity, concerned) = if destructive.is_empty() {
        (Severity::Warn, need.introduced.clone())
    } else {
        (Severity::Block, destructive)
    };
    if concerned.is_empty() {
        return None;
    }
    let message = format!(
        "whether {target} exists could not be read ({unread}), and {} it: {}",
        needers(&concerned),
        referrers(&concerned)
    );
    let mut finding = finding(target, severity, message, &concerned);
    finding.unknown = true;
    finding.help = vec![format!(
        "run with the right to list {} in {}",
        target.kind,
        target.namespace.as_deref().unwrap_or("the cluster")
    )];
    if severity == Severity::Block {
        finding.help.push(accept(CODE, &target.subject()));
    }
    Some(finding)
}

fn own<'c>(context: &Context<'_>, references: &[&'c Reference]) -> Vec<&'c Reference> {
    references
        .iter()
        .filter(|one| is_declared(context, &one.from))
        .copied()
        .collect()
}

fn needers(references: &[&Reference]) -> String {
    let number = names(references).len();
    format!(
        "{} {}",
        count(number, "object"),
        if number == 1 { "needs" } else { "need" }
    )
}

fn referrers(references: &[&Reference]) -> String {
    list(&names(references))
}

fn names(references: &[&Reference]) -> Vec<String> {
    let mut names: Vec<String> = references.iter().map(|one| one.from.to_string()).collect();
    names.sort();
    names.dedup();
    names
}

fn finding(
    target: &ObjectKey,
    severity: Severity,
    message: String,
    references: &[&Reference],
) -> Finding {
    let mut finding = Finding::new(CODE, severity, target.subject(), message);
    finding.evidence = references.iter().map(|one| one.evidence.clone()).collect();
    finding.place = finding.evidence.iter().find_map(|one| one.place.clone());
    finding.step = references.first().map(|one| one.from.clone());
    finding
}
