//! How controllers read and write: as clients of the API, without its wire.
//!
//! A write to an object that is gone has no effect: a real controller would only find out later.

use std::sync::Arc;

use serde_json::{Value, json};
use underpin_fieldset::{FieldPath, FieldSet, managers};
use underpin_model::GroupKind;

use crate::{
    Failure, Kind, State,
    admission::{self, Operation},
    lifecycle::{self, DeleteOptions, Key, Propagation},
    object,
};

/// Who writes, as `managedFields` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    ApiServer,
    ControllerManager,
    Kubelet,
    Scheduler,
}

impl Writer {
    /// As `managedFields` and events name it.
    pub(super) fn manager(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Kubelet => "kubelet",
            Self::Scheduler => "kube-scheduler",
        }
    }
}

/// The kind, if it is served.
pub(super) fn kind(state: &State, kind: &GroupKind) -> Option<Arc<Kind>> {
    state.kinds.of(kind).cloned()
}

/// One object, as it is now.
pub(super) fn get(state: &State, key: &Key) -> Option<Arc<Value>> {
    state.get(&key.kind, &key.namespace, &key.name).cloned()
}

/// All objects of a kind in a namespace, by name.
pub(super) fn list(state: &State, kind: &GroupKind, namespace: &str) -> Vec<Arc<Value>> {
    let objects = state.objects(kind);
    let begin = (namespace.to_owned(), String::new());
    objects
        .range(begin..)
        .take_while(|((at, _), _)| at == namespace)
        .map(|(_, object)| object.clone())
        .collect()
}

/// All objects of a kind.
pub(super) fn list_all(state: &State, kind: &GroupKind) -> Vec<Arc<Value>> {
    state.objects(kind).values().cloned().collect()
}

/// Whether a namespace is there and not going.
pub(super) fn is_active(state: &State, namespace: &str) -> bool {
    state
        .get(&GroupKind::core("Namespace"), "", namespace)
        .is_some_and(|found| object::text(found, "/status/phase") != "Terminating")
}

/// A name from a prefix, as the server makes one for `generateName`.
pub(super) fn generate_name(state: &mut State, prefix: &str) -> String {
    /// Letters that spell no words.
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    /// Letters added.
    const LENGTH: usize = 5;
    /// Longest prefix that is kept: 63 less the letters added.
    const PREFIX_LIMIT: usize = 58;
    let mut random = state.random();
    let mut name: String = prefix.chars().take(PREFIX_LIMIT).collect();
    for _ in 0..LENGTH {
        let index = usize::try_from(random % 27).unwrap_or_default();
        name.push(char::from(LETTERS[index]));
        random /= 27;
    }
    name
}

/// Creates an object, named by `metadata.name`, or by `metadata.generateName` and a random rest.
///
/// Errors: what the API would answer.
pub(super) fn create(
    state: &mut State,
    writer: Writer,
    kind: &GroupKind,
    mut value: Value,
) -> Result<Arc<Value>, Failure> {
    let kind = self::kind(state, kind).ok_or_else(Failure::not_served)?;
    let namespace = object::namespace(&value).to_owned();
    admission::set_defaults(&kind, &mut value);
    let now = object::seconds(state.now);
    let mut value = managed(&kind, None, value, writer, "", &now);
    if kind.namespaced {
        let name = match object::name(&value) {
            "" => object::text(&value, "/metadata/generateName"),
            name => name,
        };
        lifecycle::admit_into_namespace(state, &kind, &namespace, name)?;
    }
    admission::admit(state, &kind, Operation::Create, &value)?;
    admission::prepare(state, &kind, Operation::Create, None, &mut value, "");
    let uid = state.new_uid();
    let metadata = object::child_of(&mut value, "metadata");
    metadata.insert("uid".to_owned(), json!(uid));
    metadata.insert("creationTimestamp".to_owned(), json!(now));
    if object::name(&value).is_empty() {
        let prefix = object::text(&value, "/metadata/generateName").to_owned();
        let name = generate_name(state, &prefix);
        object::child_of(&mut value, "metadata").insert("name".to_owned(), json!(name));
    }
    let name = object::name(&value);
    let causes = admission::validate(state, &kind, Operation::Create, None, &value, "");
    if !causes.is_empty() {
        return Err(Failure::invalid(&kind, name, &causes));
    }
    if state.get(&kind.kind, &namespace, name).is_some() {
        return Err(Failure::already_exists(&kind, name));
    }
    Ok(state.put(&kind, value))
}

