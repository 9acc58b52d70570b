//! Which rights each command needs, from one table of what it asks the API server for.

mod roles;
mod table;

pub use roles::{Extent, Resource, Roles, Rule, roles};
pub use table::Task;
