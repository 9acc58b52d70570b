//! What renderers take: a judged plan and how its run ended, without the means to carry it out.

use underpin_deploy::{Outcome, Planned, Summary};
use underpin_model::World;
use underpin_plan::{Plan, Verdict};

/// A plan, the world it was made from, and what the rules say of it.
#[derive(Clone, Copy)]
pub(crate) struct Judged<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) world: &'a World,
    pub(crate) verdict: &'a Verdict,
}

impl<'a> From<&'a Planned> for Judged<'a> {
    fn from(planned: &'a Planned) -> Self {
        Self {
            plan: &planned.plan,
            world: &planned.world,
            verdict: &planned.verdict,
        }
    }
}

/// How the run of a plan ended.
#[derive(Clone, Copy)]
pub(crate) enum Ended<'a> {
    /// The plan is impossible or blocked.
    Refused,
    /// Nothing was to be done.
    Settled,
    /// It was carried out, as far as the summary says.
    Ran(&'a Summary),
}

/// An outcome as renderers take it.
pub(crate) fn ended(outcome: &Outcome) -> (Judged<'_>, Ended<'_>) {
    match outcome {
        Outcome::Refused(planned) => (planned.as_ref().into(), Ended::Refused),
        Outcome::Settled(planned) => (planned.as_ref().into(), Ended::Settled),
        Outcome::Ran(planned, summary) => (planned.as_ref().into(), Ended::Ran(summary)),
    }
}
