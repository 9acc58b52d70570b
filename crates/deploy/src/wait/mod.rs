//! Waits until applied objects are ready, and finds out why they are not.
//!
//! `underpin-readiness` judges; this module reads: the objects themselves one by one or by lists,
//! and of what is not ready in time the pods, events and logs. Invariant: nothing here changes
//! anything in the cluster, and nothing that a container wrote leaves it unmasked.

mod established;
mod evidence;
mod look;
mod neighbours;
mod secrets;
#[cfg(test)]
mod tests;
mod waiter;

pub(crate) use established::established;
pub(crate) use waiter::{Declared, Waiter};
