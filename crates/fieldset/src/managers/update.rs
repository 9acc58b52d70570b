//! Create, replace and patch: everything that is not an apply.

use serde_json::{Map, Value};

use super::{
    cap::cap,
    entry::{ManagedFields, ManagedFieldsError, ManagerEntry, Operation},
    object::{
        api_version, set_managed_fields, stripped, take_managed_fields, without_managed_fields,
    },
};
use crate::{
    FieldSet,
    schema::KindSchema,
    typed::{compare_stored, reconcile, validate_live},
};

/// The manager's name where a request gives none.
const UNKNOWN_MANAGER: &str = "unknown";

/// The new object with its `managedFields`: what it changes of the live one belongs to the
/// manager, and to nobody else.
///
/// - `managedFields` in the new object count, but not through a subresource; `[]` or `[{}]`
///   makes the server forget them, and without any the live object's stay.
/// - An object that lives without `managedFields` stays so until the first apply.
/// - Where an object does not fit the schema, the live object's `managedFields` stay, for the
///   server never refuses a write for their sake.
///
/// `now` is RFC 3339, to the second.
pub fn update(
    live: Option<&Value>,
    new: Value,
    manager: &str,
    subresource: &str,
    now: &str,
    schema: &KindSchema,
) -> Result<Value, ManagedFieldsError> {
    let writer = Writer {
        manager,
        subresource,
        now,
        reset: &FieldSet::new(),
    };
    run(live, new, &writer, schema)
}

/// [`update`] through an endpoint that takes back changes to some fields: nobody comes to own
/// them, nor what is below.
pub fn update_resetting(
    live: Option<&Value>,
    new: Value,
    manager: &str,
    subresource: &str,
    now: &str,
    schema: &KindSchema,
    reset: &FieldSet,
) -> Result<Value, ManagedFieldsError> {
    let writer = Writer {
        manager,
        subresource,
        now,
        reset,
    };
    run(live, new, &writer, schema)
}

/// Who writes, when, and what the endpoint resets.
pub(super) struct Writer<'a> {
    pub(super) manager: &'a str,
    pub(super) subresource: &'a str,
    pub(super) now: &'a str,
    pub(super) reset: &'a FieldSet,
}

impl Writer<'_> {
    /// The writer's entry, with nothing in it.
    pub(super) fn entry(&self, operation: Operation, api_version: &str) -> ManagerEntry {
        let manager = match self.manager {
            "" => UNKNOWN_MANAGER,
            manager => manager,
        };
        ManagerEntry {
            manager: manager.to_owned(),
            operation,
            api_version: api_version.to_owned(),
            time: Some(self.now.to_owned()),
            subresource: self.subresource.to_owned(),
            fields: FieldSet::new(),
        }
    }
}

fn run(
    live: Option<&Value>,
    mut new: Value,
    writer: &Writer<'_>,
    schema: &KindSchema,
) -> Result<Value, ManagedFieldsError> {
    let given = take_managed_fields(&mut new);
    let managed = base(live, given.as_ref(), writer);
    if managed.0.is_empty() && live.is_some() {
        return Ok(new);
    }
    let before = live.map_or_else(|| Value::Object(Map::new()), without_managed_fields);
    if validate_live(&new, schema).is_err() || validate_live(&before, schema).is_err() {
        if let Some(kept) = live.and_then(|live| live.pointer("/metadata/managedFields"))
            && let Some(Value::Object(metadata)) = new.get_mut("metadata")
        {
            metadata.insert("managedFields".to_owned(), kept.clone());
        }
        return Ok(new);
    }
    let managed = track(&before, &new, managed, writer, api_version(&new)?, schema);
    set_managed_fields(&mut new, &managed)?;
    Ok(new)
}

/// The entries that an update starts from. Unreadable ones count as none, as in the server.
fn base(live: Option<&Value>, given: Option<&Value>, writer: &Writer<'_>) -> ManagedFields {
    let stored = || {
        live.and_then(|live| ManagedFields::of_object(live).ok())
            .unwrap_or_default()
    };
    if !writer.subresource.is_empty() {
        return stored();
    }
    if ManagedFields::is_reset(given) {
        return ManagedFields::default();
    }
    match given.map(ManagedFields::from_json) {
        Some(Ok(given)) if !given.0.is_empty() => given,
        _ => stored(),
    }
}

/// The entries after a write that turned `before` into `after`.
pub(super) fn track(
    before: &Value,
    after: &Value,
    mut managed: ManagedFields,
    writer: &Writer<'_>,
    api_version: &str,
    schema: &KindSchema,
) -> ManagedFields {
    let changes = compare_stored(before, after, schema);
    if !changes.is_same() {
        let without_reset = |set: &FieldSet| set.recursive_difference(writer.reset);
        let set = without_reset(&changes.set());
        let removed = without_reset(&changes.removed);
        for entry in &mut managed.0 {
            reconcile(&mut entry.fields, schema);
            entry.fields.subtract(&set);
            entry.fields.subtract(&removed);
        }
        let mut own = writer.entry(Operation::Update, api_version);
        own.fields = stripped(set);
        if !own.fields.is_empty() {
            if let Some(previous) = managed.take(&own) {
                own.fields.extend(&previous.fields);
            }
            managed.0.push(own);
        }
    }
    managed.0.retain(|entry| !entry.fields.is_empty());
    cap(&mut managed);
    managed
}
