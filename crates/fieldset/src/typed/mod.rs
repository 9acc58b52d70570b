//! Values under a schema: shape checks, field sets, merge, comparison, removal.
//!
//! Source: KEP-555 and structured-merge-diff's `typed` package.

mod compare;
mod error;
mod fields;
mod merge;
mod reconcile;
mod remove;
mod shape;
mod validate;

pub use compare::{Comparison, compare};
pub use error::{TypeError, describe};
pub use fields::fields_of;
pub use merge::merge;
pub use remove::{extract, remove};
pub use validate::validate;

pub(crate) use compare::compare_stored;
pub(crate) use fields::{ensure_named, fields_as_owned, fields_unchecked};
pub(crate) use merge::merge_into;
pub(crate) use reconcile::reconcile;
pub(crate) use remove::{remove_from, remove_to_null};
pub(crate) use validate::validate_live;
