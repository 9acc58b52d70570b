//! Random stacks and worlds on the sandbox, killed at every write.
//!
//! A [`Scenario`] is a function of a seed: some environments, and what they and others do in order.
//! [`play`] runs each operation uninterrupted, forks the cluster after every write of it, runs
//! nothing but the recovery from each fork, and compares the end with the uninterrupted one. Then
//! it runs the operation with faults, and with others acting between two of its requests. The
//! [`oracle`] judges every single write on the way.
//!
//! Invariant: the oracle shares no code with `plan`, nor with what the sandbox decides.

use mimalloc::MiMalloc;

mod actor;
mod campaign;
mod faults;
mod foreign;
mod kinds;
pub mod normal;
pub mod oracle;
mod play;
mod random;
mod scenario;
mod shrink;
mod template;

pub use campaign::{Campaign, play_many, reproduction};
pub use play::{Measure, Report, play};
pub use scenario::{Environment, Foreign, Operation, Scenario};
pub use template::Template;

/// A simulation does little but make and drop small values.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
