#![doc = include_str!("docs/UP105.md")]

use underpin_model::{Code, Finding, ObjectKey, Owner, Severity, Step};
use underpin_refs::defined_kind;

use crate::{
    Context, cascade,
    cascade::is_custom,
    context::evidence_of,
    rules::Rule,
    simulate::Cause,
    wording::{accept, count},
};

/// The rule's code.
pub const CODE: Code = Code(105);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "container-replaced",
    summary: "a CustomResourceDefinition with instances, or an owner of objects outside the plan, \
              is deleted or replaced",
    documentation: include_str!("docs/UP105.md"),
    check: Some(check),
    survey: None,
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let steps = context.plan.steps.iter();
    steps
        .filter(|step| step.action.is_destructive() && !step.key.is_namespace())
        .filter_map(|step| match step.before.as_ref().and_then(defined_kind) {
            Some(kind) => definition(context, step, &kind),
            None => owner(context, step),
        })
        .collect()
}

fn definition(
    context: &Context<'_>,
    step: &Step,
    kind: &underpin_model::GroupKind,
) -> Option<Finding> {
    let victims: Vec<&ObjectKey> = cascade::victims(context, &step.key).into_iter().collect();
    let unread = context.before.unread(kind, None);
    let message = match (victims.is_empty(), unread) {
        (true, None) => return None,
        (true, Some(unread)) => format!(
            "CustomResourceDefinition {} would go, and whether there are objects of kind {} could \
             not be read ({unread}): every one of them would go with it",
            step.key.name, kind.kind
        ),
        (false, _) => {
            let groups = cascade::groups(context, victims.iter().copied());
            format!(
                "CustomResourceDefinition {} would go, and {} with it that this plan does not \
                 delete by itself: {}",
                step.key.name,
                count(victims.len(), "object"),
                cascade::summary(&groups)
            )
        }
    };
    let mut finding = finding(context, step, message, &victims);
    finding.unknown = victims.is_empty();
    finding.help.insert(
        0,
        format!("see what there is: kubectl get -A {}", step.key.name),
    );
    Some(finding)
}

fn owner(context: &Context<'_>, step: &Step) -> Option<Finding> {
    let outside: Vec<&ObjectKey> = cascade::victims(context, &step.key)
        .into_iter()
        .filter(|key| is_outside(context, &step.key, key))
        .collect();
    if outside.is_empty() {
        return None;
    }
    let groups = cascade::groups(context, outside.iter().copied());
    let message = format!(
        "{} owns objects outside this plan: {} would be garbage-collected with it: {}",
        step.key,
        count(outside.len(), "object"),
        cascade::summary(&groups)
    );
    Some(finding(context, step, message, &outside))
}

/// Whether what dies with an owner is more than its controller's own making. Pods and replica sets
/// are the point of deleting a Deployment; custom resources, data, and what somebody else records
/// as his own are not. A custom resource that the controller of the same API group made for its
/// own bookkeeping is no loss either, such as the requests of a Certificate.
fn is_outside(context: &Context<'_>, root: &ObjectKey, key: &ObjectKey) -> bool {
    let Some(object) = context.before.get(key) else {
        return false;
    };
    if !matches!(context.simulation.deaths.get(key), Some(Cause::Owner(_))) {
        return false;
    }
    if recorded_elsewhere(context, root, key) {
        return true;
    }
    if key.kind.is("", "PersistentVolumeClaim") {
        return !object
            .owner_references()
            .iter()
            .any(|owner| owner.kind.is("", "Pod"));
    }
    let bookkeeping = object
        .owner_references()
        .iter()
        .any(|owner| owner.controller && related(&owner.kind.group, &key.kind.group));
    is_custom(&key.kind) && !bookkeeping
}

/// `cert-manager.io` and `acme.cert-manager.io` are one project's.
fn related(owner: &str, owned: &str) -> bool {
    owner.contains('.')
        && (owner == owned
            || owned
                .strip_suffix(owner)
                .is_some_and(|rest| rest.ends_with('.'))
            || owner
                .strip_suffix(owned)
                .is_some_and(|rest| rest.ends_with('.')))
}

fn recorded_elsewhere(context: &Context<'_>, root: &ObjectKey, key: &ObjectKey) -> bool {
    let Some(object) = context.before.get(key) else {
        return false;
    };
    if let Some(claim) = context.ownership.claim_of(context.before, object) {
        return Some(&claim.id) != context.claim_id();
    }
    let tool = underpin_refs::tool_owner(object);
    let above = context.before.get(root).map(underpin_refs::tool_owner);
    matches!(tool, Owner::Tool { .. }) && above.as_ref() != Some(&tool)
}

fn finding(context: &Context<'_>, step: &Step, message: String, victims: &[&ObjectKey]) -> Finding {
    let subject = step.key.subject();
    let mut finding = Finding::new(CODE, Severity::Block, subject.clone(), message);
    finding.cascade = cascade::groups(context, victims.iter().copied());
    finding.evidence = victims
        .iter()
        .take(EVIDENCE_LIMIT)
        .map(|key| witness(context, key))
        .collect();
    finding.step = Some(step.key.clone());
    finding.help = vec![
        format!(
            "keep declaring {}, or remove what depends on it first",
            step.key
        ),
        accept(CODE, &subject),
    ];
    finding
}

/// Objects shown as evidence; the cascade lists them all.
const EVIDENCE_LIMIT: usize = 5;

fn witness(context: &Context<'_>, key: &ObjectKey) -> underpin_model::Evidence {
    let note = match context.simulation.deaths.get(key) {
        Some(Cause::Owner(above)) => format!("owned by {above}"),
        Some(Cause::Definition(above)) => format!("an instance of {above}"),
        _ => "dies in the same cascade".to_owned(),
    };
    evidence_of(context, key, note)
}
