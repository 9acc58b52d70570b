//! Shared by the tests: objects from JSON and a world around them.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use serde_json::Value;
use underpin_model::{Depth, GroupKind, Object, Origin, Reference, ResourceKind, World};

/// A live object, read completely.
pub(crate) fn object(value: Value) -> Object {
    Object::from_value(value, Depth::Full, Origin::Live).expect("a fixture with identity")
}

/// A live object of which only metadata was read.
pub(crate) fn metadata_of(value: Value) -> Object {
    Object::from_value(value, Depth::Metadata, Origin::Live).expect("a fixture with identity")
}

/// A world of these objects that serves a few custom kinds.
pub(crate) fn world(objects: impl IntoIterator<Item = Object>) -> World {
    let mut world = World::default();
    for (group, kind, plural, namespaced) in [
        ("cert-manager.io", "Certificate", "certificates", true),
        ("cert-manager.io", "ClusterIssuer", "clusterissuers", false),
        ("example.com", "Widget", "widgets", true),
        ("metrics.k8s.io", "PodMetrics", "pods", true),
    ] {
        let kind = GroupKind::new(group, kind);
        world.kinds.insert(
            kind.clone(),
            ResourceKind {
                kind,
                version: "v1".into(),
                versions: vec!["v1".into()],
                plural: plural.into(),
                namespaced,
                listable: true,
            },
        );
    }
    for object in objects {
        world.insert(object);
    }
    world
}

/// One reference in one line.
pub(crate) fn line(reference: &Reference) -> String {
    format!(
        "{} {:?} {:?} {}",
        reference.evidence.path, reference.relation, reference.strength, reference.target
    )
}
