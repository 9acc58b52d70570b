//! What the rules look at: the case, the world after, and references from both ends.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use underpin_connect::{Renames, UnmatchedSelector, may_limit, takes_part};
use underpin_model::{
    Action, Claim, ClaimId, Evidence, FieldPath, Finding, ObjectKey, Step, World, builtin_kind,
};
use underpin_refs::{NeedOptions, ReferenceIndex};

use crate::{
    Acceptances, Case, Environment, NeedFate, Network, Ownership, Plan, Recorded, Simulation,
    edge::{Tables, takes_part_in_routes},
    need_fate::ALLOWED_BEFORE,
    need_fates,
    simulate::simulate,
    unproven::{Loss, unseen_losses},
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
    pub references_before: Arc<ReferenceIndex>,
    /// References in the world after.
    pub references_after: Arc<ReferenceIndex>,
    /// What was accepted by name.
    pub acceptances: &'a Acceptances,
    /// Objects as other tools' states record them.
    pub recorded: &'a Recorded,
    /// The plan's steps by object; the first where there are several.
    pub steps: BTreeMap<&'a ObjectKey, &'a Step>,
    /// Objects that controllers make in the world before.
    pub expected_before: BTreeSet<ObjectKey>,
    connectivity: OnceCell<Connectivity>,
    routes: OnceCell<Option<Tables>>,
}

/// What the plan does to who may connect to whom.
#[derive(Debug, Default)]
pub(crate) struct Connectivity {
    /// Needs that are not met after the plan.
    pub(crate) fates: Vec<NeedFate>,
    /// Selectors of policies that match nothing after the plan.
    pub(crate) unmatched: Vec<UnmatchedSelector>,
    /// What policies let pass no longer, where it could not be read who makes use of it.
    pub(crate) losses: Vec<Loss>,
}

impl<'a> Context<'a> {
    /// Simulates the plan and looks everything up that several rules need.
    pub fn new(case: Case<'a>) -> Self {
        let simulation = simulate(case.before, case.plan);
        let references_before = Arc::new(ReferenceIndex::build(case.before));
        let references_after = references_before.rebuild(case.before, &simulation.after);
        let mut steps = BTreeMap::new();
        for step in &case.plan.steps {
            steps.entry(&step.key).or_insert(step);
        }
        Self {
            environment: case.environment,
            claim: case.claim,
            before: case.before,
            plan: case.plan,
            ownership: case.ownership,
            acceptances: case.acceptances,
            recorded: case.recorded,
            simulation,
            references_before,
            references_after,
            steps,
            expected_before: case
                .before
                .objects()
                .flat_map(underpin_refs::generated)
                .collect(),
            connectivity: OnceCell::new(),
            routes: OnceCell::new(),
        }
    }

    /// What the plan does to connections; nothing where it touches nothing that they depend on, and
    /// where no policy or network limits any, as far as is known. Both engines are built once, and no sooner.
    pub(crate) fn connectivity(&self) -> &Connectivity {
        self.connectivity.get_or_init(|| {
            let after = &self.simulation.after;
            if !self.plan.steps.iter().any(touches_connections)
                || ![self.before, after].into_iter().any(may_limit)
            {
                return Connectivity::default();
            }
            let options = NeedOptions::default();
            let before = Network::new(self.before, &[], &options);
            let after = Network::new(after, &[], &options);
            Connectivity {
                fates: need_fates(Some(&before), &after, &Renames::default()),
                unmatched: after.engine().unmatched_selectors(),
                losses: unseen_losses(self.before, self.plan, before.engine(), after.engine()),
            }
        })
    }

    /// Needs that are not met after the plan.
    pub(crate) fn need_fates(&self) -> &[NeedFate] {
        &self.connectivity().fates
    }

    /// What the edge serves before the plan and after it; none where the plan is about nothing that
    /// it reads.
    pub(crate) fn routes(&self) -> Option<&Tables> {
        let tables = self.routes.get_or_init(|| {
            let steps = self.plan.steps.iter().map(|step| &step.key);
            let mut touched = steps.chain(self.simulation.deaths.keys());
            touched.any(|key| takes_part_in_routes(&key.kind)).then(|| {
                let settings = underpin_route::Settings::default();
                Tables::of(Some(self.before), &self.simulation.after, &settings)
            })
        });
        tables.as_ref()
    }

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

/// The groups of what makes the API server call somebody.
const CALLED_BY_THE_SERVER: &[&str] = &["admissionregistration.k8s.io", "apiregistration.k8s.io"];

/// Whether what a step changes can change who may connect to whom, or who needs to.
fn touches_connections(step: &Step) -> bool {
    let kind = &step.key.kind;
    !matches!(step.action, Action::Keep(_))
        && (takes_part(kind)
            || kind.is("", "ConfigMap")
            || kind.is("", "Secret")
            || CALLED_BY_THE_SERVER.contains(&kind.group.as_str())
            || builtin_kind(&kind.group, &kind.kind).is_none())
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

/// A finding about what lives, with the places where that is declared.
pub(crate) fn with_places(context: &Context<'_>, mut finding: Finding) -> Finding {
    for evidence in &mut finding.evidence {
        if evidence.place.is_none() && evidence.note != ALLOWED_BEFORE {
            let declared = context.step(&evidence.object);
            let declared = declared.and_then(|step| step.desired.as_ref());
            evidence.place = declared.and_then(|one| one.origin.place_of(&evidence.path));
        }
    }
    if finding.place.is_none() {
        let step = finding.step.as_ref();
        let about = |evidence: &&Evidence| Some(&evidence.object) == step;
        let mut placed = finding.evidence.iter();
        finding.place = placed.rfind(about).and_then(|one| one.place.clone());
    }
    finding
}
