//! From declared objects to what would be sent: placement, stamp and left-alone fields settled,
//! and each object's situation in the world told.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use underpin_model::{
    Claim, Depth, Entry, FieldExpression, FieldPath, GroupKind, LogicalKey, NamespaceProvenance,
    Object, ObjectKey, Origin, Owner, Relation, Stamp, Target, World, hexadecimal, names,
};

use underpin_refs::store_string_data;

use crate::{
    Environment, Identity, Ownership, Problem, ResolvedPlacement,
    left_alone::{annotated_paths, leave_alone, leave_replicas, replicas},
    naming::NamingError,
    ownership::claim_owner,
    placement::resolve_placement,
    waiting::{WaitingError, waiting},
};

/// How a declared object stands in the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Situation {
    /// It is not there.
    Absent,
    /// It is there and this environment's own.
    Ours,
    /// It is there and nobody's that is known.
    Unowned,
    /// It is there and belongs to somebody else.
    Foreign(Owner),
    /// It is there and being deleted.
    Terminating,
}

/// One declared object, ready to be asked about and sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Declared identity.
    pub logical: LogicalKey,
    /// How it stands in the world; the live object is `World::get(&desired.key)`.
    pub situation: Situation,
    /// The object as it would be sent.
    pub desired: Object,
    /// Fields of it that are applied at creation and then left as they are live (R2.9).
    pub left_alone: Vec<FieldExpression>,
    /// The nonce of its entry: recorded, or new.
    pub nonce: String,
    /// Whether `--adopt` names it: conflicting fields are then taken over.
    pub adopt: bool,
}

/// All declared objects of an environment, ready.
#[derive(Debug)]
pub struct Preparation {
    /// Where the environment lives.
    pub placement: ResolvedPlacement,
    /// The declared objects, in declared order. The placement's Namespace comes first where it is
    /// this environment's to create and not declared.
    pub objects: Vec<Prepared>,
    /// Declared replicas that are not applied, by the workload that declares them.
    pub autoscaled: BTreeMap<ObjectKey, Autoscaled>,
    /// What makes the plan impossible.
    pub problems: Vec<Problem>,
}

/// Replicas that a workload declares, and that an autoscaler sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaled {
    /// As declared.
    pub declared: Value,
    /// The autoscaler.
    pub by: ObjectKey,
}

impl Preparation {
    /// Objects that are being deleted now and must be gone before they can be applied.
    pub fn terminating(&self) -> impl Iterator<Item = &ObjectKey> {
        let terminating = |prepared: &&Prepared| prepared.situation == Situation::Terminating;
        self.objects
            .iter()
            .filter(terminating)
            .map(|prepared| &prepared.desired.key)
    }
}

/// Settles every declared object against the world.
pub fn prepare(
    environment: &Environment,
    identity: &Identity,
    claim: Option<&Claim>,
    world: &World,
    ownership: &Ownership,
    declared: &[Object],
) -> Result<Preparation, NamingError> {
    let placement = resolve_placement(&environment.derivation(), claim, world)?;
    let definitions = declared_definitions(declared);
    let autoscaled = autoscaled_workloads(world, declared, &placement.placement.namespace);
    let settler = Settler {
        environment,
        identity,
        claim,
        entries: entries_by_key(claim),
        world,
        ownership,
        placement: &placement,
        definitions: &definitions,
        autoscaled: &autoscaled,
    };
    let (mut objects, mut problems) = (Vec::new(), Vec::new());
    let mut left = BTreeMap::new();
    if let Some(namespace) = settler.implicit_namespace(declared) {
        objects.extend(settler.settle(&namespace, &mut left, &mut problems));
    }
    let mut seen: BTreeMap<ObjectKey, &Object> = BTreeMap::new();
    for object in declared {
        let Some(prepared) = settler.settle(object, &mut left, &mut problems) else {
            continue;
        };
        match seen.insert(prepared.desired.key.clone(), object) {
            None => objects.push(prepared),
            Some(first) => problems.push(duplicate(object, first, &prepared.desired.key)),
        }
    }
    Ok(Preparation {
        placement,
        objects,
        autoscaled: left,
        problems,
    })
}

