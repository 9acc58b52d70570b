//! Worlds, claims and stacks from compact JSON, for every test of this crate.
//!
//! An object is written `{"o": "apps/v1 Deployment wallet/web", "spec": …}`, or as that text alone;
//! `meta` is merged into its metadata, `owners` are `"apps/v1 ReplicaSet web-1"` beside it. Live
//! objects get the uid `uid:<subject>` unless they say another.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use serde_json::{Map, Value, json};
use underpin_model::{
    BUILTIN_KINDS, Claim, ClaimId, Confidence, Consumer, Depth, Entry, EntryState, Evidence,
    FieldPath, Finding, GroupKind, Lock, LogicalKey, NamespaceProvenance, Need, Object, ObjectKey,
    Origin, Place, Placement, PortRef, Protocol, ResourceKind, Supplier, Unread, World,
};
use underpin_plan::{
    Acceptances, Case, Configuration, DeclaredEnvironment, EdgeOptions, Environment, FieldConflict,
    Fingerprints, Identity, MergeOutcome, Network, Objection, Ownership, Plan, Preparation,
    Recorded, RecordedObject, Survey, UnreadRecord, UpInput, Verdict, applied, judge, plan_down,
    plan_up, prepare,
    rules::{rule, up403},
    suppression::{Remark, Texts, sort_out, suppressions},
    survey,
    why::world_of,
};
use underpin_refs::NeedOptions;

/// Of the key beside the scene's claims.
static FINGERPRINTS: LazyLock<Fingerprints> = LazyLock::new(|| Fingerprints::new(Some([7; 32])));

/// One situation: what is there, what is recorded, what is asked for.
pub(crate) struct Scene {
    /// The world.
    pub(crate) world: World,
    /// What is asked for.
    pub(crate) environment: Environment,
    /// The declared objects.
    pub(crate) declared: Vec<Object>,
    /// What the server says, where it is not plain.
    pub(crate) outcomes: BTreeMap<String, Value>,
    /// What was accepted.
    pub(crate) acceptances: Acceptances,
    /// What other tools record.
    pub(crate) recorded: Recorded,
    /// Whether the environment is torn down.
    pub(crate) down: bool,
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field).and_then(Value::as_str)
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Version and key of `apps/v1 Deployment wallet/web`.
pub(crate) fn identity(text: &str) -> (String, ObjectKey) {
    let parts: Vec<&str> = text.split(' ').collect();
    let [version, kind, name] = parts[..] else {
        panic!("not an identity: {text}")
    };
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let (namespace, name) = match name.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name),
        None => (None, name),
    };
    let key = ObjectKey {
        kind: GroupKind::new(group, kind),
        namespace,
        name: name.to_owned(),
    };
    (version.to_owned(), key)
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// An object from its compact form.
pub(crate) fn object(compact: &Value, origin: Origin) -> Object {
    let form = compact
        .as_str()
        .or_else(|| text(compact, "o"))
        .expect("an identity");
    let (version, key) = identity(form);
    let mut value =
        json!({"apiVersion": version, "kind": key.kind.kind, "metadata": {"name": key.name}});
    if let Some(namespace) = &key.namespace {
        value["metadata"]["namespace"] = json!(namespace);
    }
    if origin == Origin::Live {
        value["metadata"]["uid"] = json!(format!("uid:{key}"));
    }
    let mut owners = Vec::new();
    for owner in list(compact, "owners") {
        let (version, mut above) = identity(owner.as_str().unwrap());
        if !matches!(
            above.kind.kind.as_str(),
            "Namespace" | "Node" | "PersistentVolume"
        ) {
            above.namespace.clone_from(&key.namespace);
        }
        owners.push(json!({
            "apiVersion": version, "kind": above.kind.kind, "name": above.name,
            "uid": format!("uid:{above}"), "controller": owners.is_empty(),
        }));
    }
    if !owners.is_empty() {
        value["metadata"]["ownerReferences"] = json!(owners);
    }
    if let Some(meta) = compact.get("meta") {
        merge(&mut value["metadata"], meta);
    }
    let none = Map::new();
    for (field, content) in compact.as_object().unwrap_or(&none) {
        if !matches!(field.as_str(), "o" | "meta" | "owners" | "depth") {
            value[field] = content.clone();
        }
    }
    let depth = match text(compact, "depth") {
        Some("metadata") => Depth::Metadata,
        _ => Depth::Full,
    };
    Object::from_value(value, depth, origin).expect("an object")
}

