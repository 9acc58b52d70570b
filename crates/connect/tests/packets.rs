//! Random clusters: the engine's answers against a naive evaluator, packet by packet.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod generate;
mod oracle;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::IpAddr;

use generate::{Kind, OUTSIDE, Random};
use oracle::{Choices, Host, Packet, passes};
use proptest::prelude::*;
use serde_json::Value;
use underpin_connect::{
    AddressRange, Connections, Endpoint, Engine, Member, Options, Outcome, Question, Renames,
    Target, Verdict, changes,
};
use underpin_model::{
    Depth, FieldPath, Object, Origin, PortRef, Protocol, UnknownPart, UnknownParts, World,
};

/// Ports around those that policies and pods name.
const PORTS: [u16; 7] = [1, 53, 79, 80, 81, 90, 91];
/// Clusters of which everything is known, and packets to ask of all of them together.
const KNOWN_CLUSTERS: u32 = 640;
const PACKETS: u64 = 1_000_000;
/// Clusters with host networks and undeclared namespaces.
const UNKNOWN_CLUSTERS: u32 = 64;

fn engine(objects: &[Value]) -> Engine {
    engine_of(objects, &BTreeMap::new())
}

/// The engine of objects of which parts are not known, by the object's place in the list.
fn engine_of(objects: &[Value], unknown: &BTreeMap<usize, FieldPath>) -> Engine {
    let mut world = World::default();
    for (at, value) in objects.iter().enumerate() {
        let object = Object::from_value(value.clone(), Depth::Full, Origin::Live);
        let parts = unknown.get(&at).map(|path| UnknownPart {
            path: path.clone(),
            reason: "to be found out".to_owned(),
            pattern: None,
        });
        let parts = UnknownParts::new(parts.into_iter().collect(), None);
        world.insert(object.expect("an object").with_unknown(parts));
    }
    let engine = Engine::new(&world, &Options::default());
    assert_eq!(engine.defects(), []);
    engine
}

/// Every end: the pods, and some addresses outside.
fn hosts(objects: &[Value]) -> Vec<(Host<'_>, Endpoint)> {
    let pods = objects
        .iter()
        .filter(|object| object["kind"] == "Pod")
        .map(|pod| {
            let object = Object::from_value(pod.clone(), Depth::Full, Origin::Live);
            (
                Host::Pod(pod),
                Endpoint::Workload(object.expect("a pod").key),
            )
        });
    let outside = OUTSIDE.iter().map(|text| {
        let address: IpAddr = text.parse().expect("an address");
        (Host::Outside(address), Endpoint::Address(address))
    });
    pods.chain(outside).collect()
}

fn verdict(outcome: &Outcome, protocol: Protocol, port: u16) -> Verdict {
    let holds = |set: &Connections| set.contains(protocol, port);
    match (holds(&outcome.allowed), holds(&outcome.unknown)) {
        (true, false) => Verdict::Allowed,
        (false, true) => Verdict::Unknown,
        (false, false) => Verdict::Refused,
        (true, true) => panic!("both allowed and unknown"),
    }
}

/// Every combination of those choices that are open in a cluster.
fn combinations(open: &[fn(&mut Choices)]) -> Vec<Choices> {
    let mut all = vec![Choices::default()];
    for set in open {
        for at in 0..all.len() {
            let mut other = all[at];
            set(&mut other);
            all.push(other);
        }
    }
    all
}

/// What the oracle answers under all choices: `None` when they do not agree.
fn agreed(
    worlds: &[&[Value]],
    packet: (usize, usize, Protocol, u16),
    choices: &[Choices],
) -> Option<bool> {
    let (from, to, protocol, port) = packet;
    let mut answer = None;
    for objects in worlds {
        let hosts = hosts_only(objects);
        for one in choices {
            let packet = Packet {
                from: hosts[from],
                to: hosts[to],
                protocol: protocol.name(),
                port,
            };
            let passes = passes(objects, packet, *one);
            if answer.is_some_and(|answer| answer != passes) {
                return None;
            }
            answer = Some(passes);
        }
    }
    answer
}

fn hosts_only(objects: &[Value]) -> Vec<Host<'_>> {
    let pods = objects
        .iter()
        .filter(|object| object["kind"] == "Pod")
        .map(Host::Pod);
    let outside = OUTSIDE
        .iter()
        .map(|text| Host::Outside(text.parse().expect("an address")));
    pods.chain(outside).collect()
}