fn duplicate(object: &Object, first: &Object, key: &ObjectKey) -> Problem {
    let root = FieldPath::root();
    let first = first
        .origin
        .place_of(&root)
        .map_or_else(String::new, |place| format!(" at {place}"));
    Problem {
        key: key.clone(),
        place: object.origin.place_of(&root),
        message: format!("{key} is declared twice once its namespace is known; first{first}"),
        help: Some("remove one of the two, or give them different names".to_owned()),
    }
}

/// Kinds that the stack itself defines, and whether they are namespaced.
fn declared_definitions(declared: &[Object]) -> BTreeMap<GroupKind, bool> {
    let definitions = declared.iter().filter(|object| {
        object
            .key
            .kind
            .is("apiextensions.k8s.io", "CustomResourceDefinition")
    });
    definitions
        .filter_map(|object| {
            let kind = GroupKind::new(
                object.text("/spec/group")?,
                object.text("/spec/names/kind")?,
            );
            Some((kind, object.text("/spec/scope") != Some("Cluster")))
        })
        .collect()
}

/// Workloads whose replicas an autoscaler sets, live or declared, and which.
fn autoscaled_workloads(
    world: &World,
    declared: &[Object],
    placement: &str,
) -> BTreeMap<ObjectKey, ObjectKey> {
    let live = world
        .objects()
        .filter(|object| is_autoscaler(&object.key.kind))
        .cloned();
    let mine = declared
        .iter()
        .filter(|object| is_autoscaler(&object.key.kind))
        .map(|object| {
            let mut object = object.clone();
            object
                .key
                .namespace
                .get_or_insert_with(|| placement.to_owned());
            object
        });
    let references: Vec<_> = live
        .chain(mine)
        .flat_map(|object| underpin_refs::references(&object, world))
        .collect();
    references
        .into_iter()
        .filter(|reference| reference.relation == Relation::ScaleTarget)
        .filter_map(|reference| match reference.target {
            Target::Object(key) => Some((key, reference.from)),
            _ => None,
        })
        .collect()
}

/// Horizontal autoscalers alone: a vertical one leaves `replicas` to whoever declares it.
pub(crate) fn is_autoscaler(kind: &GroupKind) -> bool {
    kind.is("autoscaling", "HorizontalPodAutoscaler") || kind.is("keda.sh", "ScaledObject")
}

fn entries_by_key(claim: Option<&Claim>) -> BTreeMap<&ObjectKey, Vec<&Entry>> {
    let mut entries: BTreeMap<&ObjectKey, Vec<&Entry>> = BTreeMap::new();
    for entry in claim.into_iter().flat_map(|claim| claim.entries.values()) {
        entries.entry(&entry.key).or_default().push(entry);
    }
    entries
}

struct Settler<'a> {
    environment: &'a Environment,
    identity: &'a Identity,
    claim: Option<&'a Claim>,
    /// The claim's entries by live identity.
    entries: BTreeMap<&'a ObjectKey, Vec<&'a Entry>>,
    world: &'a World,
    ownership: &'a Ownership,
    placement: &'a ResolvedPlacement,
    definitions: &'a BTreeMap<GroupKind, bool>,
    autoscaled: &'a BTreeMap<ObjectKey, ObjectKey>,
}

