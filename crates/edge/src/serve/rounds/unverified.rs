//! What a verification found that is not as it must be, and who may be why.

use std::collections::{BTreeMap, BTreeSet};

use underpin_model::{
    ObjectKey,
    wording::{count, list},
};
use underpin_route::{ProbeFailure, Remembered, RouteKey, ServedRoute, suspects};

use crate::Verification;

/// How many failures are told of one verification; all of them count.
const MOST_TOLD: usize = 20;

/// Why a document is not known to be served.
pub(super) struct Unverified {
    pub(super) why: String,
    pub(super) failures: Vec<ProbeFailure>,
    /// Secrets whose new certificates are not shown.
    pub(super) certificates: BTreeSet<ObjectKey>,
    /// Whether any route was answered by its own: if none is, it is not for what they say.
    pub(super) answered: bool,
}

impl Unverified {
    pub(super) fn of(why: String) -> Self {
        Self {
            why,
            failures: Vec::new(),
            certificates: BTreeSet::new(),
            answered: false,
        }
    }

    /// Whether it may be for what routes say: some are answered, and so is who nobody is configured for.
    pub(super) fn is_for_routes(&self) -> bool {
        self.answered && self.failures.iter().all(|failure| failure.key.is_some())
    }

    /// The routes that may be why.
    pub(super) fn suspects(
        &self,
        next: &Remembered,
        last: &Remembered,
    ) -> BTreeMap<RouteKey, ServedRoute> {
        if !self.is_for_routes() {
            return BTreeMap::new();
        }
        let failed = self.failures.iter().filter_map(|it| it.key.as_ref());
        suspects(failed, &next.served, &last.served)
    }
}

/// What of a verification is told: of many failures the first, and what was not looked at.
pub(super) fn told(found: &Verification, lost: &BTreeMap<RouteKey, ObjectKey>) -> String {
    let lost = lost.iter().map(|(key, secret)| {
        format!("{key}: the new certificate of {secret} is not shown, and the one before was")
    });
    let failures = found.failures.iter().map(ProbeFailure::to_string);
    let mut texts: Vec<String> = failures.chain(lost).collect();
    if texts.len() > MOST_TOLD {
        let more = texts.len() - MOST_TOLD;
        texts.truncate(MOST_TOLD);
        texts.push(format!("and {more} more"));
    }
    if !found.not_asked.is_empty() {
        let routes = count(found.not_asked.len(), "route");
        let names = list(&found.not_asked);
        texts.push(format!("there was no time to ask for {routes}: {names}"));
    }
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(key: Option<RouteKey>) -> ProbeFailure {
        ProbeFailure {
            key,
            asked: "it".to_owned(),
            what: "it is not answered".to_owned(),
        }
    }

    /// R3.7: where the page does not answer either, or nobody is served, no route is to blame.
    #[test]
    fn r3_7_a_failure_that_is_not_the_routes_alone_blames_none() {
        let key = RouteKey {
            site: underpin_route::SiteAddress::parse("http://a.example.com").ok(),
            path: underpin_route::PathMatch::All,
        };
        for (failures, answered, expect) in [
            (vec![Some(key.clone())], true, true),
            (vec![Some(key.clone())], false, false),
            (vec![Some(key), None], true, false),
            (Vec::new(), true, true),
        ] {
            let unverified = Unverified {
                failures: failures.into_iter().map(failure).collect(),
                answered,
                ..Unverified::of(String::new())
            };
            assert_eq!(unverified.is_for_routes(), expect);
        }
    }
}
