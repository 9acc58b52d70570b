#![doc = include_str!("docs/UP406.md")]

use underpin_connect::Renames;
use underpin_model::{Code, Finding};

use crate::{
    Context, NeedFate, Network, Survey, context::with_places, need_fate::need_fates, rules::Rule,
    unproven::unproven,
};

/// The rule's code.
pub const CODE: Code = Code(406);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "need-lost",
    summary: "something needs a connection that was allowed before the change and is refused after it",
    documentation: include_str!("docs/UP406.md"),
    check: Some(check),
    survey: Some(survey),
};

/// What is needed, was allowed in one world and is not in another, in the order of needs. There is no
/// run that could accept anything: no way out says so.
pub fn lost_needs(before: &Network<'_>, after: &Network<'_>, renames: &Renames) -> Vec<Finding> {
    let fates = need_fates(Some(before), after, renames);
    let mut findings: Vec<Finding> = fates.iter().filter_map(NeedFate::lost).collect();
    findings.iter_mut().for_each(Finding::offer_no_acceptance);
    findings
}

fn check(context: &Context<'_>) -> Vec<Finding> {
    let lost = context.need_fates().iter().filter_map(NeedFate::lost);
    let findings = lost.chain(unproven(context));
    findings
        .map(|finding| with_places(context, finding))
        .collect()
}

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    survey
        .need_fates()
        .iter()
        .filter_map(NeedFate::lost)
        .collect()
}
