//! What a change does: needs that are lost, then all pairs that fare differently.

use std::collections::BTreeSet;

use underpin_connect::{Changes, Options, Renames, Verdict, changes};
use underpin_model::{Consumer, Finding, Need, World};
use underpin_plan::{NeedFate, Network, by_new_names, by_old_names, need_fates, sort_findings};
use underpin_refs::NeedOptions;

use super::sides::{Side, SideKind};

/// Two worlds, and what is different in the second.
pub(crate) struct Comparison<'a> {
    pub(crate) before: &'a Side,
    pub(crate) after: &'a Side,
    /// Whether the first is what is there and the second what the files declare: what the next
    /// apply would do.
    pub(crate) is_drift: bool,
    /// Needs that were allowed and are refused, or that it cannot be told of any more.
    pub(crate) lost: Vec<NeedFate>,
    /// Needs that are refused and were not allowed before either, or are new.
    pub(crate) refused: Vec<NeedFate>,
    /// What rules say of these.
    pub(crate) findings: Vec<Finding>,
    pub(crate) changes: Changes,
}

/// What is known beside the two worlds.
pub(super) struct Known<'a> {
    /// Needs that somebody declared or saw.
    pub(super) given: &'a [Need],
    pub(super) needs: NeedOptions,
    pub(super) connect: Options,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(
        before: &'a Side,
        after: &'a Side,
        is_drift: bool,
        known: &Known<'_>,
    ) -> Self {
        let network = |world, given| {
            Network::new(world, given, &known.needs).with_options(known.connect.clone())
        };
        let plain_before = network(&before.world, &[]);
        let plain_after = network(&after.world, &[]);
        let renames = Renames::detect(plain_before.engine(), plain_after.engine());
        let mut given_after: Vec<Need> = known.given.to_vec();
        given_after.extend(of_others(&plain_before, &plain_after, before, &renames));
        // By either name: whoever wrote a need down may have followed the rename or not.
        let mut given_before = given_after.clone();
        given_before.extend(given_after.iter().map(|need| by_old_names(need, &renames)));
        let then = network(&before.world, &given_before);
        let now = network(&after.world, &given_after);
        let fates = need_fates(Some(&then), &now, &renames);
        let mut findings: Vec<Finding> = fates
            .iter()
            .filter_map(|fate| fate.lost().or_else(|| fate.refused()))
            .collect();
        findings.iter_mut().for_each(Finding::offer_no_acceptance);
        sort_findings(&mut findings);
        let (mut lost, mut refused) = (Vec::new(), Vec::new());
        for fate in fates {
            if fate.lost().is_some() {
                lost.push(fate);
            } else if fate.refused().is_some() {
                refused.push(fate);
            }
        }
        lost.sort_by_key(|fate| fate.now.verdict != Verdict::Refused);
        Self {
            before,
            after,
            is_drift,
            lost,
            refused,
            findings,
            changes: changes(then.engine(), now.engine(), &renames),
        }
    }

    /// Whether no connection and no need fares differently.
    pub(crate) fn changes_nothing(&self) -> bool {
        let Changes {
            gone, new, pairs, ..
        } = &self.changes;
        self.lost.is_empty() && gone.is_empty() && new.is_empty() && pairs.is_empty()
    }
}

/// Needs of before that the world after does not show since their consumers are declared elsewhere.
/// A cluster holds those of all repositories; of files, what is gone is gone.
fn of_others(
    before: &Network<'_>,
    after: &Network<'_>,
    side: &Side,
    renames: &Renames,
) -> Vec<Need> {
    if side.kind != SideKind::Cluster {
        return Vec::new();
    }
    let known: BTreeSet<_> = after.needs().iter().map(Need::connection).collect();
    let needs = before
        .needs()
        .iter()
        .map(|need| by_new_names(need, renames));
    needs
        .filter(|need| match &need.from {
            Consumer::Workload(key) => !after.engine().knows(key),
            _ => !known.contains(&need.connection()),
        })
        .collect()
}

/// What else there is: the objects of `base` that neither world of a change declares are in both.
pub(super) fn laid_over(base: &World, before: &mut World, after: &mut World) {
    let keys: BTreeSet<_> = [&*before, &*after]
        .into_iter()
        .flat_map(World::objects)
        .map(|object| object.key.clone())
        .collect();
    let others = base.objects().filter(|object| !keys.contains(&object.key));
    for object in others {
        before.insert(object.clone());
        after.insert(object.clone());
    }
    for world in [before, after] {
        world.unread.extend(base.unread.iter().cloned());
    }
}
