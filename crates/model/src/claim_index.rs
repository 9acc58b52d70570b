//! Which claims record an object, looked up without a scan of all their entries.

use std::collections::BTreeMap;

use crate::{Claim, LogicalKey, Object, ObjectKey};

/// The entries of many claims by the live identity that they record. Holds positions, not the
/// claims: it is asked together with the very list that it was made of.
#[derive(Clone, Debug, Default)]
pub struct ClaimIndex {
    /// The claim's position in the list, and the entry's own key.
    recorded: BTreeMap<ObjectKey, Vec<(usize, LogicalKey)>>,
}

impl ClaimIndex {
    /// Indexes a list of claims.
    pub fn of(claims: &[Claim]) -> Self {
        let mut recorded: BTreeMap<ObjectKey, Vec<(usize, LogicalKey)>> = BTreeMap::new();
        for (position, claim) in claims.iter().enumerate() {
            for (logical, entry) in &claim.entries {
                let places = recorded.entry(entry.key.clone()).or_default();
                places.push((position, logical.clone()));
            }
        }
        Self { recorded }
    }

    /// Whether any claim records an object, whether or not it is there.
    pub fn records(&self, key: &ObjectKey) -> bool {
        self.recorded.contains_key(key)
    }

    /// Every claim that owns the live object itself: recorded, with uid or stamp agreeing. More
    /// than one is a fault that somebody has to settle. `claims` is the list that was indexed.
    pub fn owners<'a, 'c>(
        &'a self,
        claims: &'c [Claim],
        object: &'a Object,
    ) -> impl Iterator<Item = &'c Claim> + use<'a, 'c> {
        let places = self.recorded.get(&object.key).into_iter().flatten();
        places.filter_map(move |(position, logical)| {
            let claim = claims.get(*position)?;
            let entry = claim.entries.get(logical)?;
            claim.owns_as(entry, object).then_some(claim)
        })
    }
}
