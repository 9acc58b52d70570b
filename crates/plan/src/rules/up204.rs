#![doc = include_str!("docs/UP204.md")]

use std::collections::BTreeMap;

use underpin_model::{Code, FieldPath, Finding, ObjectKey, Severity, World};
use underpin_route::{Refusal, RoutingTable};

use crate::{
    Context, Survey,
    dangling::is_declared,
    edge::Tables,
    rules::Rule,
    wording::{accept, count},
};

/// The rule's code.
pub const CODE: Code = Code(204);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "route-snippet-refused",
    summary: "an entry for the edge is invalid, or asks for what entries may not do",
    documentation: include_str!("docs/UP204.md"),
    check: Some(check),
    survey: Some(survey),
};

/// Reasons that are named; all are evidence.
const SHOWN_LIMIT: usize = 5;

fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(routes) = context.routes() else {
        return Vec::new();
    };
    let own = |key: &ObjectKey| is_declared(context, key);
    refusals(routes, &context.simulation.after, own)
}

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let own = |key: &ObjectKey| survey.declares(key);
    refusals(survey.routes(), survey.after.world, own)
}

/// What Caddy makes of entries in a world and they may not do.
pub fn of_trials(world: &World, refused: &[Refusal]) -> Vec<Finding> {
    let table = RoutingTable {
        refused: refused.to_vec(),
        ..RoutingTable::default()
    };
    let routes = Tables {
        before: None,
        after: table,
    };
    let mut findings = refusals(&routes, world, |_| true);
    findings.iter_mut().for_each(Finding::offer_no_acceptance);
    findings
}

fn refusals(routes: &Tables, world: &World, own: impl Fn(&ObjectKey) -> bool) -> Vec<Finding> {
    let mut refused: BTreeMap<(&ObjectKey, &FieldPath), Vec<&Refusal>> = BTreeMap::new();
    for refusal in &routes.after.refused {
        if own(&refusal.object) {
            let of_field = refused.entry((&refusal.object, &refusal.path));
            of_field.or_default().push(refusal);
        }
    }
    let told = refused.into_iter();
    told.map(|((object, path), refusals)| finding(routes, world, object, path, &refusals))
        .collect()
}

/// What was refused for the same before warns: nothing is taken away that was served.
fn finding(
    routes: &Tables,
    world: &World,
    object: &ObjectKey,
    path: &FieldPath,
    refusals: &[&Refusal],
) -> Finding {
    let severity = if refusals.iter().all(|one| routes.was_refused(one)) {
        Severity::Warn
    } else {
        Severity::Block
    };
    let what = if routes.asks(object, path) {
        "a part of what"
    } else {
        "what"
    };
    let mut reasons: Vec<String> = refusals.iter().map(|one| one.reason.to_string()).collect();
    reasons.dedup();
    let more = match reasons.len().saturating_sub(SHOWN_LIMIT) {
        0 => String::new(),
        more => format!("; and {}", count(more, "more reason")),
    };
    reasons.truncate(SHOWN_LIMIT);
    let message = format!(
        "the edge refuses {what} {object} asks for: {}{more}",
        reasons.join("; ")
    );
    let mut finding = Finding::new(CODE, severity, object.subject(), message);
    if let Some(object) = world.get(object) {
        let evidence = refusals
            .iter()
            .map(|one| object.evidence(path.clone(), one.reason.to_string()));
        finding.evidence = evidence.collect();
    }
    finding.place = finding.evidence.iter().find_map(|one| one.place.clone());
    finding.step = Some(object.clone());
    let is_entry = path.as_str().starts_with("metadata.annotations");
    let counted = if is_entry {
        "; lines and columns count within the entry"
    } else {
        ""
    };
    finding.help = vec![format!("correct it at the place shown{counted}")];
    if severity == Severity::Block {
        finding.help.push(accept(CODE, &object.subject()));
    }
    finding
}
