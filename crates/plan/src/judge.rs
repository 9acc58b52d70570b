//! The verdict: every rule over the world before, the plan and the world after.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{
    Claim, ClaimId, Evidence, FieldPath, Finding, ObjectKey, Severity, Step, World,
};
use underpin_refs::ReferenceIndex;

use crate::{
    Acceptance, Acceptances, Environment, Ownership, Plan, RecordedObject, Simulation, rules,
    simulate::simulate,
};

/// What rules look at. Rules are pure functions over this.
pub struct Context<'a> {
    /// What is asked for; absent for `down`, which needs no stack file's contents.
    pub environment: Option<&'a Environment>,
    /// The environment's claim, unless it has none yet.
    pub claim: Option<&'a Claim>,
    /// The world as read.
    pub before: &'a World,
    /// What is going to be done.
    pub plan: &'a Plan,
    /// The world after, and what died on the way.
    pub simulation: Simulation,
    /// Whose every object is.
    pub ownership: &'a Ownership,
    /// References in the world before.
    pub references_before: ReferenceIndex,
    /// References in the world after.
    pub references_after: ReferenceIndex,
    /// What was accepted by name.
    pub acceptances: &'a Acceptances,
    /// Objects as another tool's state records them.
    pub recorded: &'a [RecordedObject],
    /// The plan's steps by object; the first where there are several.
    pub steps: BTreeMap<&'a ObjectKey, &'a Step>,
    /// Objects that controllers make in the world before.
    pub expected_before: BTreeSet<ObjectKey>,
}

impl<'a> Context<'a> {
    /// The step of an object.
    pub fn step(&self, key: &ObjectKey) -> Option<&'a Step> {
        self.steps.get(key).copied()
    }

    /// The claim's identity, if it has one already.
    pub fn claim_id(&self) -> Option<&'a ClaimId> {
        self.claim.map(|claim| &claim.id)
    }

    /// The namespace that the environment lives in.
    pub fn home(&self) -> &'a str {
        &self.plan.placement.placement.namespace
    }

    /// `stack/environment`.
    pub fn environment_name(&self) -> String {
        format!("{}/{}", self.plan.stack, self.plan.environment)
    }
}

/// What the rules say of a plan.
#[derive(Debug)]
pub struct Verdict {
    /// Findings, the heaviest first, then by code and subject.
    pub findings: Vec<Finding>,
    /// Acceptances that matched no finding: an error, for a typo must not pass for consent.
    pub unused: Vec<Acceptance>,
}

impl Verdict {
    /// Whether a finding stops the plan.
    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(Finding::blocks)
    }

    /// Whether there is a warning.
    pub fn has_warnings(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Warn)
    }
}

/// Judges a plan.
pub fn judge(
    environment: Option<&Environment>,
    claim: Option<&Claim>,
    before: &World,
    plan: &Plan,
    ownership: &Ownership,
    acceptances: &Acceptances,
) -> Verdict {
    judge_recorded(
        environment,
        claim,
        before,
        plan,
        ownership,
        acceptances,
        &[],
    )
}

/// Judges a plan, knowing what other tools' states record of the objects concerned.
pub fn judge_recorded(
    environment: Option<&Environment>,
    claim: Option<&Claim>,
    before: &World,
    plan: &Plan,
    ownership: &Ownership,
    acceptances: &Acceptances,
    recorded: &[RecordedObject],
) -> Verdict {
    let simulation = simulate(before, plan);
    let references_after = ReferenceIndex::build(&simulation.after);
    let mut steps = BTreeMap::new();
    for step in &plan.steps {
        steps.entry(&step.key).or_insert(step);
    }
    let context = Context {
        environment,
        claim,
        before,
        plan,
        simulation,
        ownership,
        references_before: ReferenceIndex::build(before),
        references_after,
        acceptances,
        recorded,
        steps,
        expected_before: before
            .objects()
            .flat_map(underpin_refs::generated)
            .collect(),
    };
    let mut findings: Vec<Finding> = rules::RULES
        .iter()
        .flat_map(|rule| (rule.check)(&context))
        .collect();
    let unused = acceptances.mark(&mut findings);
    sort_findings(&mut findings);
    Verdict { findings, unused }
}

/// The heaviest first, then by code and subject.
pub fn sort_findings(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (b.blocks(), b.severity, a.code, &a.subject, &a.message).cmp(&(
            a.blocks(),
            a.severity,
            b.code,
            &b.subject,
            &b.message,
        ))
    });
}

/// Evidence about an object as a whole, with the place where it is declared, if it is.
pub(crate) fn evidence_of(context: &Context<'_>, key: &ObjectKey, note: String) -> Evidence {
    let declared = context.step(key).and_then(|step| step.desired.as_ref());
    match declared.or_else(|| context.before.get(key)) {
        Some(object) => object.evidence(FieldPath::root(), note),
        None => Evidence {
            object: key.clone(),
            path: FieldPath::root(),
            place: None,
            note,
        },
    }
}
