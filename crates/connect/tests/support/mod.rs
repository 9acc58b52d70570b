//! Worlds from YAML, and questions from one line of text.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

use std::collections::BTreeMap;

use underpin_connect::{Endpoint, Engine, Options, Profile, Question, Target};
use underpin_model::{ObjectKey, PortRef, Protocol, World};

/// The objects of `text`, which must all be readable. Lines are told as those of `file`.
#[track_caller]
pub(crate) fn world(file: &str, text: &str) -> World {
    let (objects, diagnostics) = underpin_source::dump::read_text(file, text);
    assert!(diagnostics.is_empty(), "{file}: {diagnostics:?}");
    let mut world = World::default();
    for object in objects {
        world.insert(object);
    }
    world
}

pub(crate) fn engine(world: &World, profile: Profile) -> Engine {
    let options = Options {
        profile,
        ..Options::default()
    };
    Engine::new(world, &options)
}

/// `FROM -> TO PROTOCOL PORT`.
#[track_caller]
pub(crate) fn question(engine: &Engine, text: &str) -> Question {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [from, "->", to, protocol, port] = words[..] else {
        panic!("{text}: not FROM -> TO PROTOCOL PORT");
    };
    let to = match to
        .strip_prefix("svc:")
        .and_then(|name| name.split_once('/'))
    {
        Some((namespace, name)) => Target::Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        },
        None => Target::Endpoint(endpoint(engine, to)),
    };
    Question {
        from: endpoint(engine, from),
        to,
        protocol: Protocol::from_name(protocol).expect("a protocol"),
        port: match port.parse() {
            Ok(number) => PortRef::Number(number),
            Err(_) => PortRef::Name(port.to_owned()),
        },
    }
}

/// `ns/name` of a workload, `pods:ns` or `pods:ns{a=b,c=d}`, `ip:…`, `host:…`, `node:…`, `ingress`.
#[track_caller]
fn endpoint(engine: &Engine, text: &str) -> Endpoint {
    if text == "ingress" {
        return Endpoint::IngressController;
    }
    match text.split_once(':') {
        Some(("ip", address)) => Endpoint::Address(address.parse().expect("an address")),
        Some(("host", name)) => Endpoint::Host(name.to_owned()),
        Some(("node", name)) => Endpoint::Node(name.to_owned()),
        Some(("pods", pods)) => match pods.split_once('{') {
            None => Endpoint::Pods {
                namespace: pods.to_owned(),
                labels: None,
            },
            Some((namespace, labels)) => Endpoint::Pods {
                namespace: namespace.to_owned(),
                labels: Some(labels_of(labels.trim_end_matches('}'))),
            },
        },
        _ => Endpoint::Workload(workload(engine, text)),
    }
}

fn labels_of(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The workload that `ns/name` means, which must be one; `name` alone is one called
/// `resource.name` of which the namespace is not known.
#[track_caller]
pub(crate) fn workload(engine: &Engine, text: &str) -> ObjectKey {
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name.to_owned()),
        None => (None, format!("resource.{text}")),
    };
    let found: Vec<&ObjectKey> = engine
        .workloads()
        .filter(|key| key.namespace.as_deref() == namespace && key.name == name)
        .collect();
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    found[0].clone()
}
