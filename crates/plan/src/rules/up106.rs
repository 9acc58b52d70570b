#![doc = include_str!("docs/UP106.md")]

use std::collections::BTreeMap;

use underpin_model::{
    Action, Code, Evidence, FieldPath, Finding, KeepReason, Object, ObjectKey, Severity, Step,
};
use underpin_refs::{Presence, Protection, presence, protection_from_key, protections};

use crate::{
    Context,
    context::evidence_of,
    rules::{Rule, up103::root_of},
    wording::{accept, list},
};

/// The rule's code.
pub const CODE: Code = Code(106);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "protected-object",
    summary: "a step deletes or replaces an object that carries a known protection key, live, \
              declared or recorded",
    documentation: include_str!("docs/UP106.md"),
    check: Some(check),
    survey: None,
};

/// A protection and the place that says so.
struct Standing {
    protection: Protection,
    evidence: Evidence,
}

/// Protections recorded in claims, by live identity.
type Recorded<'c> = BTreeMap<&'c ObjectKey, Vec<(&'c str, String)>>;

fn check(context: &Context<'_>) -> Vec<Finding> {
    let recorded = recorded(context);
    let mut findings = Vec::new();
    for step in &context.plan.steps {
        match &step.action {
            Action::Delete | Action::Replace => {
                findings.extend(destroyed(context, step, &recorded));
            }
            Action::Keep(KeepReason::Protected(key)) => findings.push(kept(context, step, key)),
            _ => {}
        }
    }
    for (key, cause) in &context.simulation.deaths {
        if let (Some(above), Some(object)) = (cause.above(), context.before.get(key)) {
            findings.extend(taken_along(context, object, above, &recorded));
        }
    }
    findings
}

fn recorded<'c>(context: &Context<'c>) -> Recorded<'c> {
    let mut recorded = Recorded::new();
    let own = context.claim.into_iter().filter(|claim| {
        // A claim that was never stored is not in the world.
        context
            .before
            .claims
            .iter()
            .all(|other| other.id != claim.id)
    });
    for claim in context.before.claims.iter().chain(own) {
        for entry in claim.entries.values() {
            for key in &entry.protection {
                let note = format!("recorded in the claim of {}", claim.display_name());
                recorded.entry(&entry.key).or_default().push((key, note));
            }
        }
    }
    recorded
}

/// The union: what is live, declared or recorded counts, whichever was set (R2.3).
fn union(
    context: &Context<'_>,
    key: &ObjectKey,
    declared: Option<&Object>,
    recorded: &Recorded<'_>,
) -> Vec<Standing> {
    let mut found = Vec::new();
    for (object, place) in [
        (context.before.get(key), "live object"),
        (declared, "manifest"),
    ] {
        let Some(object) = object else { continue };
        for protection in protections(object) {
            let evidence = object.evidence(path_of(object, &protection), place.to_owned());
            found.push(Standing {
                protection,
                evidence,
            });
        }
    }
    for (text, note) in recorded.get(key).into_iter().flatten() {
        let evidence = evidence_of(context, key, note.clone());
        found.push(Standing {
            protection: protection_from_key(text),
            evidence,
        });
    }
    found
}

fn path_of(object: &Object, protection: &Protection) -> FieldPath {
    let Some((key, _)) = protection.key.split_once('=') else {
        return FieldPath::root();
    };
    let map = if object.annotation(key).is_some() {
        "annotations"
    } else {
        "labels"
    };
    FieldPath::new("metadata").key(map).key(key)
}

fn destroyed(context: &Context<'_>, step: &Step, recorded: &Recorded<'_>) -> Option<Finding> {
    let live = context.before.get(&step.key)?;
    let filled = !context.simulation.cascade_of(&step.key).is_empty()
        || live
            .at("/spec/replicas")
            .and_then(serde_json::Value::as_u64)
            .is_some_and(|n| n > 0);
    let replaces = step.action == Action::Replace;
    let mut standing = union(context, &step.key, step.desired.as_ref(), recorded);
    standing.retain(|Standing { protection, .. }| {
        let forbids = if replaces {
            protection.from_replace
        } else {
            protection.from_delete
        };
        forbids && (filled || !protection.cascading_only)
    });
    let verb = if replaces {
        "deleted and created anew"
    } else {
        "deleted"
    };
    protected(
        &step.key,
        &format!("would be {verb}"),
        standing,
        step.key.clone(),
    )
}

/// What a controller made dies with its owner, whatever annotations it copied from there.
fn taken_along(
    context: &Context<'_>,
    object: &Object,
    above: &ObjectKey,
    recorded: &Recorded<'_>,
) -> Option<Finding> {
    let mut standing = union(context, &object.key, None, recorded);
    standing
        .retain(|Standing { protection, .. }| protection.from_delete && !protection.cascading_only);
    if standing.is_empty()
        || matches!(
            presence(object, context.before, context.ownership.claims()),
            Presence::Derived(_)
        )
    {
        return None;
    }
    let root = root_of(context, &object.key);
    protected(
        &object.key,
        &format!("would die with {above}"),
        standing,
        root,
    )
}

fn protected(
    key: &ObjectKey,
    what: &str,
    standing: Vec<Standing>,
    step: ObjectKey,
) -> Option<Finding> {
    let mut keys: Vec<String> = standing
        .iter()
        .map(|one| one.protection.key.clone())
        .collect();
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return None;
    }
    let message = format!("{key} {what}, but is protected by {}", list(&keys));
    let mut finding = Finding::new(CODE, Severity::Block, key.subject(), message);
    finding.evidence = standing.into_iter().map(|one| one.evidence).collect();
    finding.step = Some(step);
    finding.help = vec![
        format!("keep declaring {key} as it is"),
        format!("to lift the protection: --accept {CODE}:{key} --reason \"…\""),
    ];
    Some(finding)
}

fn kept(context: &Context<'_>, step: &Step, key: &str) -> Finding {
    let subject = step.key.subject();
    let message = format!(
        "{} is no longer declared and is kept: it is protected by {key}",
        step.key
    );
    let mut finding = Finding::new(CODE, Severity::Warn, subject.clone(), message);
    finding.evidence = vec![evidence_of(
        context,
        &step.key,
        format!("protected by {key}"),
    )];
    finding.step = Some(step.key.clone());
    finding.help = vec![
        "leave it: it stays recorded as this environment's own".to_owned(),
        format!(
            "removing the key from the manifest lifts nothing; {}",
            accept(CODE, &subject).replace(
                "to go on all the same",
                "to lift the protection and delete it"
            )
        ),
    ];
    finding
}
