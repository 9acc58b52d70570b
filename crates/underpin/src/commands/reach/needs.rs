//! Needs: those that a world shows, and those that somebody knows beside it.

use underpin_connect::{Endpoint, Renames, Verdict};
use underpin_model::{Confidence, Finding};
use underpin_plan::{NeedFate, Network, connectivity::JudgedNeed, need_fates, sort_findings};
use underpin_refs::{NeedProblem, SuppressedNeed};

/// The needs of a world with their verdicts, and what rules say of them.
pub(crate) struct Needs {
    /// Refused ones first, then unknown ones; in each the surest first, and else in their order.
    pub(crate) judged: Vec<JudgedNeed>,
    /// UP401 of those that are refused.
    pub(crate) findings: Vec<Finding>,
    /// Why there may be more.
    pub(crate) problems: Vec<NeedProblem>,
    /// What somebody says is no need.
    pub(crate) suppressed: Vec<SuppressedNeed>,
}

impl Needs {
    /// The needs of a world; of some consumers, where these are asked about.
    pub(super) fn of(network: &Network<'_>, only: Option<&[Endpoint]>) -> Self {
        let is_asked = |judged: &JudgedNeed| {
            let mut from = judged.judgements.iter().map(|one| &one.from);
            only.is_none_or(|ends| from.any(|from| ends.contains(from)))
        };
        let judged = network.judged().iter();
        let mut judged: Vec<JudgedNeed> = judged.filter(|one| is_asked(one)).cloned().collect();
        judged.sort_by_key(|one| (weight(one.verdict), reversed(one.need.confidence)));
        let fates = need_fates(None, network, &Renames::default());
        let asked = fates.iter().filter(|fate| is_asked(&fate.now));
        let mut findings: Vec<Finding> = asked.filter_map(NeedFate::refused).collect();
        findings.iter_mut().for_each(Finding::offer_no_acceptance);
        sort_findings(&mut findings);
        Self {
            judged,
            findings,
            problems: network.problems().to_vec(),
            suppressed: network.suppressed().to_vec(),
        }
    }
}

fn weight(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Refused => 0,
        Verdict::Unknown => 1,
        Verdict::Allowed => 2,
    }
}

fn reversed(confidence: Confidence) -> std::cmp::Reverse<Confidence> {
    std::cmp::Reverse(confidence)
}
