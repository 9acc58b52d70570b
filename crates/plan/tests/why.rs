//! `why` over its fixtures, and its walk against an oracle that shares no code with it.
//!
//! A case `why/<case>.json` holds a world and a thing, and what is expected: `needs` as depth, object
//! and what makes it less than sure; `removed` as time and object; `consumers`, `mentions`,
//! `made_by`, `owners`, `standing`, `complete` where they matter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and its tables are literals"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Scene, empty_world, live};
use underpin_model::{ObjectKey, Strength, World};
use underpin_plan::{
    Ownership,
    why::{
        Asked, Broken, Consumer, Effect, Need, Removal, Standing, Thing, ThingError, Why,
        consumers, removal, resolve, why,
    },
};

fn need(asked: &Asked<'_>, need: &Need) -> String {
    let there = if asked.world.get(&need.key).is_none() {
        " (not there)"
    } else {
        ""
    };
    let sure = match need.strength {
        Strength::Required => "",
        Strength::Optional => " optional",
        Strength::Guessed => " guessed",
    };
    format!("{} {}{there}{sure}", need.depth, need.key)
}

fn broken(broken: &Broken) -> String {
    let sure = if broken.is_certain { "" } else { "may " };
    let when = match broken.when {
        Effect::AtOnce => "at once",
        Effect::AtStart => "at start",
        Effect::AtRenewal => "renewal",
        Effect::Dies | Effect::Nothing => panic!("{} does not break", broken.key),
    };
    format!("{sure}{when} {}", broken.key)
}

fn removed(removal: &Removal) -> Vec<String> {
    let dying = removal.dies.iter().flat_map(|group| &group.objects);
    let dying = dying.chain(&removal.derived);
    let dying = dying.map(|key| format!("dies {key}"));
    let mut lines: Vec<String> = dying.chain(removal.broken.iter().map(broken)).collect();
    lines.sort();
    lines
}

fn consumer(item: &Consumer) -> String {
    let sure = if item.is_certain { "" } else { " perhaps" };
    let hosts = if item.hosts.is_empty() {
        String::new()
    } else {
        format!(" serves {}", item.hosts.join(" "))
    };
    format!("{}{hosts}{sure}", item.key)
}

/// The lists of an answer by their names in a fixture, those in an order of no meaning sorted.
fn told(asked: &Asked<'_>, ownership: &Ownership, key: &ObjectKey, why: &Why) -> Value {
    let mut needs: Vec<String> = why.needs.iter().map(|one| need(asked, one)).collect();
    needs.sort();
    let list = consumers(asked, why);
    let mut items: Vec<String> = list.items.iter().map(consumer).collect();
    items.sort();
    let owners: BTreeMap<String, String> = why
        .needs
        .iter()
        .filter_map(|one| Some((one.key.to_string(), one.owner.as_ref()?.to_string())))
        .collect();
    json!({
        "thing": why.thing.to_string(),
        "needs": needs,
        "mentions": why.mentions.iter().map(|one| one.consumer.to_string()).collect::<Vec<_>>(),
        "made_by": why.made_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "removed": removed(&removal(asked, ownership, key)),
        "consumers": items,
        "others": list.others.iter().map(|(o, n)| format!("{o} {n}")).collect::<Vec<_>>(),
        "owners": owners,
        "standing": match why.standing {
            Standing::There => "there",
            Standing::Missing => "missing",
            Standing::Unknown(_) => "unknown",
        },
        "complete": why.is_complete(),
    })
}

/// Every need is led to by fields that a person can look up.
fn evident(why: &Why) {
    for need in &why.needs {
        assert!(!need.links.is_empty(), "{} without evidence", need.key);
        for link in &need.links {
            assert_eq!((&link.consumer, &link.provider), (&need.key, &need.via));
        }
    }
}

