//! What may be published of a new table (R3.2): cases, and a property against a naive oracle.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use underpin_model::FieldPath;
use underpin_route::{
    Acknowledgement, Cause, Causes, Conflict, Content, Decision, GuardInput, Hold, Incomplete,
    Kept, LossReason, Proxy, Published, Refusal, RefusalReason, Route, RouteKey, RoutingTable,
    SiteAddress, Source, guard,
};

const TOMBSTONE: u64 = 30;

/// Key number `n`: five hosts, each with both schemes.
fn key(n: usize) -> RouteKey {
    let scheme = if n.is_multiple_of(2) { "http" } else { "https" };
    RouteKey::site(SiteAddress::parse(&format!("{scheme}://h{}.example", n / 2)).unwrap())
}

fn object(n: usize) -> String {
    format!("ns/web-{n}")
}

fn route(n: usize) -> Route {
    Route {
        source: Source {
            object: support::service(&object(n)).into(),
            uid: Some(format!("u-{n}").into()),
            created: None,
            owner: None,
        },
        path: FieldPath::root(),
        content: Content::Proxy(Proxy {
            namespace: "ns".into(),
            service: format!("web-{n}"),
            port: Some(80),
        }),
        backends: Vec::new(),
        certificate: None,
    }
}

fn table(keys: impl IntoIterator<Item = usize>) -> RoutingTable {
    RoutingTable {
        routes: keys.into_iter().map(|n| (key(n), route(n))).collect(),
        ..RoutingTable::default()
    }
}

fn published(keys: impl IntoIterator<Item = usize>) -> Published {
    Published::of(7, &table(keys))
}

#[derive(Debug, Default)]
struct Case {
    last: Published,
    table: RoutingTable,
    causes: Causes,
    missing_since: BTreeMap<RouteKey, u64>,
    acknowledged: Option<Acknowledgement>,
    now: u64,
}

impl Case {
    fn input(&self) -> GuardInput<'_> {
        GuardInput {
            last: &self.last,
            table: &self.table,
            causes: &self.causes,
            missing_since: &self.missing_since,
            acknowledged: self.acknowledged.as_ref(),
            now: self.now,
            tombstone: TOMBSTONE,
        }
    }

    fn decide(&self) -> Decision {
        guard(&self.input())
    }
}

fn deleted(keys: impl IntoIterator<Item = usize>, at: u64) -> Causes {
    Causes {
        deleted: keys.into_iter().map(|n| (format!("u-{n}"), at)).collect(),
        ..Causes::default()
    }
}

fn kept(decision: &Decision, n: usize) -> Option<&Kept> {
    decision.kept.get(&key(n))
}

/// R3.2: a list that came back empty takes nothing away.
#[test]
fn r3_2_all_vanished_without_a_cause_is_held() {
    let case = Case {
        last: published(0..10),
        now: 1_000,
        ..Case::default()
    };
    let decision = case.decide();
    assert!((0..10).all(|n| kept(&decision, n) == Some(&Kept::Held)));
    assert_eq!(
        decision.holds[0].to_string(),
        "10 routes of 10 vanished without a recorded cause"
    );
    // Nothing changes by that.
    assert_eq!(decision.published(&case.input()), case.last);
    // Waiting does not help.
    let later = Case {
        missing_since: decision.missing_since.clone(),
        now: 1_000_000,
        ..case
    };
    assert_eq!(later.decide().held().len(), 10);
}

/// R3.2: a source that could not be read keeps everything as it is.
#[test]
fn r3_2_an_incomplete_table_is_not_published() {
    let mut case = Case {
        last: published(0..4),
        table: table(0..9),
        causes: deleted([3], 0),
        now: 1_000,
        ..Case::default()
    };
    case.table.routes.remove(&key(3));
    case.table.incomplete.push(Incomplete {
        what: "service: list: forbidden".into(),
        missing: Vec::new(),
    });
    let decision = case.decide();
    assert!(!decision.publish);
    assert_eq!(
        decision.holds,
        [Hold::Incomplete("service: list: forbidden".into())]
    );
    assert_eq!(kept(&decision, 3), Some(&Kept::NothingPublished));
    assert!(decision.dropped.is_empty());
    assert_eq!(decision.published(&case.input()), case.last);
}

/// R3.2: an explained loss waits for its replacement, and goes when none comes.
#[test]
fn r3_2_an_explained_loss_waits_and_goes() {
    let mut case = Case {
        last: published(0..10),
        table: table(4..10),
        causes: deleted(0..4, 100),
        now: 110,
        ..Case::default()
    };
    let decision = case.decide();
    assert_eq!(
        kept(&decision, 0),
        Some(&Kept::Waiting(Cause::Deleted, 130))
    );
    assert_eq!(
        decision.kept[&key(0)].to_string(),
        "its object was deleted, and may be replaced shortly"
    );
    assert_eq!(decision.again_at, Some(130));
    assert_eq!(decision.published(&case.input()).holders, case.last.holders);
    case.now = 130;
    case.missing_since = decision.missing_since;
    let decision = case.decide();
    assert!((0..4).all(|n| decision.dropped[&key(n)] == Some(Cause::Deleted)));
    let next = decision.published(&case.input());
    assert_eq!(next.holders.len(), 6);
}