/// Asks every packet of a cluster. `exact` demands that the engine knows whenever the oracle is
/// sure; otherwise it must only never be wrong. Returns how many were asked.
fn ask_all(
    objects: &[Value],
    completions: &[&[Value]],
    choices: &[Choices],
    exact: bool,
) -> Result<u64, String> {
    ask_all_of(&engine(objects), objects, completions, choices, exact)
}

fn ask_all_of(
    engine: &Engine,
    objects: &[Value],
    completions: &[&[Value]],
    choices: &[Choices],
    exact: bool,
) -> Result<u64, String> {
    let hosts = hosts(objects);
    let mut matrix = engine.matrix(&[]);
    let members = matrix.members().to_vec();
    let index = |endpoint: &Endpoint| {
        members.iter().position(|member| match (member, endpoint) {
            (Member::Workload(key), Endpoint::Workload(asked)) => key == asked,
            (Member::Outside(range), Endpoint::Address(address)) => {
                range.first() <= *address
                    && *address <= range.last()
                    && range.first().is_ipv4() == address.is_ipv4()
            }
            _ => false,
        })
    };
    let mut asked = 0;
    for (to, (destination, to_endpoint)) in hosts.iter().enumerate() {
        let row: Vec<Outcome> = matrix
            .to(index(to_endpoint).expect("a member"))
            .into_iter()
            .cloned()
            .collect();
        for (from, (source, from_endpoint)) in hosts.iter().enumerate() {
            if matches!((source, destination), (Host::Outside(_), Host::Outside(_))) {
                continue;
            }
            let outcome = engine
                .reach(from_endpoint, to_endpoint)
                .expect("known ends");
            let of_matrix = &row[index(from_endpoint).expect("a member")];
            if *of_matrix != outcome {
                return Err(format!(
                    "{from_endpoint} → {to_endpoint}: {of_matrix:?} {outcome:?}"
                ));
            }
            for protocol in Protocol::ALL {
                for port in PORTS {
                    asked += 1;
                    let told = verdict(&outcome, protocol, port);
                    let sure = agreed(completions, (from, to, protocol, port), choices);
                    let fits = match (told, sure) {
                        (Verdict::Allowed, sure) => sure == Some(true),
                        (Verdict::Refused, sure) => sure == Some(false),
                        (Verdict::Unknown, sure) => !exact || sure.is_none(),
                    };
                    let what = format!("{from_endpoint} → {to_endpoint} {protocol} {port}");
                    if !fits {
                        return Err(format!("{what}: {told}, but {sure:?}"));
                    }
                    // The line-by-line answer is dearer: ask it of some.
                    if asked % 16 == 0 {
                        let answer = engine.answer(&Question {
                            from: from_endpoint.clone(),
                            to: Target::Endpoint(to_endpoint.clone()),
                            protocol,
                            port: PortRef::Number(port),
                        });
                        if answer.verdict != told {
                            return Err(format!("{what}: {told}, but {answer:#?}"));
                        }
                    }
                }
            }
        }
    }
    Ok(asked)
}

/// Leaves out whatever objects are not needed for the failure, so that people can read it.
fn smallest(mut objects: Vec<Value>, fails: impl Fn(&[Value]) -> Option<String>) -> String {
    let mut at = 0;
    while at < objects.len() {
        let mut fewer = objects.clone();
        fewer.remove(at);
        if fails(&fewer).is_some() {
            objects = fewer;
        } else {
            at += 1;
        }
    }
    let texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let why = fails(&objects).unwrap_or_default();
    format!("{why}\n{}", texts.join("\n"))
}

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

fn check_known(seed: u64) -> Result<(), String> {
    let kind = Kind::of(seed);
    let objects = Random::new(seed).cluster(kind);
    let mut open: Vec<fn(&mut Choices)> = vec![|choices| choices.blocks_count_for_pods = true];
    if kind.ties {
        open.push(|choices| choices.last_first = true);
    }
    if kind.dual_stack {
        open.push(|choices| choices.second_family = true);
    }
    let choices = combinations(&open);
    // Which of two policies counts, and which family is used, may be settled by more than one rule
    // together; the engine takes rules one by one and may then not know.
    // Nothing tells the addresses that pods have on networks of their own.
    let exact = !kind.ties && !kind.dual_stack && !kind.networks;
    let ask = |objects: &[Value]| ask_all(objects, &[objects], &choices, exact);
    match ask(&objects) {
        Ok(asked) => {
            ASKED.set(ASKED.get() + asked);
            Ok(())
        }
        Err(_) => Err(smallest(objects, |objects| ask(objects).err())),
    }
}