#[track_caller]
fn check(case: &Path) -> Option<String> {
    let name = case.file_stem().unwrap().to_str().unwrap();
    let mut fixture: Value = serde_json::from_str(&fs::read_to_string(case).unwrap())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    fixture["environment"] = json!({"of": "wallet/production"});
    let scene = Scene::new(&fixture);
    let ownership = Ownership::of(&scene.world);
    let asked = Asked::of_cluster(&scene.world, &ownership);
    let thing: Thing = fixture["ask"].as_str().unwrap().parse().unwrap();
    let key = resolve(&thing, false, &scene.world, &asked.graph)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let answer = why(&asked, &key);
    evident(&answer);
    let told = told(&asked, &ownership, &key, &answer);
    let standing = fixture["standing"].as_str().unwrap_or("there");
    let mut wrong = Vec::new();
    if told["standing"] != standing {
        wrong.push(format!("standing: {}", told["standing"]));
    }
    for (field, expect) in fixture.as_object().unwrap() {
        let Some(found) = told.get(field).filter(|_| field != "standing") else {
            continue;
        };
        let same = match (found, expect) {
            // Of the owners, those that are expected.
            (Value::Object(found), Value::Object(expect)) => expect
                .iter()
                .all(|(key, owner)| found.get(key) == Some(owner)),
            _ => found == expect,
        };
        if !same {
            wrong.push(format!("{field}: {found}\n instead of {expect}"));
        }
    }
    (!wrong.is_empty()).then(|| format!("## {name}\n{}\n", wrong.join("\n")))
}

/// R5.1, R2.2: what each world answers.
#[test]
fn worlds_answer_as_their_fixtures_expect() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/why");
    let mut cases: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 20);
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn named_world() -> World {
    let mut world = empty_world();
    for object in [
        "v1 Secret a/db",
        "v1 Secret b/db",
        "v1 Secret b/only",
        "v1 Namespace a",
        "v1 Service a/web",
        "serving.knative.dev/v1 Service a/web",
        "serving.knative.dev/v1 Service a/fast",
    ] {
        world.insert(live(&json!(object)));
    }
    world
}

#[track_caller]
fn found(text: &str, namespace: Option<&str>, expect: Result<&str, &str>) {
    let world = named_world();
    let ownership = Ownership::of(&world);
    let asked = Asked::of_cluster(&world, &ownership);
    let thing: Result<Thing, ThingError> = text.parse();
    let found = thing
        .and_then(|thing| thing.in_namespace(namespace))
        .and_then(|thing| resolve(&thing, namespace.is_some(), &world, &asked.graph))
        .map(|key| key.to_string())
        .map_err(|error| error.to_string());
    let expect = expect.map(str::to_owned).map_err(str::to_owned);
    assert_eq!(found, expect, "{text} {namespace:?}");
}

#[test]
fn things_are_found_by_what_people_call_them() {
    found("secret/only", None, Ok("secret/b/only"));
    found("secrets/a/db", None, Ok("secret/a/db"));
    found("secret/db", Some("b"), Ok("secret/b/db"));
    found("ns/a", None, Ok("namespace/a"));
    found("Namespace/a", Some("b"), Ok("namespace/a"));
    found("svc/web", None, Ok("service/a/web"));
    found(
        "service/fast",
        None,
        Ok("service.serving.knative.dev/a/fast"),
    );
    found(
        "service.serving.knative.dev/web",
        None,
        Ok("service.serving.knative.dev/a/web"),
    );
}

#[test]
fn things_that_are_not_clear_are_refused_with_candidates() {
    found(
        "secret/db",
        None,
        Err("`secret/db` may be any of secret/a/db, secret/b/db"),
    );
    found(
        "service/web",
        None,
        Err("`service/web` may be any of service/a/web, service.serving.knative.dev/a/web"),
    );
    found(
        "secret/a/only",
        None,
        Err("there is no secret/a/only, and nothing refers to it; did you mean secret/b/only?"),
    );
    found(
        "secret/onky",
        None,
        Err("there is no secret/onky, and nothing refers to it; did you mean secret/b/only?"),
    );
    found(
        "secret/b/zzzzzz",
        None,
        Err(
            "there is no secret/b/zzzzzz, and nothing refers to it; did you mean secret/b/db, secret/b/only?",
        ),
    );
    found(
        "configmap/zzzzzz",
        None,
        Err("there is no configmap/zzzzzz, and nothing refers to it"),
    );
    found(
        "secert/db",
        None,
        Err("there is no kind `secert`; did you mean secret?"),
    );
    found(
        "secret/a/db",
        Some("b"),
        Err("`secret/a/db` lies in namespace a, and --namespace says b"),
    );
    found(
        "namespace/a/b",
        None,
        Err("namespace objects lie in no namespace; write namespace/b"),
    );
    found(
        "wallet",
        None,
        Err(
            "`wallet` names no object: write KIND/NAME or KIND/NAMESPACE/NAME, such as secret/wallet/db",
        ),
    );
}

