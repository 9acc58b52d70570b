//! Worlds from YAML with a head, and tables as text.
#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests: what is wrong fails them"
)]

use std::fmt::Write as _;

use underpin_model::{
    Claim, ClaimId, Entry, EntryState, GroupKind, LogicalKey, ObjectKey, Owner, Unread, World,
};
use underpin_route::{Content, Holder, Published, RouteKey, RoutingTable, Settings, SiteAddress};

/// The objects of a text, what its head says of how they are read, and what is published.
#[track_caller]
pub(crate) fn read(name: &str, text: &str) -> (World, Settings, Published) {
    let (objects, diagnostics) = underpin_source::dump::read_text(name, text);
    assert!(diagnostics.is_empty(), "{name}: {diagnostics:?}");
    let mut world = World::default();
    for object in objects {
        world.insert(object);
    }
    let mut settings = Settings::default();
    let mut last = Published::default();
    for line in text.lines().filter_map(|line| line.strip_prefix('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["ingress-class", class] => settings.ingress_class = Some(class.to_owned()),
            ["ingresses-without-class"] => settings.ingresses_without_class = true,
            ["endpoints"] => settings.endpoints = true,
            ["unread", kind, ref rest @ ..] => world.unread.push(unread(kind, rest)),
            ["owner", owner, uid] => {
                let claim = claim(&world, owner, uid);
                world.claims.push(claim);
            }
            ["held", address, object, uid, ref owner @ ..] => {
                let key = RouteKey::site(SiteAddress::parse(address).expect("an address"));
                let owner = owner.first().map(|owner| {
                    let (stack, environment) = owner.split_once('/').expect("STACK/ENVIRONMENT");
                    Owner::Claim {
                        stack: stack.to_owned(),
                        environment: environment.to_owned(),
                    }
                });
                last.generation = 1;
                let holder = Holder {
                    owner,
                    ..holder(object, uid)
                };
                last.holders.insert(key, holder);
            }
            _ => {}
        }
    }
    (world, settings, last)
}

/// The Service `NAMESPACE/NAME`.
#[track_caller]
pub(crate) fn service(name: &str) -> ObjectKey {
    let (namespace, name) = name.split_once('/').expect("NAMESPACE/NAME");
    ObjectKey::namespaced(GroupKind::core("Service"), namespace, name)
}

pub(crate) fn holder(object: &str, uid: &str) -> Holder {
    Holder {
        object: service(object).into(),
        uid: Some(uid.into()),
        owner: None,
    }
}

fn unread(kind: &str, rest: &[&str]) -> Unread {
    let group = match kind {
        "Ingress" => "networking.k8s.io",
        "EndpointSlice" => "discovery.k8s.io",
        _ => "",
    };
    Unread {
        kind: Some(GroupKind::new(group, kind)),
        group: String::new(),
        namespace: rest.first().map(|namespace| (*namespace).to_owned()),
        reason: "list: forbidden".to_owned(),
    }
}

fn claim(world: &World, owner: &str, uid: &str) -> Claim {
    let (stack, environment) = owner.split_once('/').expect("STACK/ENVIRONMENT");
    let object = world
        .objects()
        .find(|object| object.uid() == Some(uid))
        .expect("an object of the uid");
    let entry = Entry {
        key: object.key.clone(),
        api_version: "v1".into(),
        uid: Some(uid.to_owned()),
        state: EntryState::Applied,
        nonce: "n".into(),
        created: true,
        implicit: false,
        protection: Vec::new(),
        digest: None,
    };
    Claim {
        id: ClaimId(format!("{stack}.{environment}")),
        stack: stack.into(),
        environment: environment.into(),
        parent: None,
        cluster_uid: String::new(),
        placement: None,
        entries: [(LogicalKey::of(&object.key, ""), entry)].into(),
        retired: None,
        lock: None,
        history: Vec::new(),
        resource_version: String::new(),
    }
}

/// A table, a line each.
pub(crate) fn render(table: &RoutingTable) -> String {
    let mut text = String::new();
    for (key, route) in &table.routes {
        let content = match &route.content {
            Content::Caddyfile(_) => "entry".to_owned(),
            Content::Proxy(proxy) => format!("port {:?}", proxy.port),
        };
        write!(text, "route {key} <- {} ({content})", route.source.object).unwrap();
        if let Some(secret) = &route.certificate {
            write!(text, " certificate {secret}").unwrap();
        }
        text.push('\n');
        for backend in &route.backends {
            writeln!(text, "      {backend}").unwrap();
        }
    }
    for conflict in &table.conflicts {
        let winner = conflict.winner.as_ref().map(ToString::to_string);
        writeln!(
            text,
            "loses {} {}: {} (served by {})",
            conflict.key,
            conflict.loser,
            conflict.reason,
            winner.as_deref().unwrap_or("nobody"),
        )
        .unwrap();
    }
    for refusal in &table.refused {
        let (object, path) = (&refusal.object, &refusal.path);
        writeln!(text, "refused {object} {path}: {}", refusal.reason).unwrap();
    }
    for stale in &table.stale {
        let how = if stale.rewritten { "rewritten" } else { "left" };
        writeln!(text, "stale {} {}: {how}", stale.object, stale.upstream).unwrap();
    }
    for source in &table.incomplete {
        let missing: Vec<String> = source.missing.iter().map(ToString::to_string).collect();
        writeln!(text, "incomplete {}; may miss {missing:?}", source.what).unwrap();
    }
    text
}
