//! Server-side apply's semantics (KEP-555): who owns which field, and what an apply changes.
//!
//! Pure: objects are [`serde_json::Value`]; no I/O, no clock.
//!
//! - [`schema`]: how lists and maps merge, for built-in kinds and for CustomResourceDefinitions;
//! - [`FieldSet`]: sets of field paths, as `managedFields` stores them (FieldsV1);
//! - [`fields_of`], [`merge`], [`compare`], [`remove`]: values under a schema;
//! - [`change`]: whether an apply provably changes nothing;
//! - [`managers`]: what an apply or an update does to an object and to its `managedFields`.

mod change;
mod fields_v1;
pub mod managers;
mod path;
pub mod schema;
mod set;
mod typed;
mod value;

pub use change::{CREATION_ONLY, Change, Reason, change};
pub use fields_v1::FieldsError;
pub use managers::{
    ApplyError, ApplyRequest, Conflict, ManagedFields, ManagedFieldsError, ManagerEntry, Operation,
    apply, conflict_message, migrate, update,
};
pub use path::{FieldPath, PathElement};
pub use set::FieldSet;
pub use typed::{
    Comparison, TypeError, compare, describe, extract, fields_of, merge, remove, validate,
};
