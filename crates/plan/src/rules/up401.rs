#![doc = include_str!("docs/UP401.md")]

use std::collections::BTreeSet;

use underpin_connect::Verdict;
use underpin_model::{Code, Consumer, Finding, Need, ObjectKey, Severity, Supplier, Unread};

use crate::{
    Context, NeedFate, Survey,
    context::with_places,
    dangling::is_declared,
    need_fate::EVIDENCE_LIMIT,
    rules::Rule,
    unproven::unread_of,
    wording::{count, list},
};

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
        .chain(unjudged(context))
        .collect()
}

/// The needs of this environment, and of it, that cannot be judged because of what could not be read.
fn unjudged(context: &Context<'_>) -> Option<Finding> {
    let fates = context.need_fates().iter();
    let unknown = fates.filter(|fate| fate.now.verdict == Verdict::Unknown);
    let own = unknown.filter(|fate| is_own(context, fate));
    let unread = own.filter_map(|fate| Some((&fate.now.need, unread_of(context, fate)?)));
    let (needs, unread): (Vec<&Need>, Vec<&Unread>) = unread.unzip();
    let because: BTreeSet<String> = unread.iter().map(ToString::to_string).collect();
    let because: Vec<String> = because.into_iter().collect();
    if needs.is_empty() {
        return None;
    }
    let subject = ObjectKey::of_namespace(context.home()).subject();
    let message = format!(
        "whether policies allow {} of {} could not be judged ({}): {}",
        count(needs.len(), "connection"),
        context.environment_name(),
        because.join("; "),
        list(&needs)
    );
    let mut finding = Finding::new(CODE, Severity::Warn, subject, message);
    finding.unknown = true;
    let evidence = needs.iter().filter_map(|need| need.evidence.first());
    finding.evidence = evidence.take(EVIDENCE_LIMIT).cloned().collect();
    finding.help = vec![
        "run with the right to list policies, pods, Services and namespaces there: `underpin rbac` \
         prints a role"
            .to_owned(),
    ];
    Some(finding)
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