/// Hosts on the node's network, and a namespace of which nothing but the name is known.
fn check_unknown(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    let mut objects = random.cluster(Kind::of(seed & !7));
    let mut pods = 0;
    for object in objects.iter_mut().filter(|object| object["kind"] == "Pod") {
        pods += 1;
        if pods % 3 == 0 {
            object["spec"]["hostNetwork"] = true.into();
        }
    }
    let undeclared: Vec<Value> = objects
        .iter()
        .filter(|object| object["kind"] != "Namespace" || object["metadata"]["name"] != "n2")
        .cloned()
        .collect();
    let completions: Vec<Vec<Value>> = (0..3)
        .map(|_| {
            let mut full = undeclared.clone();
            full.push(random.namespace("n2"));
            full
        })
        .collect();
    let completions: Vec<&[Value]> = completions.iter().map(Vec::as_slice).collect();
    let choices = combinations(&[
        |choices| choices.blocks_count_for_pods = true,
        |choices| choices.host_pods_are_nodes = true,
        |choices| choices.one_node = true,
    ]);
    ask_all(&undeclared, &completions, &choices, false)
        .map(|_| ())
        .map_err(|why| format!("{why}\n{undeclared:#?}"))
}

/// Every path of fields and items at or below `value`.
fn paths(value: &Value, path: &FieldPath, found: &mut Vec<(FieldPath, String)>, pointer: &str) {
    found.push((path.clone(), pointer.to_owned()));
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                paths(
                    field,
                    &path.key(key),
                    found,
                    &format!("{pointer}/{escaped}"),
                );
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                paths(item, &path.index(at), found, &format!("{pointer}/{at}"));
            }
        }
        _ => {}
    }
}

/// Policies and pods with a part that nobody knows yet: no answer may be wrong once it is known.
fn check_later(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    let whole = random.cluster(Kind::of(seed & !15));
    let (mut partly, mut unknown) = (whole.clone(), BTreeMap::new());
    for (at, object) in partly.iter_mut().enumerate() {
        let (root, pointer) = match object["kind"].as_str() {
            Some("Pod") => (FieldPath::new("metadata.labels"), "/metadata/labels"),
            Some("Namespace") | None => continue,
            Some(_) => (FieldPath::new("spec"), "/spec"),
        };
        let Some(value) = object.pointer(pointer) else {
            continue;
        };
        let mut all = Vec::new();
        paths(value, &root, &mut all, pointer);
        if random.one_in(3) {
            let (path, pointer) = all.swap_remove(random.below(all.len()));
            *object.pointer_mut(&pointer).expect("a value") = Value::Null;
            unknown.insert(at, path);
        }
    }
    let engine = engine_of(&partly, &unknown);
    let choices = combinations(&[|choices| choices.blocks_count_for_pods = true]);
    ask_all_of(&engine, &partly, &[&whole], &choices, false)
        .map(|_| ())
        .map_err(|why| format!("{why}\n{unknown:?}\n{whole:#?}"))
}

/// Two worlds with the same pods and other policies.
fn before_and_after(seed: u64) -> (Vec<Value>, Vec<Value>) {
    let mut random = Random::new(seed);
    let kind = Kind::of(seed & !15).on_one_network();
    let before = random.cluster(kind);
    let other = Random::new(random.below(usize::MAX) as u64).cluster(kind);
    let is_policy = |object: &&Value| object["apiVersion"] != "v1";
    let mut after: Vec<Value> = before
        .iter()
        .filter(|object| !is_policy(object) || random.one_in(2))
        .cloned()
        .collect();
    let kept: Vec<Value> = after
        .iter()
        .map(|object| object["metadata"].clone())
        .collect();
    let new = other.iter().filter(is_policy);
    after.extend(
        new.filter(|object| !kept.contains(&object["metadata"]))
            .cloned(),
    );
    (before, after)
}

/// Every pair of members that are told to differ, by their names.
type Told = BTreeMap<(String, String), (Outcome, Outcome)>;

fn told(
    before: &Engine,
    after: &Engine,
    renames: &Renames,
    name: impl Fn(String) -> String,
) -> Told {
    let found = changes(before, after, renames);
    assert_eq!((found.gone, found.new), (vec![], vec![]));
    let text = |member: &Member| match member {
        Member::Workload(key) => name(key.to_string()),
        Member::Outside(range) => range.to_string(),
    };
    let pairs = found.pairs.into_iter();
    pairs
        .map(|pair| {
            (
                (text(&pair.from), text(&pair.to)),
                (pair.before, pair.after),
            )
        })
        .collect()
}

