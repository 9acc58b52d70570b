#![doc = include_str!("docs/UP101.md")]

use underpin_model::{Action, Code, Evidence, FieldPath, Finding, ObjectKey, Severity, Step};
use underpin_refs::{Presence, presence};

use crate::{
    Context, Purpose, cascade,
    context::evidence_of,
    leaving::leaves,
    occupancy::{namespaced, placed_in},
    ownership::controller_of,
    rules::Rule,
    wording::{count, list},
};

/// The rule's code.
pub const CODE: Code = Code(101);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "namespace-cascade",
    summary: "a step deletes or replaces a namespace in which something is that the plan does not \
              delete by itself",
    documentation: include_str!("docs/UP101.md"),
    check: Some(check),
    survey: None,
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let steps = context.plan.steps.iter();
    steps
        .filter(|step| step.action.is_destructive() && step.key.is_namespace())
        .filter(|step| context.before.get(&step.key).is_some())
        .filter_map(|step| judge(context, step))
        .collect()
}

fn judge(context: &Context<'_>, step: &Step) -> Option<Finding> {
    let name = &step.key.name;
    let victims = counted(context, &step.key);
    let homes = homes(context, name);
    let unread: Vec<String> = context
        .before
        .unread_in(name)
        .filter(|unread| namespaced(context.before, unread))
        .map(ToString::to_string)
        .collect();
    if victims.is_empty() && homes.is_empty() && unread.is_empty() {
        return None;
    }
    let groups = cascade::groups(context, victims.iter().copied());
    let mut finding = Finding::new(CODE, Severity::Block, step.key.subject(), String::new());
    finding.unknown = victims.is_empty() && homes.is_empty();
    let mut parts = vec![opening(context, step)];
    if !victims.is_empty() {
        parts.push(format!(
            "{} in it would die that this plan does not delete by itself: {}",
            count(victims.len(), "object"),
            cascade::summary(&groups)
        ));
    }
    if !homes.is_empty() {
        parts.push(format!("it is the home of {}", list(&homes)));
    }
    if !unread.is_empty() {
        parts.push(format!(
            "what is in it could not be counted completely ({})",
            list(&unread)
        ));
    }
    finding.message = parts.join("; ");
    finding.evidence = evidence(context, step, &homes);
    finding.step = Some(step.key.clone());
    finding.help = help(context, step, &homes);
    if groups.iter().any(|group| !group.owner.is_claimed()) {
        let import = format!(
            "if what nobody claims belongs to an environment: underpin import -e ENV --namespace {name}"
        );
        finding
            .help
            .insert(finding.help.len().saturating_sub(1), import);
    }
    finding.cascade = groups;
    Some(finding)
}

/// What dies with the namespace and counts, with what controllers made from it. What goes by itself does
/// not: an earlier run, or this one before it was interrupted, has deleted what it was made for.
fn counted<'c>(context: &'c Context<'_>, namespace: &ObjectKey) -> Vec<&'c ObjectKey> {
    let victims = cascade::victims(context, namespace);
    let counts = |key: &&&ObjectKey| match context.before.get(key) {
        None => true,
        Some(object) if leaves(context, object) => false,
        Some(object) => match presence(object, context.before, context.ownership.claims()) {
            Presence::Counts => true,
            Presence::Derived(_) => controller_of(context.before, object)
                .is_some_and(|controller| victims.contains(&controller.key)),
            Presence::Ambient(_) => false,
        },
    };
    victims.iter().filter(counts).copied().collect()
}

/// Environments that live there; the one that is torn down does not count against itself.
fn homes(context: &Context<'_>, namespace: &str) -> Vec<String> {
    let asking = context
        .claim_id()
        .filter(|_| context.plan.purpose == Purpose::Down);
    placed_in(context.before, namespace, asking)
        .map(underpin_model::Claim::display_name)
        .collect()
}

fn opening(context: &Context<'_>, step: &Step) -> String {
    let name = &step.key.name;
    match renamed_to(context, step) {
        Some(new) => format!(
            "this renames namespace {name} to {}: Kubernetes cannot rename a namespace, so {} \
             would be created and {name} deleted with everything in it",
            new.key.name, new.key.name
        ),
        None if step.action == Action::Replace => {
            format!("namespace {name} would be deleted and created anew, empty")
        }
        None => format!("namespace {name} would be deleted with everything in it"),
    }
}

/// The declared Namespace that this plan creates while it deletes this one.
fn renamed_to<'c>(context: &'c Context<'_>, step: &Step) -> Option<&'c Step> {
    if context.plan.purpose != Purpose::Up || step.action != Action::Delete {
        return None;
    }
    let created = |other: &&Step| other.key.is_namespace() && other.action == Action::Create;
    context.plan.steps.iter().find(created)
}

fn evidence(context: &Context<'_>, step: &Step, homes: &[String]) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    if let Some(new) = renamed_to(context, step)
        && let Some(desired) = &new.desired
    {
        let path = FieldPath::new("metadata.name");
        evidence.push(desired.evidence(path, format!("the new name; it was {}", step.key.name)));
    }
    for home in homes {
        evidence.push(evidence_of(
            context,
            &step.key,
            format!("home of {home}, as its claim records"),
        ));
    }
    evidence
}

fn help(context: &Context<'_>, step: &Step, homes: &[String]) -> Vec<String> {
    let name = &step.key.name;
    let mut help = Vec::new();
    if renamed_to(context, step).is_some() {
        help.push(format!(
            "restore the name {name} in the manifest; the environment stays where it lives"
        ));
        help.push(
            "or write ${namespace} there: it always names the place where the environment lives"
                .to_owned(),
        );
    } else {
        help.push(format!("keep namespace {name} declared until it is empty"));
    }
    for home in homes
        .iter()
        .filter(|home| **home != context.environment_name())
    {
        let other = home
            .split_once('/')
            .map_or(home.as_str(), |(_, environment)| environment);
        help.push(format!(
            "{home} lives there; if it is to go too, first: underpin down -e {other}"
        ));
    }
    // The executor counts again: consent is to the rest of the plan, never to the cascade.
    let subject = step.key.subject();
    help.push(format!(
        "to go on with the rest, {subject} staying as long as anything is in it: \
         --accept {CODE}:{subject} --reason \"…\""
    ));
    help
}