/// An object as it is read.
pub(crate) fn live(compact: &Value) -> Object {
    object(compact, Origin::Live)
}

/// The `line`-th object of `stack.yaml`.
pub(crate) fn declared(compact: &Value, line: usize) -> Object {
    let place = Place {
        file: Arc::from("stack.yaml"),
        line: u32::try_from(line).unwrap(),
        column: 1,
    };
    object(
        compact,
        Origin::Declared {
            place,
            spans: Arc::default(),
        },
    )
}

fn serve(world: &mut World, kind: &GroupKind, version: &str, namespaced: bool) {
    let version = version.rsplit('/').next().unwrap_or(version).to_owned();
    let entry = world
        .kinds
        .entry(kind.clone())
        .or_insert_with(|| ResourceKind {
            kind: kind.clone(),
            version: version.clone(),
            versions: Vec::new(),
            plural: format!("{}s", kind.kind.to_ascii_lowercase()),
            namespaced,
            listable: true,
        });
    if !entry.versions.contains(&version) {
        entry.versions.push(version);
    }
}

fn serve_of(world: &mut World, object: &Object) {
    let kind = object.key.kind.clone();
    let known = world.is_namespaced(&kind);
    serve(world, &kind, &object.version, known.unwrap_or(true));
}

/// An empty world of a cluster that serves every built-in kind in `v1`.
pub(crate) fn empty_world() -> World {
    let mut world = World::default();
    for row in BUILTIN_KINDS {
        serve(
            &mut world,
            &GroupKind::new(row.group, row.kind),
            "v1",
            row.namespaced,
        );
    }
    world
}

fn claim(compact: &Value) -> Claim {
    let (stack, environment) = text(compact, "of").unwrap().split_once('/').unwrap();
    let id = text(compact, "id").map_or_else(|| format!("{stack}-{environment}"), str::to_owned);
    let mut claim = Claim::new(ClaimId(id), stack, environment, "cluster");
    let home = text(compact, "home");
    if let Some(namespace) = home {
        let provenance = match text(compact, "provenance") {
            Some("existing") => NamespaceProvenance::Existing,
            Some("imported") => NamespaceProvenance::Imported,
            _ => NamespaceProvenance::Created,
        };
        claim.placement = Some(Placement {
            namespace: namespace.to_owned(),
            uid: match compact.get("uid") {
                Some(uid) => uid.as_str().map(str::to_owned),
                None => Some(format!("uid:namespace/{namespace}")),
            },
            provenance,
            shared: compact["shared"] == true,
        });
    }
    claim.lock = text(compact, "lock").map(|who| Lock {
        holder: "0123".to_owned(),
        who: who.to_owned(),
        acquired: "2026-01-01T00:00:00Z".to_owned(),
        renewed: "2026-01-01T00:00:30Z".to_owned(),
        lease_seconds: 60,
    });
    for entry in list(compact, "entries") {
        let form = entry.as_str().or_else(|| text(entry, "o")).unwrap();
        let (api_version, key) = identity(form);
        let intended = text(entry, "state") == Some("intended");
        let uid = match entry.get("uid") {
            Some(uid) => uid.as_str().map(str::to_owned),
            None => (!intended).then(|| format!("uid:{key}")),
        };
        let protection = list(entry, "protection")
            .filter_map(Value::as_str)
            .map(str::to_owned);
        let logical = LogicalKey::of(&key, home.unwrap_or_default());
        let entry = Entry {
            key,
            api_version,
            uid,
            state: if intended {
                EntryState::Intended
            } else {
                EntryState::Applied
            },
            nonce: "nonce".to_owned(),
            created: entry.get("created").is_none_or(|created| *created == true),
            implicit: entry
                .get("implicit")
                .is_some_and(|implicit| *implicit == true),
            protection: protection.collect(),
            digest: None,
        };
        claim.entries.insert(logical, entry);
    }
    claim
}