/// What differs is what the oracle answers otherwise, and a rename makes no difference.
fn check_changes(seed: u64) -> Result<(), String> {
    let (before, after) = before_and_after(seed);
    let engines = [engine(&before), engine(&after)];
    let told_plain = told(&engines[0], &engines[1], &Renames::default(), |name| name);
    let choices = combinations(&[|choices| choices.blocks_count_for_pods = true]);
    let matrix = engines[1].matrix(
        &engines[0]
            .matrix(&[])
            .members()
            .iter()
            .filter_map(|member| match member {
                Member::Outside(range) => Some(*range),
                Member::Workload(_) => None,
            })
            .collect::<Vec<_>>(),
    );
    let name = |endpoint: &Endpoint| match endpoint {
        Endpoint::Address(address) => matrix.members().iter().find_map(|member| match member {
            Member::Outside(range) if range.holds(&AddressRange::single(*address)) => {
                Some(range.to_string())
            }
            _ => None,
        }),
        other => Some(other.to_string()),
    };
    let hosts = hosts(&before);
    for (to, (destination, to_endpoint)) in hosts.iter().enumerate() {
        for (from, (source, from_endpoint)) in hosts.iter().enumerate() {
            let outside = matches!((source, destination), (Host::Outside(_), Host::Outside(_)));
            if outside || from == to {
                continue;
            }
            let names = (
                name(from_endpoint).expect("a member"),
                name(to_endpoint).expect("a member"),
            );
            let change = told_plain.get(&names);
            for protocol in Protocol::ALL {
                for port in PORTS {
                    let asked = (from, to, protocol, port);
                    let was = agreed(&[&before], asked, &choices);
                    let is = agreed(&[&after], asked, &choices);
                    let fits = match change {
                        None => was == is,
                        Some((before, after)) => {
                            let sure = |outcome| match verdict(outcome, protocol, port) {
                                Verdict::Allowed => Some(true),
                                Verdict::Refused => Some(false),
                                Verdict::Unknown => None,
                            };
                            (sure(before), sure(after)) == (was, is)
                        }
                    };
                    if !fits {
                        return Err(format!(
                            "{names:?} {protocol} {port}: {was:?} to {is:?}, but {change:?}\n\
                             {before:#?}\n{after:#?}"
                        ));
                    }
                }
            }
        }
    }
    let text = Value::Array(after.clone())
        .to_string()
        .replace("\"n0\"", "\"renamed\"");
    let renamed: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let renamed = engine(&renamed);
    let renames = Renames::new([("n0".to_owned(), "renamed".to_owned())]);
    let holds_pods = engines[0]
        .workloads()
        .any(|key| key.namespace.as_deref() == Some("n0"));
    if holds_pods && Renames::detect(&engines[0], &renamed) != renames {
        return Err("the rename is not found".to_owned());
    }
    let told_renamed = told(&engines[0], &renamed, &renames, |name| {
        name.replace("/renamed/", "/n0/")
    });
    // Only the names differ, though policies are asked in another order.
    if told_renamed != told_plain {
        return Err(format!(
            "{told_renamed:#?}\n{told_plain:#?}\n{before:#?}\n{after:#?}"
        ));
    }
    Ok(())
}

#[test]
fn r5_3_what_two_worlds_allow_differently_is_what_the_packets_say() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: UNKNOWN_CLUSTERS,
        failure_persistence: None,
        // A seed does not shrink.
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    });
    let run = runner.run(&any::<u64>(), |seed| {
        check_changes(seed).map_err(TestCaseError::fail)
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn what_is_found_out_later_makes_no_answer_wrong() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: UNKNOWN_CLUSTERS * 4,
        failure_persistence: None,
        // A seed does not shrink; the cluster made from it does.
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    });
    let run = runner.run(&any::<u64>(), |seed| {
        check_later(seed).map_err(TestCaseError::fail)
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_million_packets_fare_as_the_specification_says() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: KNOWN_CLUSTERS,
        failure_persistence: None,
        // A seed does not shrink; the cluster made from it does.
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    });
    let run = runner.run(&any::<u64>(), |seed| {
        check_known(seed).map_err(TestCaseError::fail)
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
    let asked = ASKED.get();
    assert!(asked >= PACKETS, "{asked} packets");
}

#[test]
fn what_is_not_known_is_never_told_wrong() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: UNKNOWN_CLUSTERS,
        failure_persistence: None,
        // A seed does not shrink; the cluster made from it does.
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    });
    let run = runner.run(&any::<u64>(), |seed| {
        check_unknown(seed).map_err(TestCaseError::fail)
    });
    run.unwrap_or_else(|failure| panic!("{failure}"));
}
