//! What objects say of their own state: whether they are ready, and if not, why.
//!
//! [`state`] judges one object by its status, as `kubectl rollout status` and kstatus do for
//! built-in kinds, and by conditions and `observedGeneration` for all others. [`diagnosis`] finds
//! the cause of what is not ready in the pods, events and logs that were read for it.
//!
//! Invariants: pure, no clock; `refs` knows what an object says of others, this crate what its
//! status says of itself; malformed fields are signs that are not given, never a panic; no text
//! leaves [`underpin_model::Mask`] with a value that it was told of.

mod condition;
pub mod diagnosis;
mod kinds;
mod state;

pub use kinds::{Surroundings, completion, observes_changes, state};
pub use state::State;