fn declared_environment(compact: &Value) -> DeclaredEnvironment {
    let (stack, name) = text(compact, "of").unwrap().split_once('/').unwrap();
    DeclaredEnvironment {
        stack: stack.to_owned(),
        name: name.to_owned(),
        parent: text(compact, "parent").map(str::to_owned),
        namespace: text(compact, "namespace").map(str::to_owned),
        shared: compact["shared"] == true,
        context: text(compact, "context").map(str::to_owned),
        place: Place {
            file: Arc::from("underpin.yaml"),
            line: 7,
            column: 3,
        },
    }
}

/// Environments declared in stack files.
pub(crate) fn declared_environments(compact: &Value) -> Vec<DeclaredEnvironment> {
    compact
        .as_array()
        .into_iter()
        .flatten()
        .map(declared_environment)
        .collect()
}

fn environment(compact: &Value) -> Environment {
    let own = declared_environment(compact);
    let mut all = declared_environments(&compact["declared"]);
    all.push(own.clone());
    Environment {
        stack: own.stack,
        name: own.name,
        parent: own.parent,
        namespace: own.namespace,
        shared: own.shared,
        ignored: Vec::new(),
        removal_percent: compact["removal_percent"]
            .as_u64()
            .map_or(50, |n| u8::try_from(n).unwrap()),
        declared: all,
        adopt: list(compact, "adopt")
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

/// A kind, or a whole group that discovery could not read.
fn unread(compact: &Value) -> Unread {
    let kind = text(compact, "kind").map(|kind| identity(&format!("{kind} x")).1.kind);
    assert!(
        kind.is_some() != text(compact, "group").is_some(),
        "{compact}"
    );
    Unread {
        kind,
        group: text(compact, "group").unwrap_or_default().to_owned(),
        namespace: text(compact, "namespace").map(str::to_owned),
        reason: "list forbidden".to_owned(),
    }
}

impl Scene {
    /// A scene from its compact form.
    pub(crate) fn new(compact: &Value) -> Self {
        let mut world = empty_world();
        for compact in list(compact, "world") {
            let object = live(compact);
            serve_of(&mut world, &object);
            world.insert(object);
        }
        let declared: Vec<Object> = list(compact, "declared")
            .enumerate()
            .map(|(index, compact)| declared(compact, index * 10 + 1))
            .collect();
        for object in &declared {
            serve_of(&mut world, object);
        }
        world.unread = list(compact, "unread").map(unread).collect();
        world.gone_owners = list(compact, "gone")
            .map(|owner| format!("uid:{}", identity(owner.as_str().unwrap()).1))
            .collect();
        world.claims = list(compact, "claims").map(claim).collect();
        let accepted = list(compact, "accept").map(|one| one.as_str().unwrap().parse().unwrap());
        let outcomes = compact["outcomes"].as_object().cloned().unwrap_or_default();
        let unrecorded = list(compact, "unrecorded").map(|one| UnreadRecord {
            tool: "Helm",
            unit: text(one, "unit").map(str::to_owned),
            namespace: text(one, "namespace").unwrap().to_owned(),
            reason: text(one, "reason").unwrap().to_owned(),
        });
        let recorded = list(compact, "recorded").map(|one| RecordedObject {
            key: identity(text(one, "o").unwrap()).1,
            tool: if text(one, "tool") == Some("Helm") {
                "Helm"
            } else {
                "Flux"
            },
            unit: text(one, "unit").unwrap().to_owned(),
            protections: list(one, "protections")
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        });
        let mut scene = Self {
            world,
            environment: environment(&compact["environment"]),
            declared,
            outcomes: outcomes.into_iter().collect(),
            acceptances: Acceptances::new(accepted, "tested"),
            recorded: Recorded {
                objects: recorded.collect(),
                unread: unrecorded.collect(),
            },
            down: compact["down"] == true,
        };
        let applied = list(compact, "claims").flat_map(|claim| list(claim, "entries"));
        let applied: Vec<ObjectKey> = applied
            .filter(|entry| text(entry, "applied") == Some("as declared"))
            .map(|entry| identity(text(entry, "o").unwrap()).1)
            .collect();
        if !applied.is_empty() {
            scene.record_digests(&applied);
        }
        scene
    }

    /// Records that these objects were last applied as they are declared now.
    fn record_digests(&mut self, applied: &[ObjectKey]) {
        for prepared in self.prepared().objects {
            let entries = self
                .world
                .claims
                .iter_mut()
                .flat_map(|one| &mut one.entries);
            for (_, entry) in entries.filter(|(_, entry)| entry.key == prepared.desired.key) {
                if applied.contains(&entry.key) {
                    entry.digest = FINGERPRINTS.digest(&prepared.desired.value);
                }
            }
        }
    }

    /// The environment's own claim.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        self.world
            .claim(&self.environment.stack, &self.environment.name)
    }

    /// The environment's identity: its claim's, or `fresh`.
    pub(crate) fn identity(&self) -> Identity {
        let id = self
            .claim()
            .map_or_else(|| ClaimId("fresh".into()), |claim| claim.id.clone());
        Identity {
            claim: id,
            seed: [7; 16],
        }
    }

    /// The declared objects, prepared.
    pub(crate) fn prepared(&self) -> Preparation {
        let ownership = Ownership::of(&self.world);
        prepare(
            &self.environment,
            &self.identity(),
            self.claim(),
            &self.world,
            &ownership,
            &self.declared,
        )
        .unwrap()
    }

    /// The plan, with the answers of a plain server where the scene gives none.
    pub(crate) fn plan(&self) -> Plan {
        let ownership = Ownership::of(&self.world);
        if self.down {
            return plan_down(
                self.claim().unwrap(),
                &self.world,
                &ownership,
                &self.acceptances,
                false,
            )
            .expect("a placement");
        }
        let preparation = self.prepared();
        let outcomes: BTreeMap<ObjectKey, MergeOutcome> = preparation
            .objects
            .iter()
            .map(|one| (one.desired.key.clone(), self.outcome(&one.desired)))
            .collect();
        let input = UpInput {
            environment: &self.environment,
            claim: self.claim(),
            world: &self.world,
            outcomes: &outcomes,
            fingerprints: &FINGERPRINTS,
            acceptances: &self.acceptances,
        };
        plan_up(&input, preparation)
    }

    fn outcome(&self, desired: &Object) -> MergeOutcome {
        let said = self.outcomes.get(&desired.key.subject());
        if let Some(words) = said.and_then(|said| text(said, "immutable")) {
            return MergeOutcome::Immutable(vec![Objection::to_all(words)]);
        }
        if let Some(words) = said.and_then(|said| text(said, "refused")) {
            return MergeOutcome::Refused(vec![Objection::to_all(words)]);
        }
        if let Some(said) = said.filter(|said| said.get("conflicts").is_some()) {
            let conflicts = list(said, "conflicts").map(|one| FieldConflict {
                manager: one[0].as_str().unwrap().to_owned(),
                field: one[1].as_str().unwrap().to_owned(),
            });
            return MergeOutcome::Conflicts(conflicts.collect());
        }
        match self.world.get(&desired.key) {
            None => MergeOutcome::Creatable,
            Some(live) => {
                let mut value = (*live.value).clone();
                merge(&mut value, &desired.value);
                MergeOutcome::Merged(Object {
                    value: value.into(),
                    ..live.clone()
                })
            }
        }
    }

    /// The verdict on the plan.
    pub(crate) fn verdict(&self) -> Verdict {
        let ownership = Ownership::of(&self.world);
        judge(Case {
            environment: (!self.down).then_some(&self.environment),
            claim: self.claim(),
            before: &self.world,
            plan: &self.plan(),
            ownership: &ownership,
            acceptances: &self.acceptances,
            recorded: &self.recorded,
        })
    }
}

/// What the rules say of declared files that nobody plans to apply, comments heeded: `files` are
/// what is declared, `before` what was before a change, `live` the live world. Objects begin ten
/// lines apart, as in scenes; `comments` stand on lines of their own.
pub(crate) fn survey_findings(compact: &Value) -> Vec<Finding> {
    let files = files_world(compact, "files", "stack.yaml");
    let before = compact
        .get("before")
        .map(|_| files_world(compact, "before", "before.yaml"));
    let live = compact.get("live").map(|_| live_world(compact));
    let over = |files: &World| match &live {
        Some(live) => applied(live, files, before.as_ref()),
        None => files.clone(),
    };
    let (after, former) = (over(&files), before.as_ref().map(over));
    let needs: Vec<Need> = list(compact, "needs").map(need).collect();
    let options = NeedOptions::default();
    let network = |world| Network::new(world, &needs, &options);
    let environments = declared_environments(&compact["environments"]);
    let mut asked = Survey::new(&files, network(&after));
    asked.before = former.as_ref().map(network);
    asked.live = live.as_ref().map(network);
    asked.environments = &environments;
    asked.is_opaque = compact["opaque"] == true;
    asked.edge = edge(compact);
    let findings = survey(&asked);
    let comments: Vec<(Place, String)> = list(compact, "comments")
        .map(|one| {
            let line = u32::try_from(one["line"].as_u64().unwrap()).unwrap();
            (
                place("stack.yaml", line),
                text(one, "text").unwrap().to_owned(),
            )
        })
        .collect();
    let remarks = comments.iter().map(|(place, text)| Remark { place, text });
    let (allowed, malformed) = suppressions(remarks);
    assert!(malformed.is_empty(), "{malformed:?}");
    let texts = Texts::from([(Arc::from("stack.yaml"), text_of(&files, &comments))]);
    let ran = |code| rule(code).is_some_and(|rule| rule.survey.is_some());
    let sorted = sort_out(findings, &allowed, &texts, files.objects(), ran);
    up403::brought_together(sorted.findings)
}

/// What is asked of the edge.
fn edge(compact: &Value) -> EdgeOptions {
    let mut edge = EdgeOptions {
        alone: compact["alone"] == true,
        is_whole: compact["whole"] == true,
        ..EdgeOptions::default()
    };
    edge.settings.endpoints = compact["endpoints"] == true;
    edge.settings.ingress_class = text(compact, "ingress_class").map(str::to_owned);
    let configuration = compact.get("configuration").map(|value| Configuration {
        file: Arc::from("edge.json"),
        value: value.clone(),
        spans: Arc::default(),
    });
    edge.configurations.extend(configuration);
    edge
}

fn place(file: &str, line: u32) -> Place {
    Place {
        file: Arc::from(file),
        line,
        column: 1,
    }
}

/// A text in which the objects begin where they do, and comments stand above.
fn text_of(files: &World, comments: &[(Place, String)]) -> String {
    let mut lines = vec!["  field: value".to_owned(); files.objects().count() * 10 + 10];
    for (place, comment) in comments {
        let line = usize::try_from(place.line).unwrap();
        lines[line - 1] = format!("# {comment}");
    }
    lines.join("\n")
}

fn files_world(compact: &Value, field: &str, file: &str) -> World {
    let objects = list(compact, field).enumerate().map(|(index, compact)| {
        let line = u32::try_from(index * 10 + 1).unwrap();
        let origin = Origin::Declared {
            place: place(file, line),
            spans: Arc::default(),
        };
        object(compact, origin)
    });
    let mut world = world_of(objects);
    let field = if field == "before" {
        "before_unread"
    } else {
        "unread"
    };
    world.unread = list(compact, field).map(unread).collect();
    world
}

fn live_world(compact: &Value) -> World {
    let mut world = empty_world();
    for compact in list(compact, "live") {
        let object = live(compact);
        serve_of(&mut world, &object);
        world.insert(object);
    }
    world.unread = list(compact, "live_unread").map(unread).collect();
    world
}

/// A need from `{"from": "namespace/docs", "to": "service/db/postgres", "port": 5432}`.
fn need(compact: &Value) -> Need {
    let from = text(compact, "from").unwrap();
    let from = match from.strip_prefix("namespace/") {
        Some(namespace) => Consumer::Namespace(namespace.to_owned()),
        None => Consumer::Workload(identity(from).1),
    };
    let to: Vec<&str> = text(compact, "to").unwrap().split('/').collect();
    let confidence = match text(compact, "confidence") {
        Some("guessed") => Confidence::Guessed,
        _ => Confidence::Certain,
    };
    Need {
        evidence: vec![Evidence {
            object: ObjectKey::of_namespace("x"),
            path: FieldPath::root(),
            place: Some(place("needs.yaml", 2)),
            note: "is declared to need it".to_owned(),
        }],
        from,
        to: Supplier::Service {
            namespace: to[1].to_owned(),
            name: to[2].to_owned(),
        },
        protocol: Protocol::Tcp,
        port: compact["port"]
            .as_u64()
            .map(|port| PortRef::Number(u16::try_from(port).unwrap())),
        confidence,
        reason: None,
    }
}
