#![doc = include_str!("docs/UP405.md")]

use underpin_connect::{Allowance, Direction};
use underpin_model::{Code, FieldPath, Finding, ObjectKey, Severity};

use crate::{
    Survey,
    connectivity::{losses, shown},
    rules::Rule,
    wording::{count, list},
};

/// The rule's code.
pub const CODE: Code = Code(405);

/// The rule.
pub const RULE: Rule = Rule {
    code: CODE,
    name: "allowance-only-live",
    summary: "a policy lets somebody in as it is live, and no longer once the declared files are applied",
    documentation: include_str!("docs/UP405.md"),
    check: None,
    survey: Some(survey),
};

fn survey(survey: &Survey<'_>) -> Vec<Finding> {
    let Some(live) = &survey.live else {
        return Vec::new();
    };
    // A policy that the files do not declare stays as it is.
    let differs = |key: &ObjectKey| {
        let (declared, live) = (survey.declared.get(key), live.world.get(key));
        declared.is_some_and(|declared| {
            live.is_none_or(|live| live.at("/spec") != declared.at("/spec"))
        })
    };
    let policies = survey.declared.objects().map(|object| &object.key);
    if !policies
        .filter(|key| live.world.get(key).is_some())
        .any(differs)
    {
        return Vec::new();
    }
    let (before, after) = (live.engine(), survey.after.engine());
    let allowances = before.allowances(differs).into_iter();
    allowances
        .filter_map(|allowance| {
            let lost = losses(
                &allowance,
                |_| true,
                |from, to| Some([before.reach(from, to).ok()?, after.reach(from, to).ok()?]),
            );
            (!lost.is_empty()).then(|| finding(survey, &allowance, &lost))
        })
        .collect()
}

fn finding(survey: &Survey<'_>, allowance: &Allowance, lost: &[String]) -> Finding {
    let policy = &allowance.policy;
    let (shown, more) = shown(lost);
    let message = format!(
        "{policy} {} as it is live, at {}, and not in the declared file: the next time that is applied, {} \
         will be refused: {}{more}",
        allowance.evidence.note,
        allowance.evidence.path,
        count(shown.len(), "connection"),
        list(shown)
    );
    let mut finding = Finding::new(CODE, Severity::Warn, policy.subject(), message);
    if let Some(declared) = survey.declared.get(policy) {
        let rules = match allowance.direction {
            Direction::Ingress => "spec.ingress",
            Direction::Egress => "spec.egress",
        };
        let evidence = declared.evidence(FieldPath::new(rules), "is what will be applied");
        finding.place.clone_from(&evidence.place);
        finding.evidence.push(evidence);
    }
    finding.evidence.insert(0, allowance.evidence.clone());
    finding.step = Some(policy.clone());
    finding.help = vec![
        "if it is needed, take it over into the declared file, at the place shown".to_owned(),
        format!("if it is not, say so above the policy: `# underpin: allow {CODE} -- why`"),
    ];
    finding
}
