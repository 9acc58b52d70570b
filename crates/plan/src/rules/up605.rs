#![doc = include_str!("docs/UP605.md")]

use serde_json::Value;
use underpin_model::{Code, Evidence, FieldPath, Finding, ObjectKey, Severity};

use crate::{Autoscaled, Context, context::evidence_of, rules::Rule};

/// The rule's code.
pub const CODE: Code = Code(605);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "autoscaled-replicas",
    summary: "a manifest's number of replicas is not applied, since an autoscaler sets another",
    documentation: include_str!("docs/UP605.md"),
    check: Some(check),
    survey: None,
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let autoscaled = context.plan.autoscaled.iter();
    autoscaled
        .filter_map(|(key, autoscaled)| finding(context, key, autoscaled))
        .collect()
}

fn finding(context: &Context<'_>, key: &ObjectKey, autoscaled: &Autoscaled) -> Option<Finding> {
    let Autoscaled { declared, by } = autoscaled;
    let step = context.step(key)?;
    let live: &Value = step.before.as_ref()?.at("/spec/replicas")?;
    if live == declared {
        return None;
    }
    let message = format!(
        "{key} keeps its {live} replicas: {by} decides how many there are, and the {declared} of \
         the manifest are not applied"
    );
    let mut finding = Finding::new(CODE, Severity::Note, key.subject(), message);
    let path = FieldPath::root().key("spec").key("replicas");
    let desired = step.desired.as_ref()?;
    finding.place = desired.origin.place_of(&path);
    finding.step = Some(key.clone());
    finding.evidence = vec![Evidence {
        path: FieldPath::new("spec.scaleTargetRef"),
        ..evidence_of(context, by, format!("scales {key}"))
    }];
    finding.help = vec![
        "remove `spec.replicas` from the manifest: nothing else changes by that".to_owned(),
        format!("for more or fewer, change the bounds of {by}"),
    ];
    Some(finding)
}
