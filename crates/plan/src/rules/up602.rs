#![doc = include_str!("docs/UP602.md")]

use underpin_model::{
    Action, Claim, Code, Entry, EntryState, Finding, Object, ObjectKey, Severity,
};
use underpin_refs::{Presence, presence};

use crate::{
    Context, Purpose,
    context::evidence_of,
    rules::Rule,
    wording::{count, list},
};

/// The rule's code.
pub const CODE: Code = Code(602);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "half-done",
    summary: "there are traces of an interrupted run; says what continues it",
    documentation: include_str!("docs/UP602.md"),
    check: Some(check),
    survey: None,
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = namespace(context).into_iter().collect();
    if let Some(claim) = context.claim {
        findings.extend(locked(context, claim));
        findings.extend(intended(context, claim));
    }
    findings
}

/// What the environment's namespace tells: terminating, missing though recorded, or there and
/// empty.
fn namespace(context: &Context<'_>) -> Option<Finding> {
    let home = context.home();
    let key = ObjectKey::of_namespace(home);
    let Some(live) = context.before.get(&key) else {
        let recorded = context.claim.is_some_and(|claim| claim.placement.is_some());
        let known = context.before.unread(&key.kind, None).is_none();
        return (recorded && known && !retired(context)).then(|| missing_home(context, &key));
    };
    if live.is_terminating() {
        let since = live.text("/metadata/deletionTimestamp").unwrap_or_default();
        let message = format!(
            "namespace {home} is being deleted since {since}; nothing can be created in it"
        );
        return Some(note(
            context,
            &key,
            message,
            "wait until it is gone, then run the same command again",
        ));
    }
    let readable = context.before.unread_in(home).next().is_none();
    if context.plan.purpose == Purpose::Up && readable && is_empty(context, home) {
        return empty_home(context, &key);
    }
    None
}

fn retired(context: &Context<'_>) -> bool {
    context.claim.is_some_and(|claim| claim.retired.is_some())
}

fn is_empty(context: &Context<'_>, namespace: &str) -> bool {
    let counts = |object: &Object| {
        presence(object, context.before, context.ownership.claims()) == Presence::Counts
    };
    !context.before.in_namespace(namespace).any(counts)
}

fn missing_home(context: &Context<'_>, key: &ObjectKey) -> Finding {
    let owns = context.claim.map_or(0, |claim| claim.entries.len());
    let message = format!(
        "{} is recorded in namespace {}, which does not exist: a run stopped before it was \
         created, or somebody deleted it with {} recorded in it",
        context.environment_name(),
        key.name,
        count(owns, "object")
    );
    let way = match context.plan.purpose {
        Purpose::Up => "this run creates it again, and what is declared in it",
        Purpose::Down => "this run clears the record",
    };
    note(context, key, message, way)
}

fn empty_home(context: &Context<'_>, key: &ObjectKey) -> Option<Finding> {
    let others = crate::placed_in(context.before, &key.name, context.claim_id())
        .next()
        .is_some();
    let entries = context.claim.map_or(0, |claim| {
        claim
            .entries
            .values()
            .filter(|entry| entry.key.namespace.as_deref() == Some(key.name.as_str()))
            .count()
    });
    // A claim that records the place and nothing in it has nothing left to do there.
    let settled = entries == 0 && context.claim.is_some_and(|claim| !claim.is_blank());
    if others || settled || retired(context) {
        return None;
    }
    let why = if entries == 0 {
        "a run stopped before anything was recorded, or somebody made it in advance".to_owned()
    } else {
        format!(
            "a run stopped before it created what is recorded ({})",
            count(entries, "object")
        )
    };
    let message = format!("namespace {} is there and empty: {why}", key.name);
    Some(note(
        context,
        key,
        message,
        "this run goes on from there; nothing has to be cleaned up",
    ))
}

/// A lock: whose, and what becomes of it. Whether its holder lives is not to be seen at one glance.
fn locked(context: &Context<'_>, claim: &Claim) -> Option<Finding> {
    let lock = claim.lock.as_ref()?;
    let message = format!(
        "a run has held the lock since {}, by its own clock last renewed at {}: {}; it is at work, \
         or it died",
        lock.acquired, lock.renewed, lock.who
    );
    let way = format!(
        "`up` and `down` wait for it, and take over once they have seen it unrenewed for {} s",
        lock.lease_seconds
    );
    let key = ObjectKey::of_namespace(context.home());
    let mut finding = note(context, &key, message, &way);
    finding.evidence.clear();
    finding.subject = context.environment_name();
    finding.step = None;
    Some(finding)
}

/// Entries that were intended and never confirmed, told in two lists.
fn intended(context: &Context<'_>, claim: &Claim) -> Vec<Finding> {
    let mut missing = Vec::new();
    let mut made = Vec::new();
    for entry in claim.entries.values().filter(|entry| is_open(entry)) {
        match context.before.get(&entry.key) {
            Some(live) if claim.owns_as(entry, live) => made.push(&entry.key),
            Some(_) => {} // somebody else's under that name: the plan's own step says so
            None => {
                let namespace = entry.key.namespace.as_deref();
                if context.before.unread(&entry.key.kind, namespace).is_none() {
                    missing.push(&entry.key);
                }
            }
        }
    }
    let mut findings = Vec::new();
    findings.extend(unfinished(
        context,
        &missing,
        "recorded as intended and not there: a run stopped before creating",
        what_follows(context),
    ));
    findings.extend(unfinished(
        context,
        &made,
        "there with our stamp and not recorded as applied: a run stopped right after creating",
        "this run records it; nothing is created twice",
    ));
    findings
}

fn what_follows(context: &Context<'_>) -> &'static str {
    let creates = context
        .plan
        .steps
        .iter()
        .any(|step| step.action == Action::Create);
    if creates {
        "this run creates what is still declared"
    } else {
        "this run clears the record"
    }
}

fn is_open(entry: &Entry) -> bool {
    entry.state == EntryState::Intended && entry.uid.is_none()
}

fn unfinished(
    context: &Context<'_>,
    keys: &[&ObjectKey],
    what: &str,
    way: &str,
) -> Option<Finding> {
    let first = keys.first()?;
    let verb = if keys.len() == 1 { "is" } else { "are" };
    let message = format!(
        "{} {verb} {what}: {}",
        count(keys.len(), "object"),
        list(keys)
    );
    let mut finding = note(context, first, message, way);
    finding.evidence = keys
        .iter()
        .map(|key| evidence_of(context, key, "intended, not confirmed".to_owned()))
        .collect();
    finding.subject = context.environment_name();
    finding.step = None;
    Some(finding)
}

fn note(context: &Context<'_>, key: &ObjectKey, message: String, way: &str) -> Finding {
    let mut finding = Finding::new(CODE, Severity::Note, key.subject(), message);
    finding.evidence = vec![evidence_of(context, key, "as read".to_owned())];
    finding.step = context.step(key).map(|step| step.key.clone());
    finding.help = vec![way.to_owned()];
    finding
}
