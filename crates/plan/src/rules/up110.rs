#![doc = include_str!("docs/UP110.md")]

use underpin_model::{Action, Code, Finding, ObjectKey, Severity};

use crate::{Context, Purpose, cascade, rules::Rule, wording::accept};

/// The rule's code.
pub const CODE: Code = Code(110);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "mass-removal",
    summary: "an `up` removes more than a set share of what the environment owns",
    documentation: include_str!("docs/UP110.md"),
    check: Some(check),
    survey: None,
};

/// Fewer removals are an everyday change, whatever share of a small stack they are.
const LEAST_REMOVALS: usize = 3;

fn check(context: &Context<'_>) -> Vec<Finding> {
    let (Some(environment), Some(claim)) = (context.environment, context.claim) else {
        return Vec::new();
    };
    if context.plan.purpose != Purpose::Up {
        return Vec::new();
    }
    let removed: Vec<&ObjectKey> = context
        .plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Delete)
        .map(|step| &step.key)
        .collect();
    let owned = claim.entries.len();
    let limit = usize::from(environment.removal_percent);
    if removed.len() < LEAST_REMOVALS || removed.len() * 100 <= limit * owned {
        return Vec::new();
    }
    let subject = context.environment_name();
    let message = format!(
        "this plan removes {} of the {owned} objects that {subject} owns ({} %); more than {limit} \
         % at once is taken for a mistake, such as an empty folder or a filter that matches nothing",
        removed.len(),
        removed.len() * 100 / owned.max(1)
    );
    let mut finding = Finding::new(CODE, Severity::Block, subject.clone(), message);
    finding.cascade = cascade::groups(context, removed);
    finding.help = vec![
        "check the sources: does the stack file point at the right folder and revision?".to_owned(),
        format!(
            "to end the environment: underpin down -e {}",
            context.plan.environment
        ),
        accept(CODE, &subject),
    ];
    vec![finding]
}
