//! The lock on a claim: one run at a time changes an environment.
//!
//! The lock is a lease inside the claim's head, taken and renewed by compare-and-swap. A holder
//! that stops renewing loses it to whoever has watched it stand still for the lease's length on
//! their own monotonic clock: no two machines' clocks are ever compared. Objects in the cluster
//! cannot be fenced, so a holder sends no request whose time limit outlives
//! [`LockGuard::remaining`].

mod acquire;
mod guard;

pub use acquire::{Acquired, LockRequest, acquire};
pub use guard::{LockError, LockGuard};

#[cfg(test)]
mod tests;
