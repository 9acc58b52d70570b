//! How each kind of a plan is addressed, kinds that the plan itself defines included.

use std::collections::BTreeMap;

use underpin_model::{GroupKind, Object, ObjectKey, ResourceKind, Unread, World, builtin_kind};
use underpin_refs::{defined, is_established};

/// Kinds that the cluster serves, and those it will serve once the plan's definitions are applied.
#[derive(Clone, Debug)]
pub(crate) struct Kinds(BTreeMap<GroupKind, ResourceKind>);

impl Kinds {
    pub(crate) fn new<'o>(world: &World, declared: impl Iterator<Item = &'o Object>) -> Self {
        let mut kinds = world.kinds.clone();
        for definition in declared.filter_map(defined) {
            kinds
                .entry(definition.kind.clone())
                .and_modify(|served| extend(served, &definition))
                .or_insert(definition);
        }
        Self(kinds)
    }

    pub(crate) fn get(&self, kind: &GroupKind) -> Option<&ResourceKind> {
        self.0.get(kind)
    }
}

/// A definition may add versions to a kind that is served already.
fn extend(served: &mut ResourceKind, definition: &ResourceKind) {
    for version in &definition.versions {
        if !served.versions.contains(version) {
            served.versions.push(version.clone());
        }
    }
}

/// Kinds that were established after the server was asked what it serves, or that a server of
/// several does not serve yet: their objects are unknown, not absent.
pub(crate) fn undiscovered(world: &World) -> Vec<Unread> {
    let definitions = GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition");
    let established = world
        .of_kind(&definitions)
        .filter(|one| is_established(one));
    let missing = established
        .filter_map(|definition| Some((definition, defined(definition)?.kind)))
        .filter(|(_, kind)| is_unserved(world, kind));
    let missing = missing.map(|(definition, kind)| {
        let reason = format!("{} is established, and not served yet", definition.key);
        (kind, reason)
    });
    let mut undiscovered: BTreeMap<GroupKind, String> = missing.collect();
    if world.unread(&definitions, None).is_some() {
        undiscovered.extend(recorded_and_unserved(world));
    }
    let unread = undiscovered.into_iter().map(|(kind, reason)| Unread {
        kind: Some(kind),
        group: String::new(),
        namespace: None,
        reason,
    });
    unread.collect()
}

fn is_unserved(world: &World, kind: &GroupKind) -> bool {
    !world.kinds.contains_key(kind) && world.unread(kind, None).is_none()
}

/// Custom kinds that claims record and that are not served, where no definition can be looked up:
/// they may have been withdrawn, or be served in a moment.
fn recorded_and_unserved(world: &World) -> impl Iterator<Item = (GroupKind, String)> {
    let entries = world.claims.iter().flat_map(|claim| claim.entries.values());
    let kinds = entries.map(|entry| &entry.key.kind);
    let unserved = kinds
        .filter(|kind| builtin_kind(&kind.group, &kind.kind).is_none() && is_unserved(world, kind));
    unserved.map(|kind| {
        let why =
            "it is recorded and not served, and whether it is still defined could not be read";
        (kind.clone(), why.to_owned())
    })
}

/// Where an object lives that names no namespace of its own: in `namespace`.
pub(crate) fn placed(object: &Object, world: &World, namespace: &str) -> ObjectKey {
    let mut key = object.key.clone();
    key.namespace = match world.is_namespaced(&key.kind) {
        Some(false) => None,
        _ => Some(key.namespace.unwrap_or_else(|| namespace.to_owned())),
    };
    key
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use underpin_model::{Claim, ClaimId, Depth, LogicalKey, Origin};

    use super::*;

    /// A kind that is recorded and not served is gone only where its definition is known to be.
    #[track_caller]
    fn check_recorded(group: &str, definitions_read: bool, unknown: bool) {
        let mut world = World::default();
        let kind = GroupKind::new(group, "Widget");
        let kind = if group.is_empty() {
            GroupKind::core("Secret")
        } else {
            kind
        };
        let mut claim = Claim::new(ClaimId("own".into()), "wallet", "test", "cluster");
        let key = ObjectKey::namespaced(kind.clone(), "wallet", "app");
        let entry = json!({
            "key": key, "apiVersion": "v1", "state": "applied", "nonce": "n1", "created": true,
        });
        let logical = LogicalKey::of(&key, "wallet");
        claim
            .entries
            .insert(logical, serde_json::from_value(entry).unwrap());
        world.claims.push(claim);
        if !definitions_read {
            world.unread.push(Unread {
                kind: Some(GroupKind::new(
                    "apiextensions.k8s.io",
                    "CustomResourceDefinition",
                )),
                group: String::new(),
                namespace: None,
                reason: "forbidden".to_owned(),
            });
        }
        let found = undiscovered(&world);
        let found = found
            .iter()
            .any(|unread| unread.kind.as_ref() == Some(&kind));
        assert_eq!(found, unknown, "{kind} {definitions_read}");
    }

    #[test]
    fn a_recorded_kind_whose_definition_cannot_be_read_is_unknown() {
        check_recorded("example.org", false, true);
        check_recorded("example.org", true, false);
        // What is built in does not lag behind.
        check_recorded("", false, false);
    }

    #[test]
    fn what_is_established_and_not_discovered_is_unknown() {
        let mut world = World::default();
        for (name, status) in [("widgets", "True"), ("gadgets", "False")] {
            let definition = json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{name}.example.org")},
                "spec": {
                    "group": "example.org", "scope": "Namespaced",
                    "names": {"kind": name, "plural": name}, "versions": [{"name": "v1"}],
                },
                "status": {"conditions": [{"type": "Established", "status": status}]},
            });
            let definition = Object::from_value(definition, Depth::Full, Origin::Live);
            world.insert(definition.unwrap());
        }
        let unread = undiscovered(&world);
        assert_eq!(
            unread.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "widgets.example.org: customresourcedefinition.apiextensions.k8s.io/widgets.example.org \
                 is established, and not served yet"
            ]
        );
        let served = defined(world.objects().last().unwrap()).unwrap();
        world.kinds.insert(served.kind.clone(), served);
        assert_eq!(undiscovered(&world), []);
    }
}