/// R3.2: a namespace that is replaced is one swap: its keys are never gone.
#[test]
fn r3_2_a_replaced_namespace_is_one_swap() {
    let mut case = Case {
        last: published(0..4),
        table: table([]),
        causes: deleted(0..4, 100),
        now: 105,
        ..Case::default()
    };
    let decision = case.decide();
    assert!(decision.dropped.is_empty() && decision.holds.is_empty());
    // The new one is there before the wait ends.
    case.last = decision.published(&case.input());
    case.missing_since = decision.missing_since;
    case.table = table(0..4);
    for route in case.table.routes.values_mut() {
        route.source.uid = Some("u-new".into());
    }
    case.now = 120;
    let decision = case.decide();
    assert!(decision.kept.is_empty() && decision.dropped.is_empty());
    let next = decision.published(&case.input());
    assert!(
        next.holders
            .values()
            .all(|holder| holder.uid.as_deref() == Some("u-new"))
    );
}

/// R3.2: what is explained goes while the rest of the same loss is held.
#[test]
fn r3_2_each_lost_route_needs_its_own_cause() {
    let case = Case {
        last: published(0..10),
        table: table(3..10),
        causes: deleted([0, 1], 0),
        now: 1_000,
        ..Case::default()
    };
    let decision = case.decide();
    assert_eq!(decision.held(), BTreeSet::from([key(2)]));
    assert_eq!(decision.dropped.len(), 2);
}

/// R3.2: an operator accepts that very set, since that very generation.
#[test]
fn r3_2_consent_is_to_one_set_at_one_generation() {
    for (generation, keys, released) in [(7, 0..10, true), (6, 0..10, false), (7, 0..9, false)] {
        let case = Case {
            last: published(0..10),
            acknowledged: Some(Acknowledgement {
                generation,
                keys: keys.map(key).collect(),
            }),
            ..Case::default()
        };
        let decision = case.decide();
        assert_eq!(decision.dropped.len() == 10, released);
        assert_eq!(decision.held().is_empty(), released);
    }
}

/// R3.3: an entry that is refused now keeps its last good one.
#[test]
fn r3_3_a_refused_entry_keeps_its_last_good_one() {
    let mut case = Case {
        last: published(0..10),
        table: table(2..10),
        now: 1_000,
        ..Case::default()
    };
    for n in [0, 1] {
        case.table.refused.push(Refusal {
            object: support::service(&object(n)),
            uid: Some(format!("u-{n}").into()),
            path: FieldPath::root(),
            reason: RefusalReason::Field("is wrong".into()),
        });
    }
    let decision = case.decide();
    assert!(decision.holds.is_empty());
    assert_eq!(kept(&decision, 0), Some(&Kept::Refused));
}

#[test]
fn what_is_being_deleted_is_explained() {
    let mut case = Case {
        last: published([0]),
        now: 50,
        ..Case::default()
    };
    case.table.conflicts.push(Conflict {
        key: key(0),
        loser: support::service(&object(0)),
        path: FieldPath::root(),
        winner: None,
        reason: LossReason::NamespaceTerminating,
    });
    let decision = case.decide();
    let waiting = Kept::Waiting(Cause::NamespaceTerminating, 80);
    assert_eq!(kept(&decision, 0), Some(&waiting));
}

#[test]
fn a_first_table_without_routes_takes_consent() {
    let mut case = Case::default();
    assert_eq!(case.decide().holds, [Hold::Empty]);
    assert!(!case.decide().publish);
    case.acknowledged = Some(Acknowledgement {
        generation: 0,
        keys: BTreeSet::new(),
    });
    assert!(case.decide().publish);
}

