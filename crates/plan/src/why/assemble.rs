//! A world from objects alone: a dump of a cluster, or declared files.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::json;
use underpin_model::{
    Depth, FieldPath, GroupKind, Object, ObjectKey, Origin, Place, ResourceKind, World,
    builtin_kind,
};
use underpin_refs::{bears_pods, defined, referring_kinds};

use super::thing::plural_of;

/// The world that holds these objects. There is no discovery: kinds are taken from the objects and
/// from the definitions among them. Of an object that is there twice, the first counts.
pub fn world_of(objects: impl IntoIterator<Item = Object>) -> World {
    let mut world = World::default();
    for object in objects {
        if let Some(defined) = defined(&object) {
            world.kinds.insert(defined.kind.clone(), defined);
        }
        if world.get(&object.key).is_none() {
            world.insert(object);
        }
    }
    let mut kinds: Vec<ResourceKind> = Vec::new();
    for object in world.objects() {
        if let Some(last) = kinds.last_mut().filter(|last| last.kind == object.key.kind) {
            last.namespaced |= object.key.namespace.is_some();
            if !last.versions.contains(&object.version) {
                last.versions.push(object.version.clone());
            }
        } else {
            kinds.push(kind_of(object));
        }
    }
    for kind in kinds {
        world.kinds.entry(kind.kind.clone()).or_insert(kind);
    }
    let system = ObjectKey::of_namespace("kube-system");
    if let Some(uid) = world.get(&system).and_then(Object::uid).map(str::to_owned) {
        world.cluster.uid = uid;
    }
    world
}

/// A kind as one of its objects shows it.
fn kind_of(object: &Object) -> ResourceKind {
    let kind = object.key.kind.clone();
    let builtin = builtin_kind(&kind.group, &kind.kind).map(|row| row.namespaced);
    ResourceKind {
        plural: plural_of(&kind.kind.to_ascii_lowercase()),
        version: object.version.clone(),
        versions: vec![object.version.clone()],
        namespaced: builtin.unwrap_or(object.key.namespace.is_some()),
        listable: true,
        kind,
    }
}

/// The built-in kinds that may hold needs and of which the world holds no object, workloads first. A
/// dump without them may be one of a cluster that has none, and may as well be one of less.
pub fn kinds_not_held(world: &World) -> Vec<GroupKind> {
    let held: BTreeSet<&GroupKind> = world.objects().map(|object| &object.key.kind).collect();
    let mut missing: Vec<GroupKind> = referring_kinds()
        .into_iter()
        .filter(|kind| !held.contains(kind))
        .collect();
    let is_network = |kind: &GroupKind| kind.is("", "Service") || kind.group.contains("networking");
    missing.sort_by_key(|kind| (!bears_pods(kind), !is_network(kind)));
    missing
}

/// Declared objects where their environment lives: those that name no namespace are put into
/// `home`, which is added where it is not declared; `place` is where the environment is.
pub fn place_in(objects: Vec<Object>, home: &str, place: &Place) -> Vec<Object> {
    let mut objects = with_namespace(objects, home);
    let namespace = ObjectKey::of_namespace(home);
    if objects.iter().all(|object| object.key != namespace) {
        objects.extend(implicit(home, place));
    }
    objects
}

/// Declared objects, those that name no namespace put into `home` if their kind lives in one.
///
/// Without a cluster, the scope of a custom kind is known from its definition if that is declared,
/// too, and by convention otherwise.
pub fn with_namespace(mut objects: Vec<Object>, home: &str) -> Vec<Object> {
    let defined: BTreeMap<GroupKind, bool> = objects
        .iter()
        .filter_map(defined)
        .map(|defined| (defined.kind, defined.namespaced))
        .collect();
    let namespace = FieldPath::new("metadata.namespace");
    for object in &mut objects {
        let kind = &object.key.kind;
        let builtin = builtin_kind(&kind.group, &kind.kind).map(|row| row.namespaced);
        let known = builtin.or_else(|| defined.get(kind).copied());
        if object.unknown.around(&namespace).is_some() {
            // It lies wherever that turns out to be.
        } else if known.unwrap_or_else(|| is_namespaced_by_convention(&kind.kind)) {
            object.key.namespace.get_or_insert_with(|| home.to_owned());
        } else {
            object.key.namespace = None;
        }
    }
    objects
}

/// `ClusterIssuer`, `GatewayClass` and their like lie in no namespace; most others do.
fn is_namespaced_by_convention(kind: &str) -> bool {
    let rest = kind.strip_prefix("Cluster").unwrap_or_default();
    !rest.starts_with(|c: char| c.is_ascii_uppercase()) && !kind.ends_with("Class")
}

/// The namespace that an environment makes without declaring it.
fn implicit(home: &str, place: &Place) -> Option<Object> {
    let origin = Origin::Declared {
        place: place.clone(),
        spans: Arc::default(),
    };
    let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}});
    Object::from_value(value, Depth::Full, origin)
}
