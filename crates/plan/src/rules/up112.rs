#![doc = include_str!("docs/UP112.md")]

use underpin_model::{Code, Finding, ObjectKey, Owner, Severity};
use underpin_refs::{Presence, presence};

use crate::{
    Context, Purpose, cascade, context::evidence_of, occupancy::placed_in, rules::Rule,
    wording::list,
};

/// The rule's code.
pub const CODE: Code = Code(112);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "shared-namespace",
    summary: "several stacks, environments or tools live in the namespace of this environment",
    documentation: include_str!("docs/UP112.md"),
    check: Some(check),
    survey: None,
};

/// Objects shown as evidence; the groups list them all.
const EVIDENCE_LIMIT: usize = 5;

fn check(context: &Context<'_>) -> Vec<Finding> {
    // A teardown keeps a shared namespace and says who is in it.
    if context.plan.purpose != Purpose::Up {
        return Vec::new();
    }
    let home = context.home();
    let homes: Vec<String> = placed_in(context.before, home, context.claim_id())
        .map(underpin_model::Claim::display_name)
        .collect();
    let own = cascade::own(context);
    let theirs: Vec<&ObjectKey> = context
        .before
        .in_namespace(home)
        .filter(|object| {
            presence(object, context.before, context.ownership.claims()) == Presence::Counts
        })
        .map(|object| (object, context.ownership.owner(context.before, object)))
        .filter(|(_, owner)| owner.is_claimed() && *owner != own)
        .map(|(object, _)| &object.key)
        .collect();
    if homes.is_empty() && theirs.is_empty() {
        return Vec::new();
    }
    let groups = cascade::groups(context, theirs.iter().copied());
    let mut others: Vec<String> = homes.clone();
    others.extend(groups.iter().map(|group| group.owner.to_string()));
    others.sort();
    others.dedup();
    let key = ObjectKey::of_namespace(home);
    let message = format!(
        "{} lives in namespace {home} together with {}: whoever deletes that namespace takes them \
         all",
        context.environment_name(),
        list(&others)
    );
    let mut finding = Finding::new(CODE, Severity::Warn, key.subject(), message);
    for other in &homes {
        finding.evidence.push(evidence_of(
            context,
            &key,
            format!("home of {other}, as its claim records"),
        ));
    }
    for object in theirs.iter().take(EVIDENCE_LIMIT) {
        let owner: Owner = cascade::owner_of(context, object);
        finding
            .evidence
            .push(evidence_of(context, object, format!("belongs to {owner}")));
    }
    finding.help = vec![
        "restrict who may delete namespaces; a fresh environment can live apart: give it a \
         `parent:`, or a `namespace:` of its own"
            .to_owned(),
    ];
    vec![finding]
}