impl Settler<'_> {
    /// The Namespace object of a placement that is this environment's to create, unless declared.
    fn implicit_namespace(&self, declared: &[Object]) -> Option<Object> {
        let name = &self.placement.placement.namespace;
        let key = ObjectKey::of_namespace(name.clone());
        // Where namespaces cannot be read, one that is not seen is not taken for missing.
        let missing =
            self.world.get(&key).is_none() && self.world.unread(&key.kind, None).is_none();
        // While it is being deleted nothing can be created in it, and after that it is missing.
        let going = self.world.get(&key).is_some_and(Object::is_terminating);
        let ours =
            self.placement.placement.provenance == NamespaceProvenance::Created || missing || going;
        if !ours || declared.iter().any(|object| object.key == key) || self.renames(&key, declared)
        {
            return None;
        }
        let value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let origin = Origin::Recorded(format!("placement of {}", self.environment.display_name()));
        Object::from_value(value, Depth::Full, origin)
    }

    /// Whether the manifest that declared the Namespace `home` now declares another one: then it is
    /// no longer declared, and the rules show what its removal would take along (R2.2). A manifest
    /// that merely went leaves the Namespace implicit.
    fn renames(&self, home: &ObjectKey, declared: &[Object]) -> bool {
        let recorded = |key: &ObjectKey| self.entries.contains_key(key);
        let was_declared = self
            .entries
            .get(home)
            .is_some_and(|entries| entries.iter().any(|entry| !entry.implicit));
        // What is gone is replaced by nothing.
        was_declared
            && self.world.get(home).is_some()
            && declared
                .iter()
                .any(|object| object.key.is_namespace() && !recorded(&object.key))
    }

    fn settle(
        &self,
        object: &Object,
        left: &mut BTreeMap<ObjectKey, Autoscaled>,
        problems: &mut Vec<Problem>,
    ) -> Option<Prepared> {
        let key = match self.live_key(object) {
            Ok(key) => key,
            Err(problem) => {
                problems.push(*problem);
                return None;
            }
        };
        let logical = LogicalKey::of(&key, &self.placement.placement.namespace);
        let entry = self.claim.and_then(|claim| claim.entries.get(&logical));
        let live = self.world.get(&key);
        let situation = self.situation(live);
        let nonce = entry.map_or_else(
            || new_nonce(self.identity, &logical),
            |entry| entry.nonce.clone(),
        );
        let mut value = (*object.value).clone();
        store_string_data(&key.kind, &mut value);
        self.write_metadata(&mut value, &key, &nonce);
        let mut left_alone = self.expressions(object, problems);
        left_alone.sort_by(|a, b| b.cmp(a));
        if let Some(live) = live {
            leave_alone(&mut value, live, &left_alone);
        }
        if let Some(by) = self.autoscaled.get(&key) {
            if let Some(declared) = leave_replicas(&mut value, live) {
                let by = by.clone();
                left.insert(key.clone(), Autoscaled { declared, by });
            }
            left_alone.push(replicas());
        }
        problems.extend(waiting_problems(object, &key));
        let adopt = self.environment.adopt.contains(&key.subject());
        let desired = Object {
            key,
            value: value.into(),
            ..object.clone()
        };
        Some(Prepared {
            logical,
            situation,
            desired,
            left_alone,
            nonce,
            adopt,
        })
    }

    /// Where the object lives: cluster-scoped kinds nowhere, others where they say or in the
    /// placement. An error when nobody knows the kind, or not in the declared version.
    fn live_key(&self, object: &Object) -> Result<ObjectKey, Box<Problem>> {
        let kind = &object.key.kind;
        let defined = self.definitions.get(kind).copied();
        let namespaced = match self.world.kinds.get(kind) {
            Some(served) if served.versions.contains(&object.version) => served.namespaced,
            Some(served) => defined.ok_or_else(|| not_served(object, Some(&served.versions)))?,
            None => defined
                .or_else(|| {
                    self.world
                        .unread(kind, None)
                        .and(self.world.is_namespaced(kind))
                })
                .ok_or_else(|| not_served(object, None))?,
        };
        let home = &self.placement.placement.namespace;
        let namespace =
            namespaced.then(|| object.key.namespace.clone().unwrap_or_else(|| home.clone()));
        Ok(ObjectKey {
            kind: kind.clone(),
            namespace,
            name: object.key.name.clone(),
        })
    }

    fn situation(&self, live: Option<&Object>) -> Situation {
        let Some(live) = live else {
            return Situation::Absent;
        };
        if live.is_terminating() {
            return Situation::Terminating;
        }
        if self.records(live) {
            return Situation::Ours;
        }
        // The namespace this environment created itself is its own, declared or not.
        if live.key.is_namespace() && self.created_namespace(live) {
            return Situation::Ours;
        }
        match self.ownership.owner(self.world, live) {
            // Our stamp without our record: a former incarnation that came back from a backup.
            owner if self.claim.is_some_and(|claim| claim_owner(claim) == owner) => {
                Situation::Unowned
            }
            owner if owner.is_claimed() => Situation::Foreign(owner),
            _ => Situation::Unowned,
        }
    }

    /// Whether the claim records this very object.
    fn records(&self, live: &Object) -> bool {
        let Some(claim) = self.claim else {
            return false;
        };
        let entries = self.entries.get(&live.key).into_iter().flatten();
        entries.into_iter().any(|entry| claim.owns_as(entry, live))
    }

    fn created_namespace(&self, live: &Object) -> bool {
        let placement = &self.placement.placement;
        placement.provenance == NamespaceProvenance::Created
            && placement.namespace == live.key.name
            && self.placement.recorded
            && placement.uid.as_deref() == live.uid()
    }

    fn write_metadata(&self, value: &mut Value, key: &ObjectKey, nonce: &str) {
        let stamp = Stamp {
            claim: self.identity.claim.clone(),
            nonce: nonce.to_owned(),
        };
        let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        match &key.namespace {
            Some(namespace) => metadata.insert("namespace".to_owned(), json!(namespace)),
            None => metadata.remove("namespace"),
        };
        // What only a server may say is not sent, whoever exported the manifest.
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "generation",
            "selfLink",
        ] {
            metadata.remove(field);
        }
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if !annotations.is_object() {
            *annotations = json!({});
        }
        annotations[names::STAMP_ANNOTATION] = json!(stamp.to_string());
        annotations[names::ENVIRONMENT_ANNOTATION] = json!(self.environment.display_name());
        if let Some(map) = value.as_object_mut() {
            map.remove("status");
        }
    }

    fn expressions(&self, object: &Object, problems: &mut Vec<Problem>) -> Vec<FieldExpression> {
        let rules = self.environment.ignored.iter();
        let rules = rules.filter(|rule| rule.covers(&object.key.kind, &object.key.name));
        let texts = rules.flat_map(|rule| rule.paths.iter().map(String::as_str));
        let mut expressions = Vec::new();
        for text in texts.chain(annotated_paths(object)) {
            match text.parse::<FieldExpression>() {
                Ok(expression) if object.key.kind.is("", "Secret") => {
                    expressions.push(expression.under("stringData", "data"));
                }
                Ok(expression) => expressions.push(expression),
                Err(error) => problems.push(Problem {
                    key: object.key.clone(),
                    place: object.origin.place_of(&FieldPath::root()),
                    message: format!("fields to leave alone: {error}"),
                    help: None,
                }),
            }
        }
        expressions
    }
}

