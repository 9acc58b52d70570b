//! The executor of object steps: plans against a cluster, and does what the verdict allows.
//!
//! ```text
//! planning ──▶ Planned ──(confirm, lock)──▶ record intents ──▶ waves ──▶ wait ──▶ prune ──▶ record
//! ```
//!
//! Invariants:
//! - `planning` changes nothing in the cluster;
//! - nothing is changed without the claim's lock, and no request is sent whose time limit outlives
//!   the lock or the deadline;
//! - an object is created or changed only after the claim records the intent;
//! - a destructive call re-reads what it destroys and carries its uid and resourceVersion.

mod agreement;
mod apply;
mod closing;
mod content;
mod contested;
mod count;
mod definition;
mod deployment;
mod down;
mod dry_deletion;
mod dry_run;
mod error;
mod frozen;
mod helm;
mod history;
mod host;
mod import;
mod kinds;
mod mark;
mod namespace;
mod observe;
mod planning;
mod recheck;
mod record;
mod removal;
mod remove;
mod run;
mod session;
mod status;
mod stop;
mod tools;
mod unchanged;
mod up;
mod wait;
mod waves;

pub mod rights;

#[cfg(test)]
mod apply_tests;
#[cfg(test)]
mod dry_run_tests;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod remove_tests;

pub use deployment::{Deployment, Settings};
pub use down::{down, plan_teardown, reclaim_kept};
pub use error::DeployError;
pub use frozen::{freeze, up_frozen};
pub use history::{History, HistoryError, RevisionComparison, compare_revisions, history};
pub use import::{Import, ImportFrom, Imported, import};
pub use observe::{Event, Held, Observer, Pending, Readiness, StepResult, WaveReadiness};
pub use planning::{Planned, plan, read_everything, read_world, read_world_with_endpoints};
pub use run::{Failure, NotReady, Outcome, Summary};
pub use session::check_claims_read;
pub use status::{ClaimStatus, KeptNamespace, NotReadyNow, Status, status};
pub use stop::{Stop, StopReason};
pub use up::up;
