//! How each kind of a plan is addressed, kinds that the plan itself defines included.

use std::collections::BTreeMap;

use underpin_model::{GroupKind, Object, ObjectKey, ResourceKind, Unread, World};
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
        .filter(|(_, kind)| !world.kinds.contains_key(kind) && world.unread(kind, None).is_none());
    missing
        .map(|(definition, kind)| Unread {
            kind: Some(kind),
            group: String::new(),
            namespace: None,
            reason: format!("{} is established, and not served yet", definition.key),
        })
        .collect()
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
    use underpin_model::{Depth, Origin};

    use super::*;

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