fn not_served(object: &Object, served: Option<&Vec<String>>) -> Box<Problem> {
    let kind = &object.key.kind;
    let declared = object.api_version();
    let (message, help) = match served {
        Some(versions) => {
            let group = if kind.group.is_empty() {
                String::new()
            } else {
                format!("{}/", kind.group)
            };
            let known: Vec<String> = versions
                .iter()
                .map(|version| format!("{group}{version}"))
                .collect();
            (
                format!("the cluster does not serve {} in {declared}", kind.kind),
                format!("use one of the versions it serves: {}", known.join(", ")),
            )
        }
        None => (
            format!("the cluster serves no kind {} in {declared}", kind.kind),
            "install its CustomResourceDefinition, or declare it in this stack; for a built-in \
             kind, check apiVersion against `kubectl api-resources`"
                .to_owned(),
        ),
    };
    Box::new(Problem {
        key: object.key.clone(),
        place: object.origin.place_of(&FieldPath::root()),
        message,
        help: Some(help),
    })
}

/// Annotations about waiting that cannot be followed.
fn waiting_problems(object: &Object, key: &ObjectKey) -> Vec<Problem> {
    let (_, errors) = waiting(object);
    let problem = |error: WaitingError| Problem {
        key: key.clone(),
        place: error.place,
        message: error.message,
        help: Some(error.help.to_owned()),
    };
    errors.into_iter().map(problem).collect()
}

/// Bytes of a nonce.
const NONCE_BYTES: usize = 4;

/// Eight hexadecimal digits that no earlier incarnation of the entry had: they depend on the seed
/// drawn for this run.
fn new_nonce(identity: &Identity, logical: &LogicalKey) -> String {
    let mut hash = Sha256::new();
    hash.update(identity.seed);
    hash.update(logical.to_string());
    hexadecimal(&hash.finalize()[..NONCE_BYTES])
}
