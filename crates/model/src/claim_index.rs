//! Which claims record an object, looked up without a scan of all their entries.

use std::collections::BTreeMap;

use crate::{Claim, Entry, LogicalKey, Object, ObjectKey, Stamp};

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
        let recorded = self.recorded(claims, &object.key);
        recorded.filter_map(|(claim, entry)| claim.owns_as(entry, object).then_some(claim))
    }

    /// The same of a live object of which the key, the uid and the stamp are known.
    pub fn owners_of<'a, 'c>(
        &'a self,
        claims: &'c [Claim],
        key: &ObjectKey,
        uid: Option<&'a str>,
        stamp: Option<&'a Stamp>,
    ) -> impl Iterator<Item = &'c Claim> + use<'a, 'c> {
        let recorded = self.recorded(claims, key);
        recorded.filter_map(move |(claim, entry)| {
            claim.owns_identity(entry, uid, stamp).then_some(claim)
        })
    }

    fn recorded<'a, 'c>(
        &'a self,
        claims: &'c [Claim],
        key: &ObjectKey,
    ) -> impl Iterator<Item = (&'c Claim, &'c Entry)> + use<'a, 'c> {
        let places = self.recorded.get(key).into_iter().flatten();
        places.filter_map(|(position, logical)| {
            let claim = claims.get(*position)?;
            Some((claim, claim.entries.get(logical)?))
        })
    }
}
