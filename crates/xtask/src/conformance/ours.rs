//! What `connect` says of the same worlds.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use underpin_connect::{
    Connections, Endpoint, Engine, Member, Options, Outcome, Profile, Renames, Verdict,
};
use underpin_model::{ObjectKey, World};

use super::connectivity::{Changes, Connectivity, End, Lines};

/// The other tool's name for whatever serves Ingresses.
const INGRESS_CONTROLLER: &str = "{ingress-controller}";

/// The engine of all objects in a folder. What is no object is left out, as the other tool does.
pub(super) fn engine(folder: &Utf8Path) -> Engine {
    let (objects, _) = underpin_source::dump::read(&[folder.to_owned()]);
    let mut world = World::default();
    for object in objects {
        world.insert(object);
    }
    let options = Options {
        profile: Profile::NpGuard,
        ..Options::default()
    };
    Engine::new(&world, &options)
}

pub(super) fn connectivity(engine: &Engine) -> Connectivity {
    Connectivity::of(lines(engine))
}

/// Everything that is allowed. Under that profile nothing is unknown; if anything were, it would
/// count as allowed, and differ.
fn lines(engine: &Engine) -> Lines<Connections> {
    let mut found = Vec::new();
    engine.matrix(&[]).visit(|from, to, outcome| {
        found.extend(ends(from, to).map(|ends| (ends, possible(outcome))));
    });
    found.extend(from_ingress(engine));
    found
}

fn possible(outcome: &Outcome) -> Connections {
    let mut possible = outcome.allowed.clone();
    possible.add(&outcome.unknown);
    possible
}

/// Two members as ends; the other tool knows no addresses of IPv6.
fn ends(from: &Member, to: &Member) -> Option<(End, End)> {
    Some((end(from)?, end(to)?))
}

fn end(member: &Member) -> Option<End> {
    match member {
        Member::Workload(key) => Some(End::Named(name(key))),
        Member::Outside(range) => range.first().is_ipv4().then_some(End::Outside(*range)),
    }
}

fn name(key: &ObjectKey) -> String {
    let namespace = key.namespace.as_deref().unwrap_or_default();
    format!("{namespace}/{}[{}]", key.name, key.kind.kind)
}

/// What an ingress controller may reach of what Ingresses name.
fn from_ingress(engine: &Engine) -> Lines<Connections> {
    let names: BTreeMap<String, String> = engine
        .workloads()
        .map(|key| (Endpoint::Workload(key.clone()).to_string(), name(key)))
        .collect();
    let mut reached: BTreeMap<&String, Connections> = BTreeMap::new();
    let answers: Vec<_> = engine
        .ingress_entries()
        .iter()
        .map(|entry| engine.answer(&entry.question))
        .collect();
    for flow in answers.iter().flat_map(|answer| &answer.flows) {
        if let (Some(name), Some(port), true) = (
            names.get(&flow.to),
            flow.port,
            flow.verdict != Verdict::Refused,
        ) {
            let set = reached.entry(name).or_default();
            set.add(&Connections::port(flow.protocol, port));
        }
    }
    let from = End::Named(INGRESS_CONTROLLER.to_owned());
    let lines = reached.into_iter().map(|(name, set)| {
        let to = End::Named(name.clone());
        ((from.clone(), to), set)
    });
    lines.collect()
}

/// What two worlds allow differently: pairs that are in both, and all of what is in one alone.
pub(super) fn changes(before: &Engine, after: &Engine) -> Changes {
    let found = underpin_connect::changes(before, after, &Renames::default());
    let mut lines: Lines<(Connections, Connections)> = Vec::new();
    for change in &found.pairs {
        let sets = (possible(&change.before), possible(&change.after));
        lines.extend(ends(&change.from, &change.to).map(|ends| (ends, sets)));
    }
    let none = Connections::default();
    let of_one = |engine: &Engine, only: &[ObjectKey]| {
        let only: BTreeSet<String> = only.iter().map(name).collect();
        let is_only = move |end: &End| matches!(end, End::Named(name) if only.contains(name));
        let mut lines = self::lines(engine);
        lines.retain(|((from, to), _)| {
            *from != End::Named(INGRESS_CONTROLLER.to_owned()) && (is_only(from) || is_only(to))
        });
        lines
    };
    let gone = of_one(before, &found.gone).into_iter();
    lines.extend(gone.map(|(ends, set)| (ends, (set, none.clone()))));
    let new = of_one(after, &found.new).into_iter();
    lines.extend(new.map(|(ends, set)| (ends, (none.clone(), set))));
    let sides = [before, after].map(|engine| -> BTreeMap<(End, End), Connections> {
        from_ingress(engine).into_iter().collect()
    });
    let all: BTreeSet<&(End, End)> = sides.iter().flat_map(BTreeMap::keys).collect();
    for ends in all {
        let [was, is] = [0, 1].map(|side: usize| sides[side].get(ends).unwrap_or(&none).clone());
        if was != is {
            lines.push((ends.clone(), (was, is)));
        }
    }
    Changes::of(lines)
}