/// What the requirement says, key by key and without any index.
fn oracle(case: &Case) -> BTreeMap<usize, &'static str> {
    let lost = |n: &usize| {
        case.last.holders.contains_key(&key(*n)) && !case.table.routes.contains_key(&key(*n))
    };
    let seen = |n: usize| {
        let uid = format!("u-{n}");
        let causes = &case.causes;
        causes
            .deleted
            .get(&uid)
            .or(causes.taken_down.get(&uid))
            .copied()
    };
    let refused = |n: usize| {
        let own = |refusal: &Refusal| refusal.uid == Some(format!("u-{n}").into());
        let withheld = case.table.withheld.contains(&key(n));
        case.table.refused.iter().any(own) || (withheld && seen(n).is_none())
    };
    let gone: Vec<usize> = (0..10).filter(lost).filter(|n| !refused(*n)).collect();
    let unexplained: Vec<usize> = gone
        .iter()
        .copied()
        .filter(|n| seen(*n).is_none())
        .collect();
    let consent = case.acknowledged.as_ref().is_some_and(|given| {
        given.generation == 7 && given.keys == unexplained.iter().map(|n| key(*n)).collect()
    });
    let before: Vec<usize> = (0..10)
        .filter(|n| case.last.holders.contains_key(&key(*n)))
        .collect();
    let hosts =
        |keys: &mut dyn Iterator<Item = usize>| keys.map(|n| n / 2).collect::<BTreeSet<_>>();
    let hosts_before = hosts(&mut before.iter().copied()).len();
    let hosts_left = hosts(&mut before.iter().copied().filter(|n| !gone.contains(n))).len();
    let much = |lost: usize, of: usize| {
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let fifth = of as f64 * 0.2;
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let lost_of = lost as f64;
        lost > 0 && (lost == of || lost_of >= f64::max(2.0, fifth))
    };
    let hold = much(gone.len(), before.len()) || much(hosts_before - hosts_left, hosts_before);
    (0..10)
        .filter(lost)
        .map(|n| {
            let since = case
                .missing_since
                .get(&key(n))
                .copied()
                .or(seen(n))
                .unwrap_or(case.now);
            let waits = case.now < since + TOMBSTONE;
            let fate = if !case.table.incomplete.is_empty() {
                "nothing"
            } else if refused(n) {
                "refused"
            } else if seen(n).is_none() && consent {
                "dropped"
            } else if seen(n).is_none() && hold {
                "held"
            } else if waits {
                "waits"
            } else {
                "dropped"
            };
            (n, fate)
        })
        .collect()
}

fn fate(decision: &Decision, n: usize) -> &'static str {
    match decision.kept.get(&key(n)) {
        Some(Kept::Refused) => "refused",
        Some(Kept::Held) => "held",
        Some(Kept::Waiting(..) | Kept::WaitingUnexplained(_)) => "waits",
        Some(Kept::NothingPublished) => "nothing",
        None if decision.dropped.contains_key(&key(n)) => "dropped",
        None => "neither kept nor dropped",
    }
}

prop_compose! {
    fn cases()(
        last in proptest::collection::btree_set(0..10_usize, 0..10),
        gone in proptest::collection::btree_set(0..10_usize, 0..10),
        new in proptest::collection::btree_set(0..10_usize, 0..3),
        deleted_at in proptest::collection::btree_map(0..10_usize, 0..200_u64, 0..10),
        down_at in proptest::collection::btree_map(0..10_usize, 0..200_u64, 0..3),
        refused in proptest::collection::btree_set(0..10_usize, 0..2),
        withheld in proptest::collection::btree_set(0..10_usize, 0..2),
        since in proptest::collection::btree_map(0..10_usize, 0..200_u64, 0..5),
        acknowledged in proptest::option::weighted(0.3, any::<bool>()),
        incomplete in proptest::bool::weighted(0.1),
        now in 100..200_u64,
    ) -> Case {
        let mut case = Case {
            last: published(last.iter().copied()),
            table: table(last.difference(&gone).chain(&new).copied()),
            causes: deleted([], 0),
            missing_since: since.into_iter().map(|(n, at)| (key(n), at)).collect(),
            acknowledged: None,
            now,
        };
        case.causes.deleted = deleted_at.iter().map(|(n, at)| (format!("u-{n}"), *at)).collect();
        case.causes.taken_down = down_at.iter().map(|(n, at)| (format!("u-{n}"), *at)).collect();
        case.table.refused = refused
            .iter()
            .map(|n| Refusal {
                object: support::service(&object(*n)),
                uid: Some(format!("u-{n}").into()),
                path: FieldPath::root(),
                reason: RefusalReason::Field("is wrong".into()),
            })
            .collect();
        case.table.withheld = withheld.into_iter().map(key).collect();
        if incomplete {
            let what = "service: list: forbidden".into();
            case.table.incomplete.push(Incomplete { what, missing: Vec::new() });
        }
        // Half of the consents are to what is held, half to something else.
        case.acknowledged = acknowledged.map(|right| {
            let mut keys = case.decide().held();
            if !right {
                keys.insert(key(0));
            }
            Acknowledgement { generation: 7, keys }
        });
        case
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn r3_2_the_guard_decides_as_the_requirement_says(case in cases()) {
        let decision = case.decide();
        for (n, expect) in oracle(&case) {
            prop_assert_eq!(fate(&decision, n), expect, "key {}", n);
        }
        let lost = oracle(&case).len();
        prop_assert_eq!(decision.kept.len() + decision.dropped.len(), lost);
        prop_assert_eq!(decision.publish, case.table.incomplete.is_empty());
        // Whatever is published serves all of the table and all that is kept.
        let next = decision.published(&case.input());
        if decision.publish {
            let served = case.table.routes.keys().chain(decision.kept.keys());
            let served: BTreeSet<&RouteKey> = served.collect();
            prop_assert_eq!(next.holders.keys().collect::<BTreeSet<_>>(), served);
        } else {
            prop_assert_eq!(&next, &case.last);
        }
    }
}
