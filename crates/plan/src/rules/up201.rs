#![doc = include_str!("docs/UP201.md")]

use std::collections::BTreeMap;

use underpin_model::{Code, FieldPath, Finding, ObjectKey, Severity, World};
use underpin_route::{Conflict, LossReason, RouteKey, RoutingTable};

use crate::{Context, Survey, dangling::is_declared, rules::Rule, wording::list};

/// The rule's code.
pub const CODE: Code = Code(201);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "route-conflict",
    summary: "several objects ask the edge for one address, and only one can serve it",
    documentation: include_str!("docs/UP201.md"),
    check: Some(check),
    survey: Some(survey),
};

/// What is this environment's tale: it declares who serves, or who does not.
fn check(context: &Context<'_>) -> Vec<Finding> {
    let Some(routes) = context.routes() else {
        return Vec::new();
    };
    let own = |key: &ObjectKey| is_declared(context, key);
    conflicts(&routes.after, &context.simulation.after, own)
}

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let own = |key: &ObjectKey| survey.declares(key);
    conflicts(&survey.routes().after, survey.after.world, own)
}

/// Who loses to whom by which field, and why, in words that keep them apart.
type Lost<'t> = (&'t ObjectKey, &'t FieldPath, &'t ObjectKey, String);

fn conflicts(
    table: &RoutingTable,
    world: &World,
    own: impl Fn(&ObjectKey) -> bool,
) -> Vec<Finding> {
    let mut lost: BTreeMap<Lost<'_>, Vec<&Conflict>> = BTreeMap::new();
    for conflict in &table.conflicts {
        // What is on its way out gives the address up, which is as it should be.
        let leaves = matches!(
            conflict.reason,
            LossReason::Terminating | LossReason::NamespaceTerminating
        );
        let Some(winner) = conflict.winner.as_ref().filter(|_| !leaves) else {
            continue;
        };
        if own(&conflict.loser) || own(winner) {
            let reason = conflict.reason.to_string();
            lost.entry((&conflict.loser, &conflict.path, winner, reason))
                .or_default()
                .push(conflict);
        }
    }
    let told = lost.into_iter();
    told.map(|(lost, conflicts)| finding(table, world, &lost, &conflicts))
        .collect()
}

fn finding(
    table: &RoutingTable,
    world: &World,
    (loser, path, winner, reason): &Lost<'_>,
    conflicts: &[&Conflict],
) -> Finding {
    let keys: Vec<&RouteKey> = conflicts.iter().map(|one| &one.key).collect();
    let addresses = list(&keys);
    let (message, help) = match conflicts.first().map(|one| &one.reason) {
        Some(LossReason::WrittenTwice) => (
            format!("{loser} asks for {addresses} twice: the first block stands"),
            "take the address out of one of the blocks".to_owned(),
        ),
        Some(LossReason::NotCreated) => (
            format!("{loser} and {winner} both ask for {addresses}: {reason}"),
            "take the address out of one of the two".to_owned(),
        ),
        Some(LossReason::Held(_)) => (
            format!("{loser} asks for {addresses}, which {winner} serves: {reason}"),
            format!(
                "take the address out of {loser}, or first out of {winner} where that is declared"
            ),
        ),
        Some(LossReason::NotReady) => (
            format!("{loser} asks for {addresses}, which {winner} serves: {reason}"),
            format!("if {winner} replaces {loser}, delete that; else see why it is not ready"),
        ),
        _ => (
            format!("{loser} asks for {addresses}, which {winner} serves: {reason}"),
            format!(
                "if {winner} replaces {loser}, delete that; else take the address out of one of \
                 the two"
            ),
        ),
    };
    let mut finding = Finding::new(CODE, Severity::Warn, loser.subject(), message);
    let asks = |key: &ObjectKey, path: &FieldPath, note: &str| {
        world
            .get(key)
            .map(|object| object.evidence(path.clone(), note))
    };
    finding
        .evidence
        .extend(asks(loser, path, &format!("asks for {addresses}")));
    if loser != winner {
        let won = keys.first().and_then(|key| table.routes.get(*key));
        let won = won.and_then(|route| asks(winner, &route.path, "asks for the same"));
        finding.evidence.extend(won);
    }
    finding.place = finding.evidence.iter().find_map(|one| one.place.clone());
    finding.step = Some((*loser).clone());
    finding.help = vec![help];
    finding
}
