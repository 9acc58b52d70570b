//! Values in declared files that name another namespace than the one in which the thing is declared.

use underpin_model::{Finding, GroupKind, ObjectKey, Reference, Relation, Severity};

use super::CODE;
use crate::{Survey, dangling::named};

pub(super) fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let references = survey.references().all();
    references
        .filter_map(|reference| Some(finding(survey, reference, stale(survey, reference)?)))
        .collect()
}

/// Where the thing is that a reference looks for in a namespace that is not there. What a change
/// renamed is UP403's to tell.
fn stale<'s>(survey: &Survey<'s>, reference: &Reference) -> Option<&'s ObjectKey> {
    let target = named(reference)?;
    let names_a_place = matches!(
        reference.relation,
        Relation::Host
            | Relation::Upstream
            | Relation::Subject
            | Relation::Service
            | Relation::ScaleTarget
    );
    if !names_a_place || !survey.declares(&reference.from) {
        return None;
    }
    let namespace = target.namespace.as_deref()?;
    let is_there = |network: &crate::Network<'_>| network.namespaces().contains(namespace);
    if is_there(&survey.after) || survey.before.as_ref().is_some_and(is_there) {
        return None;
    }
    let kind = GroupKind::core("Namespace");
    if survey.after.world.unread(&kind, None).is_some() {
        return None;
    }
    match *survey.declared_as(&target.kind, &target.name) {
        [only] => Some(only),
        _ => None,
    }
}

/// Whether this rule tells of a reference, so that others need not.
pub(crate) fn is_stale_in(survey: &Survey<'_>, reference: &Reference) -> bool {
    stale(survey, reference).is_some()
}

fn finding(survey: &Survey<'_>, reference: &Reference, lives: &ObjectKey) -> Finding {
    let from = &reference.from;
    let namespace = lives.namespace.as_deref().unwrap_or_default();
    let (what, unknown) = if survey.is_whole() {
        ("which is not there", false)
    } else {
        ("of which these files declare nothing", true)
    };
    let message = format!(
        "{from} names {}, in a namespace {what}; {} {} is declared in {namespace}",
        reference.target, lives.kind.kind, lives.name
    );
    let mut finding = Finding::new(CODE, Severity::Warn, from.subject(), message);
    finding.unknown = unknown;
    finding.place.clone_from(&reference.evidence.place);
    finding.evidence = vec![reference.evidence.clone()];
    finding.step = Some(from.clone());
    finding.help = vec![
        format!("if that one is meant, write {namespace} at the place shown"),
        format!(
            "if another is, say so above the line: `# underpin: allow {CODE} -- where it is declared`"
        ),
    ];
    finding
}
