//! Corner cases of the documented semantics, each a world in `cases/` with the answers expected.
//!
//! The head of each file holds the expectations as comments:
//!
//! ```text
//! #base NAME                      objects of cases/base/NAME.yaml come first
//! #? FROM -> TO PROTOCOL PORT: VERDICT [text that a reason or line must hold]
//! #unknown OBJECT PATH: REASON    nobody knows yet what is at the path; `-` for whether it exists
//! #entry OBJECT PATH: QUESTION    what an Ingress or route stands for; all must be told
//! #defect TEXT                    a defect whose evidence holds the text; all must be told
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "tests: what is wrong here fails them"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use underpin_connect::{Answer, Engine, Profile, Verdict};
use underpin_model::{FieldPath, UnknownPart, UnknownParts, World};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn load(name: &str, profile: Profile) -> (String, Engine) {
    let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).expect("the case's file");
    let mut world = support::world(&format!("{name}.yaml"), &text);
    for base in text.lines().filter_map(|line| line.strip_prefix("#base ")) {
        let file = folder().join("base").join(format!("{base}.yaml"));
        let objects = fs::read_to_string(file).expect("the base's file");
        let base = support::world(&format!("base/{base}.yaml"), &objects);
        base.objects()
            .for_each(|object| world.insert(object.clone()));
    }
    insert_unknown(&text, &mut world);
    (text, support::engine(&world, profile))
}

/// Makes the parts unknown that the head of a case names.
fn insert_unknown(text: &str, world: &mut World) {
    let mut unknown: BTreeMap<String, (Vec<UnknownPart>, Option<String>)> = BTreeMap::new();
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("#unknown "))
    {
        let (what, reason) = line.split_once(": ").expect("OBJECT PATH: REASON");
        let (object, path) = what.split_once(' ').expect("OBJECT PATH");
        let (parts, existence) = unknown.entry(object.to_owned()).or_default();
        match path {
            "-" => *existence = Some(reason.to_owned()),
            path => parts.push(UnknownPart {
                path: FieldPath::new(path),
                reason: reason.to_owned(),
                pattern: None,
            }),
        }
    }
    for (key, (parts, existence)) in unknown {
        let object = world.objects().find(|object| object.key.to_string() == key);
        let mut object = object
            .unwrap_or_else(|| panic!("{key} is not there"))
            .clone();
        if parts
            .iter()
            .any(|part| part.path.as_str() == "metadata.name")
        {
            let mut value = (*object.value).clone();
            value["metadata"]["name"] = serde_json::Value::Null;
            object.value = value.into();
        }
        world.insert(object.with_unknown(UnknownParts::new(parts, existence)));
    }
}

/// Everything that an answer says, a line each.
fn told(answer: &Answer) -> String {
    let reasons = answer.reasons.iter().map(ToString::to_string);
    let traces = answer
        .flows
        .iter()
        .flat_map(|flow| [&flow.egress, &flow.ingress]);
    let lines = traces.flat_map(|trace| {
        let lines = trace.lines.iter();
        lines.map(move |line| format!("{} {line}", trace.direction))
    });
    reasons.chain(lines).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(name: &str) {
    check_as(name, Profile::Documented, "#? ");
}

#[track_caller]
fn check_as(name: &str, profile: Profile, prefix: &str) {
    let (text, engine) = load(name, profile);
    let mut asked = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix(prefix)) {
        let (question, expect) = line.split_once(": ").expect("QUESTION: VERDICT");
        let (verdict, held) = expect.split_once(' ').unwrap_or((expect, ""));
        let question = support::question(&engine, question);
        let answer = engine.answer(&question);
        let told = told(&answer);
        assert_eq!(
            answer.verdict.to_string(),
            verdict,
            "{name}: {line}\n{told}"
        );
        assert!(told.contains(held), "{name}: {line}\n{told}");
        assert_eq!(
            answer.reasons.is_empty(),
            answer.verdict != Verdict::Unknown
        );
        asked += 1;
    }
    assert!(asked > 0, "{name} asks nothing");
    if profile == Profile::Documented {
        let entries: BTreeSet<String> = engine
            .ingress_entries()
            .iter()
            .map(|entry| {
                let evidence = &entry.evidence;
                format!("{} {}: {}", evidence.object, evidence.path, entry.question)
            })
            .collect();
        let expected = text.lines().filter_map(|line| line.strip_prefix("#entry "));
        let expected: BTreeSet<String> = expected.map(str::to_owned).collect();
        assert_eq!(entries, expected, "{name}");
        let expected: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#defect "))
            .collect();
        let defects = engine.defects();
        assert_eq!(defects.len(), expected.len(), "{name}: {defects:?}");
        for text in expected {
            let mut told = defects.iter().map(|defect| defect.evidence.to_string());
            assert!(told.any(|told| told.contains(text)), "{text}: {defects:?}");
        }
    }
}

macro_rules! cases {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_case_is_asked() {
            let named: BTreeSet<String> = [$(stringify!($name)),*].map(str::to_owned).into();
            let files = fs::read_dir(folder()).expect("the folder").filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_suffix(".yaml").map(str::to_owned)
            });
            assert_eq!(files.collect::<BTreeSet<_>>(), named);
        }
    };
}

cases! {
    selectors_missing_and_empty
    policy_types_by_default
    no_rules_isolate_and_an_empty_rule_allows_all
    peers_and_or
    ports_and_protocols
    named_ports
    end_ports
    address_blocks
    address_blocks_of_ipv6
    address_blocks_and_pods
    own_node
    itself
    both_ends
    host_network
    name_of_a_namespace
    match_expressions
    services
    services_without_pods
    ingress_sources
    published_services
    dns
    jobs_and_hooks
    undeclared_namespaces
    labels_of_controllers
    admin_tiers
    admin_peers
    cluster_policies
    same_priority
    malformed
    unknown_policies
    unknown_tiers
    unknown_pods
    unknown_namespaces
    primary_networks
    unknown_networks
}

#[test]
fn choices_of_np_guard() {
    for name in [
        "host_network",
        "address_blocks_and_pods",
        "undeclared_namespaces",
        "ingress_sources",
        "admin_peers",
        "labels_of_controllers",
    ] {
        check_as(name, Profile::NpGuard, "#np-guard ");
    }
}