/// A random world: ConfigMaps and workloads in one namespace that read each other's.
fn random_world(reads: &[(usize, usize, u8)]) -> World {
    let mut world = empty_world();
    let mut fields: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
    for (from, to, how) in reads {
        // A host in a value, certain or guessed, to the Service before a workload.
        let value = match how % 2 {
            0 => format!("http://w{to}.n.svc.cluster.local"),
            _ => format!("http://w{to}"),
        };
        let entry = json!({"name": format!("URL_HOST_{to}_{how}"), "value": value});
        fields.entry(*from).or_default().push(entry);
    }
    for index in 0..WORKLOADS {
        let env = fields.remove(&index).unwrap_or_default();
        world.insert(live(&json!({
            "o": format!("apps/v1 Deployment n/w{index}"),
            "spec": {"template": {
                "metadata": {"labels": {"app": format!("w{index}")}},
                "spec": {"containers": [{"name": "main", "env": env}]},
            }},
        })));
        world.insert(live(&json!({
            "o": format!("v1 Service n/w{index}"),
            "spec": {"selector": {"app": format!("w{index}")}},
        })));
    }
    world
}

const WORKLOADS: usize = 7;

/// Who is reached from the Service of workload 0, and by how sure a chain: rules applied until
/// nothing changes.
fn oracle(reads: &[(usize, usize, u8)]) -> BTreeMap<String, bool> {
    // The Service of `to` is needed by the workload `from`, whose own Service is needed next.
    let mut sure: BTreeMap<String, bool> = BTreeMap::from([("service/n/w0".to_owned(), true)]);
    loop {
        let before = sure.clone();
        for (from, to, how) in reads {
            if let Some(known) = before.get(&format!("service/n/w{to}")) {
                let reached = *known && how % 2 == 0;
                for name in ["deployment.apps", "service"] {
                    let entry = sure.entry(format!("{name}/n/w{from}")).or_default();
                    *entry |= reached;
                }
            }
        }
        if sure == before {
            break;
        }
    }
    sure.remove("service/n/w0");
    sure
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// R5.1: the transitive closure is complete, tells sure chains from guessed ones, and is a tree.
    #[test]
    fn the_closure_is_what_a_naive_one_is(
        reads in prop::collection::vec((0..WORKLOADS, 0..WORKLOADS, 0_u8..2), 0..20),
    ) {
        let world = random_world(&reads);
        let ownership = Ownership::of(&world);
        let asked = Asked::of_cluster(&world, &ownership);
        let key: ObjectKey = world
            .objects()
            .find(|object| object.key.to_string() == "service/n/w0")
            .map(|object| object.key.clone())
            .unwrap();
        let answer = why(&asked, &key);
        evident(&answer);
        let found: BTreeMap<String, bool> = answer
            .needs
            .iter()
            .map(|need| (need.key.to_string(), need.strength == Strength::Required))
            .collect();
        prop_assert_eq!(&found, &oracle(&reads));
        let mut depths = BTreeMap::from([(key.clone(), 0)]);
        for need in &answer.needs {
            prop_assert_eq!(Some(&(need.depth - 1)), depths.get(&need.via), "{}", need.key);
            depths.insert(need.key.clone(), need.depth);
        }
        // What surely breaks at once is what is reached by sure chains, each Service having one
        // workload alone.
        let breaks: BTreeSet<String> = removal(&asked, &ownership, &key)
            .broken
            .into_iter()
            .filter(|one| one.is_certain)
            .map(|one| one.key.to_string())
            .collect();
        let sure: BTreeSet<String> = found
            .into_iter()
            .filter_map(|(key, sure)| sure.then_some(key))
            .collect();
        prop_assert_eq!(breaks, sure);
    }
}