/// Stores an object whose spec or metadata was changed.
pub(super) fn update(state: &mut State, writer: Writer, kind: &GroupKind, value: Value) {
    write(state, writer, kind, value, "");
}

/// Stores an object whose status was changed.
pub(super) fn update_status(state: &mut State, writer: Writer, kind: &GroupKind, value: Value) {
    write(state, writer, kind, value, "status");
}

/// Stores a namespace whose spec's finalizers were changed.
pub(super) fn finalize(state: &mut State, writer: Writer, kind: &GroupKind, value: Value) {
    write(state, writer, kind, value, "finalize");
}

/// An object that is the same is left alone. It goes for good if nothing keeps it any more.
fn write(state: &mut State, writer: Writer, kind: &GroupKind, mut value: Value, subresource: &str) {
    let Some(kind) = self::kind(state, kind) else {
        return;
    };
    let (namespace, name) = (object::namespace(&value), object::name(&value));
    let Some(current) = state.get(&kind.kind, namespace, name).cloned() else {
        return;
    };
    if *current == value {
        return;
    }
    let old = Some(current.as_ref());
    admission::set_defaults(&kind, &mut value);
    let now = object::seconds(state.now);
    let mut value = managed(&kind, old, value, writer, subresource, &now);
    admission::prepare(
        state,
        &kind,
        Operation::Update,
        old,
        &mut value,
        subresource,
    );
    if lifecycle::waits_for_nothing(&kind, &value) && object::is_deleting(&current) {
        state.erase(&kind, object::namespace(&current), object::name(&current));
    } else if *current != value {
        state.put(&kind, value);
    }
}

/// The object with the account of who set what.
fn managed(
    kind: &Kind,
    live: Option<&Value>,
    value: Value,
    writer: Writer,
    subresource: &str,
    now: &str,
) -> Value {
    let field = match subresource {
        "" if kind.has_status => Some("status"),
        "status" => Some("spec"),
        _ => None,
    };
    let mut reset = FieldSet::new();
    if let Some(field) = field {
        reset.insert(&FieldPath::of_fields([field]));
    }
    let plain = value.clone();
    let manager = writer.manager();
    let schema = &kind.schema;
    // What cannot be read is left as it is: this is bookkeeping, and no reason to do nothing.
    managers::update_resetting(live, value, manager, subresource, now, schema, &reset)
        .unwrap_or(plain)
}

/// Deletes the very object, if it is still there.
pub(super) fn delete(
    state: &mut State,
    key: &Key,
    uid: &str,
    propagation: Option<Propagation>,
    grace_period_seconds: Option<i64>,
) {
    let Some(kind) = kind(state, &key.kind) else {
        return;
    };
    let options = DeleteOptions {
        uid: Some(uid.to_owned()),
        propagation,
        grace_period_seconds,
        ..DeleteOptions::default()
    };
    // Gone or replaced in the meantime: then there is nothing left to do.
    drop(lifecycle::delete(
        state,
        &kind,
        &key.namespace,
        &key.name,
        &options,
    ));
}

/// Stores an object through an endpoint that keeps no account of who set what.
pub(super) fn store(state: &mut State, kind: &GroupKind, value: Value) {
    if let Some(kind) = self::kind(state, kind) {
        state.put(&kind, value);
    }
}
