#![doc = include_str!("docs/UP202.md")]

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{Action, Code, FieldPath, Finding, GroupKind, ObjectKey, Severity};
use underpin_route::{RouteKey, RoutingTable, is_ingress};

use crate::{
    Context, Survey,
    edge::Tables,
    rules::Rule,
    wording::{accept, list},
};

/// The rule's code.
pub const CODE: Code = Code(202);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "route-vanish",
    summary: "an address would not be served any more, and nobody asked for that",
    documentation: include_str!("docs/UP202.md"),
    check: Some(check),
    survey: Some(survey),
};

/// Addresses by the object that served them, and by the field that asked.
type Lost<'t> = BTreeMap<(&'t ObjectKey, &'t FieldPath), Vec<&'t RouteKey>>;

fn lost(routes: &Tables) -> Lost<'_> {
    let mut lost = Lost::new();
    for (key, route) in routes.before.iter().flat_map(|table| &table.routes) {
        if !routes.after.routes.contains_key(key) {
            let of_field = lost.entry((&*route.source.object, &route.path));
            of_field.or_default().push(key);
        }
    }
    lost
}

/// What the plan takes along that is not this environment's. What it declares otherwise, or deletes
/// by a step of its own, was asked for.
fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(routes) = context.routes() else {
        return Vec::new();
    };
    let entries = context.claim.iter().flat_map(|claim| &claim.entries);
    let recorded: BTreeSet<&ObjectKey> = entries.map(|(_, entry)| &entry.key).collect();
    let is_asked_for = |object: &ObjectKey| {
        recorded.contains(object)
            || context
                .step(object)
                .is_some_and(|step| step.desired.is_some() || step.action == Action::Delete)
    };
    let lost = lost(routes).into_iter();
    lost.filter(|((object, _), _)| !is_asked_for(object))
        .filter_map(|((object, path), keys)| {
            let cause = context.simulation.deaths.get(object)?;
            let above = cause.above()?;
            let addresses = list(&keys);
            let message = format!(
                "{addresses} would be served by nobody: {object}, which serves it, dies with {above}"
            );
            let mut finding =
                Finding::new(CODE, Severity::Block, object.subject(), message);
            let live = context.before.get(object);
            let note = format!("asks for {addresses}");
            finding
                .evidence
                .extend(live.map(|live| live.evidence(path.clone(), note)));
            finding.step = Some(above.clone());
            finding.help = vec![
                format!("keep {above}, or have another object serve the address first"),
                accept(CODE, &object.subject()),
            ];
            Some(finding)
        })
        .collect()
}

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let routes = survey.routes();
    let mut findings = Vec::new();
    if survey.before.is_some() {
        findings.extend(removed(survey, routes));
    }
    if survey.is_whole() {
        findings.extend(leaving(survey, &routes.after));
        let table = &routes.after;
        if survey.edge.alone || !table.routes.is_empty() {
            findings.extend(unread(survey));
        }
    }
    findings
}

/// What a change of files takes away with the object that asked for it.
fn removed<'s>(survey: &'s Survey<'_>, routes: &'s Tables) -> impl Iterator<Item = Finding> + 's {
    let is_gone = |object: &ObjectKey| survey.after.world.get(object).is_none();
    let lost = lost(routes).into_iter();
    lost.filter(move |((object, _), _)| is_gone(object))
        .map(|((object, path), keys)| {
            let addresses = list(&keys);
            let message = format!(
                "{addresses} would be served by nobody: this change removes {object}, which asks \
                 for it"
            );
            let mut finding = Finding::new(CODE, Severity::Warn, object.subject(), message);
            let former = survey.before.as_ref();
            let former = former.and_then(|before| before.world.get(object));
            let note = format!("asked for {addresses}");
            finding
                .evidence
                .extend(former.map(|former| former.evidence(path.clone(), note)));
            finding.step = Some(object.clone());
            finding.help = vec![
                "if the address is to stay, put its entry on the object that replaces this one"
                    .to_owned(),
            ];
            finding
        })
}

/// What nobody but objects that are being deleted asks for.
fn leaving<'s>(
    survey: &'s Survey<'_>,
    table: &'s RoutingTable,
) -> impl Iterator<Item = Finding> + 's {
    let mut left: BTreeMap<(&ObjectKey, &FieldPath, String), Vec<&RouteKey>> = BTreeMap::new();
    for conflict in &table.conflicts {
        if conflict.winner.is_none() {
            let by = (&conflict.loser, &conflict.path, conflict.reason.to_string());
            left.entry(by).or_default().push(&conflict.key);
        }
    }
    left.into_iter().map(|((object, path, reason), keys)| {
        let addresses = list(&keys);
        let message = format!("{addresses} is asked for by nobody but {object}, and {reason}");
        let mut finding = Finding::new(CODE, Severity::Warn, object.subject(), message);
        let there = survey.after.world.get(object);
        let note = format!("asks for {addresses}");
        finding
            .evidence
            .extend(there.map(|there| there.evidence(path.clone(), note)));
        finding.place = finding.evidence.iter().find_map(|one| one.place.clone());
        finding.step = Some(object.clone());
        finding.help =
            vec!["if the address is to stay, put its entry on another object".to_owned()];
        finding
    })
}

/// What could not be read may hold entries: an address that is not seen is not known to be gone.
fn unread(survey: &Survey<'_>) -> Vec<Finding> {
    let serves_ingresses = survey.edge.settings.ingress_class.is_some();
    let mut kinds = vec![GroupKind::core("Service")];
    if serves_ingresses {
        kinds.push(GroupKind::new("networking.k8s.io", "Ingress"));
    }
    let unread = survey.after.world.unread.iter().filter(|unread| {
        let is_old_ingress = || serves_ingresses && unread.kind.as_ref().is_some_and(is_ingress);
        kinds.iter().any(|kind| unread.covers(kind, None)) || is_old_ingress()
    });
    let mut findings: Vec<Finding> = unread
        .map(|unread| {
            let message = format!(
                "what the edge serves is not known completely, for something could not be read: \
                 {unread}"
            );
            let subject = match &unread.kind {
                Some(kind) => kind.to_string(),
                None => unread.group.clone(),
            };
            let mut finding = Finding::new(CODE, Severity::Warn, subject, message);
            finding.unknown = true;
            finding.help = vec![
                "name a context with the right to list it, or a dump that holds all of them"
                    .to_owned(),
            ];
            finding
        })
        .collect();
    findings.dedup();
    findings
}
