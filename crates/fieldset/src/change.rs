//! Whether an apply provably changes nothing.

use std::{fmt, sync::LazyLock};

use serde_json::Value;

use crate::{
    FieldPath, FieldSet, ManagedFields,
    managers::{self, LAST_APPLIED},
    schema::KindSchema,
    typed::{compare, fields_as_owned, merge_into, validate},
    value,
};

/// The field of `metadata` that an apply may name so that it can only create. A server takes it out of
/// what it creates, and refuses to change it by anything but a deletion (API reference, ObjectMeta).
/// Whoever created so owns it until the next apply, and it says nothing of the object.
pub const CREATION_ONLY: &str = "deletionGracePeriodSeconds";

static LEFT_BY_CREATION: LazyLock<FieldSet> = LazyLock::new(|| {
    let mut set = FieldSet::new();
    set.insert(&FieldPath::of_fields(["metadata", CREATION_ONLY]));
    set
});

/// What an apply would do, as far as can be told without the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing, provably.
    None,
    /// Something, or it cannot be told: only the server knows.
    AskServer(Reason),
}

/// Why only the server can tell. It names fields, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nothing is known of the kind's fields.
    NoSchema,
    /// The declared object does not fit the schema.
    Declared(FieldPath),
    /// The live object does not fit the schema.
    Live(FieldPath),
    /// The live object is of another kind or version.
    OtherKind,
    /// The live object is being deleted.
    BeingDeleted,
    /// The live object's managed fields cannot be read.
    ManagedFields,
    /// The declared object says who owns what.
    DeclaresManagedFields,
    /// The manager has not applied the live object.
    NotApplied,
    /// The manager applied it in another version.
    AppliedVersion,
    /// The manager's managed fields are not the declared ones; the first difference.
    Owned(FieldPath),
    /// A value, or the order of a list, differs; the first difference, the root if it is the
    /// order.
    Value(FieldPath),
    /// The server would write client-side apply's annotation anew.
    LastApplied,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSchema => formatter.write_str("the kind's schema is not known"),
            Self::Declared(path) => {
                write!(formatter, "the declared {path} does not fit the schema")
            }
            Self::Live(path) => write!(formatter, "the live {path} does not fit the schema"),
            Self::OtherKind => formatter.write_str("the live object is of another kind or version"),
            Self::BeingDeleted => formatter.write_str("the live object is being deleted"),
            Self::ManagedFields => formatter.write_str("the managed fields cannot be read"),
            Self::DeclaresManagedFields => {
                formatter.write_str("the declared object holds managed fields")
            }
            Self::NotApplied => formatter.write_str("the object was not applied by this manager"),
            Self::AppliedVersion => formatter.write_str("it was applied in another version"),
            Self::Owned(path) => {
                write!(formatter, "{path} is owned and not declared, or not owned")
            }
            Self::Value(path) if path.elements().is_empty() => {
                formatter.write_str("the order of a list differs")
            }
            Self::Value(path) => write!(formatter, "{path} differs"),
            Self::LastApplied => formatter.write_str("client-side apply's annotation is there"),
        }
    }
}

/// Whether applying the declared object as a manager would change the live one.
///
/// [`Change::None`] only if the manager's one Apply entry of the live object holds exactly the
/// declared fields, in the same version, and laying the declared object over the live one gives
/// the live one, order of lists included. [`CREATION_ONLY`] in the entry does not count.
///
/// The server may be older or newer than the schema. An object that the schema takes as one may be
/// owned field by field: then each of its declared fields must be owned, and no other, and it must
/// be the live one as a whole. However the server divides it, nothing changes.
pub fn change(
    declared: &Value,
    live: &Value,
    manager: &str,
    schema: Option<&KindSchema>,
) -> Change {
    match prove_unchanged(declared, live, manager, schema) {
        Ok(()) => Change::None,
        Err(reason) => Change::AskServer(reason),
    }
}

fn prove_unchanged(
    declared: &Value,
    live: &Value,
    manager: &str,
    schema: Option<&KindSchema>,
) -> Result<(), Reason> {
    let schema = schema.ok_or(Reason::NoSchema)?;
    let version = identity(declared, live)?;
    if live
        .pointer("/metadata/deletionTimestamp")
        .is_some_and(|time| !time.is_null())
    {
        return Err(Reason::BeingDeleted);
    }
    if declared.pointer("/metadata/managedFields").is_some() {
        return Err(Reason::DeclaresManagedFields);
    }
    if manager == "kubectl"
        && live
            .pointer("/metadata/annotations")
            .is_some_and(|annotations| annotations.get(LAST_APPLIED).is_some())
    {
        return Err(Reason::LastApplied);
    }
    let managed = ManagedFields::of_object(live).map_err(|_| Reason::ManagedFields)?;
    let entry = managed.applied_by(manager, "").ok_or(Reason::NotApplied)?;
    if entry.api_version != version {
        return Err(Reason::AppliedVersion);
    }
    let first = |errors: Vec<crate::TypeError>| {
        let error = errors.into_iter().next();
        error.map(|error| error.path).unwrap_or_default()
    };
    let live = managers::without_managed_fields(live);
    validate(declared, schema).map_err(|errors| Reason::Declared(first(errors)))?;
    validate(&live, schema).map_err(|errors| Reason::Live(first(errors)))?;
    let owned = entry.fields.difference(&LEFT_BY_CREATION);
    let fields = managers::strip(&fields_as_owned(declared, schema, &owned));
    if let Some(path) = first_difference(&fields, &owned) {
        return Err(Reason::Owned(path));
    }
    let mut merged = live.clone();
    merge_into(&mut merged, declared, schema);
    if value::equal(&merged, &live) {
        return Ok(());
    }
    let changes = compare(&live, &merged, schema);
    Err(Reason::Value(changes.set().first().unwrap_or_default()))
}

/// The version that both are of.
fn identity<'d>(declared: &'d Value, live: &Value) -> Result<&'d str, Reason> {
    for field in ["apiVersion", "kind"] {
        let text = |object: &'_ Value| object.get(field)?.as_str().map(str::to_owned);
        if text(declared).is_none() || text(declared) != text(live) {
            return Err(Reason::OtherKind);
        }
    }
    declared
        .get("apiVersion")
        .and_then(Value::as_str)
        .ok_or(Reason::OtherKind)
}

fn first_difference(left: &FieldSet, right: &FieldSet) -> Option<FieldPath> {
    if left == right {
        return None;
    }
    let first = left.difference(right).first();
    first.or_else(|| right.difference(left).first())
}
