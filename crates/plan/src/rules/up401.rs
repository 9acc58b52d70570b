#![doc = include_str!("docs/UP401.md")]

use underpin_model::{Code, Consumer, Finding, ObjectKey, Supplier};

use crate::{Context, NeedFate, Survey, context::with_places, dangling::is_declared, rules::Rule};

/// The rule's code.
pub const CODE: Code = Code(401);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "need-not-allowed",
    summary: "something needs a connection that policies refuse when it is opened anew",
    documentation: include_str!("docs/UP401.md"),
    check: Some(check),
    survey: Some(survey),
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let fates = context.need_fates().iter();
    let told = fates.filter(|fate| !fate.is_old() || is_own(context, fate));
    told.filter_map(NeedFate::refused)
        .map(|finding| with_places(context, finding))
        .collect()
}

/// Whether this environment declares who needs, what is needed, or what refuses: what others left
/// refused is not this plan's tale.
fn is_own(context: &Context<'_>, fate: &NeedFate) -> bool {
    let need = &fate.now.need;
    let consumer = match &need.from {
        Consumer::Workload(key) => is_declared(context, key),
        _ => false,
    };
    let supplier = match &need.to {
        Supplier::Service { namespace, name } => {
            let kind = underpin_model::GroupKind::core("Service");
            is_declared(context, &ObjectKey::namespaced(kind, namespace, name))
        }
        Supplier::Workload(key) => is_declared(context, key),
        Supplier::Host(_) | Supplier::Address(_) => false,
    };
    consumer || supplier || fate.policies().iter().any(|key| is_declared(context, key))
}

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let fates = survey.need_fates().iter();
    let told = fates.filter(|fate| survey.concerns(fate));
    told.filter_map(NeedFate::refused).collect()
}
