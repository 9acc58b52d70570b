//! What an apply or an update does to an object and to its `managedFields`.
//!
//! Source: KEP-555 and the API server's field manager.
//!
//! Objects are in one version: an entry of another `apiVersion` is read with the same schema,
//! where the server would convert.

mod apply;
mod cap;
mod conflict;
mod entry;
mod last_applied;
mod migrate;
mod object;
mod time;
mod update;

pub use apply::{ApplyError, ApplyRequest, apply, apply_resetting};
pub use conflict::{CONFLICT_REASON, Conflict, conflict_message};
pub use entry::{ManagedFields, ManagedFieldsError, ManagerEntry, Operation};
pub use migrate::migrate;
pub use object::strip;
pub use update::{update, update_resetting};

pub(crate) use last_applied::LAST_APPLIED;
pub(crate) use object::without_managed_fields;
