//! Tells, without asking the server, that an apply would change nothing.
//!
//! In doubt the server is asked. That a validating webhook would refuse the object as it stands is
//! not found out: nothing is going to be sent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use underpin_fieldset::{
    Change, change,
    schema::{KindSchema, builtin, crd},
};
use underpin_model::{Depth, GroupKind, Object, World, in_parallel, names};
use underpin_plan::{Prepared, Situation};

/// The group of what changes objects on their way into the cluster.
const ADMISSION: &str = "admissionregistration.k8s.io";
/// Its kinds that may change an object: webhooks, and policies of newer servers.
const MUTATING: [&str; 2] = ["MutatingWebhookConfiguration", "MutatingAdmissionPolicy"];

/// For each of these, in their order: the live object, if it is ours and applying the declared one
/// provably leaves it as it is.
pub(crate) fn proven<'w>(world: &'w World, prepared: &[Prepared]) -> Vec<Option<&'w Object>> {
    let mut unchanged = Unchanged::new(world);
    for one in prepared {
        unchanged.learn_schema(&one.desired);
    }
    in_parallel(prepared, |one| unchanged.proven(one))
}

/// What is known of a world's kinds: their schemas, and who changes their objects on the way in.
struct Unchanged<'w> {
    world: &'w World,
    /// Definitions by the kind that they define.
    definitions: BTreeMap<GroupKind, &'w Object>,
    /// Schemas of custom resources by kind and version, each read once.
    schemas: BTreeMap<(GroupKind, String), Option<KindSchema>>,
    mutated: Mutated,
}

/// What admission may change.
enum Mutated {
    /// Anything, or it is not known what.
    Everything,
    /// Objects of these plurals, in whatever group: a rule for one group may match another in
    /// which the same objects are served.
    Plurals(BTreeSet<String>),
}

impl<'w> Unchanged<'w> {
    /// Looks up what is needed of a world.
    fn new(world: &'w World) -> Self {
        let kind = GroupKind::new("apiextensions.k8s.io", "CustomResourceDefinition");
        let defines = |definition: &'w Object| {
            let group = definition.text("/spec/group")?;
            let kind = definition.text("/spec/names/kind")?;
            Some((GroupKind::new(group, kind), definition))
        };
        let definitions: Vec<&Object> = world
            .objects()
            .filter(|object| object.key.kind == kind && object.depth == Depth::Full)
            .collect();
        Self {
            world,
            definitions: definitions.into_iter().filter_map(defines).collect(),
            schemas: BTreeMap::new(),
            mutated: Mutated::of(world),
        }
    }

    /// The live object, if it is ours and applying the declared one provably leaves it as it is.
    fn proven(&self, one: &Prepared) -> Option<&'w Object> {
        let desired = &one.desired;
        let live = self.world.get(&desired.key)?;
        let asked = one.situation != Situation::Ours || live.depth != Depth::Full;
        if asked || self.is_mutated(&desired.key.kind) {
            return None;
        }
        let schema = self.schema(desired);
        let change = change(
            &desired.value,
            &live.value,
            names::FIELD_MANAGER,
            schema.as_ref(),
        );
        (change == Change::None).then_some(live)
    }

    fn is_mutated(&self, kind: &GroupKind) -> bool {
        match (&self.mutated, self.world.kinds.get(kind)) {
            (Mutated::Plurals(plurals), Some(kind)) => plurals.contains(&kind.plural),
            _ => true,
        }
    }

    /// Reads the schema of a custom resource, unless it has been read.
    fn learn_schema(&mut self, object: &Object) {
        let (kind, version) = (&object.key.kind, &object.version);
        if let Some(definition) = self.definitions.get(kind) {
            self.schemas
                .entry((kind.clone(), version.clone()))
                .or_insert_with(|| crd::of_definition(&definition.value, version).ok());
        }
    }

    fn schema(&self, object: &Object) -> Option<KindSchema> {
        let (kind, version) = (&object.key.kind, &object.version);
        builtin(&kind.group, version, &kind.kind).or_else(|| {
            let custom = self.schemas.get(&(kind.clone(), version.clone()));
            custom.cloned().flatten()
        })
    }
}

impl Mutated {
    fn of(world: &World) -> Self {
        let mut plurals = BTreeSet::new();
        for kind in MUTATING.map(|kind| GroupKind::new(ADMISSION, kind)) {
            if world.unread(&kind, None).is_some() {
                return Self::Everything;
            }
            for object in world.of_kind(&kind) {
                let Some(changed) = changed_by(object) else {
                    return Self::Everything;
                };
                plurals.extend(changed);
            }
        }
        if plurals.contains("*") {
            return Self::Everything;
        }
        Self::Plurals(plurals)
    }
}

/// The plurals whose objects a configuration or policy may change when they are updated; `None`
/// when it does not tell. Selectors are not looked at: in doubt, it may.
fn changed_by(object: &Object) -> Option<BTreeSet<String>> {
    let rules: Vec<&Value> = if let Some(rules) = object.at("/spec/matchConstraints/resourceRules")
    {
        rules.as_array()?.iter().collect()
    } else {
        let webhooks = object.at("/webhooks")?.as_array()?.iter();
        let rules = webhooks.filter_map(|webhook| webhook.get("rules")?.as_array());
        rules.flatten().collect()
    };
    let mut plurals = BTreeSet::new();
    for rule in rules {
        let updates = texts(rule, "operations")?.any(|one| one == "*" || one == "UPDATE");
        if updates {
            // `*/scale` and `deployments/scale` say which subresource.
            let resources = texts(rule, "resources")?.filter_map(|one| one.split('/').next());
            plurals.extend(resources.map(str::to_owned));
        }
    }
    Some(plurals)
}

fn texts<'v>(rule: &'v Value, field: &str) -> Option<impl Iterator<Item = &'v str>> {
    let texts = rule.get(field)?.as_array()?;
    Some(texts.iter().filter_map(Value::as_str))
}
