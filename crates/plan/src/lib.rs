//! The heart: names and placement, the plan, what it does to the world, and the verdict on it.
//!
//! ```text
//! declared + world + claim ──prepare──▶ Preparation ──(dry runs)──▶ plan_up ──▶ Plan
//!                                                                   plan_down ──▶ Plan
//! world + Plan ──simulate──▶ Simulation ──judge──▶ Verdict
//! declared files, alone or beside a live world ──survey──▶ findings
//! ```
//!
//! Invariant: pure. No I/O, no clock, no randomness, no async; the same input gives the same
//! output, byte for byte. It never decides what a kind's fields mean: `underpin-refs` does.

mod accept;
mod build;
mod cascade;
mod components;
pub mod connectivity;
mod context;
mod dangling;
mod diff;
mod edge;
mod environment;
mod fingerprint;
mod frozen;
mod judge;
mod leaving;
mod left_alone;
mod managed_fields;
pub mod naming;
mod need_fate;
mod network;
mod objection;
mod occupancy;
mod order;
mod ownership;
mod placement;
mod prepare;
mod recorded;
mod redact;
mod revision;
pub mod rules;
mod simulate;
pub mod suppression;
mod survey;
mod teardown;
mod unproven;
mod waiting;
pub mod why;
mod wording;

pub use accept::{Acceptance, AcceptanceError, Acceptances};
pub use build::{FieldConflict, MergeOutcome, Plan, Purpose, UpInput, is_long_lived, plan_up};
pub use context::Context;
pub use diff::changes;
pub use edge::{Configuration, EdgeOptions};
pub use environment::{DeclaredEnvironment, Environment, Identity, IgnoredFields, Problem};
pub use fingerprint::Fingerprints;
pub use frozen::{DigestKey, FrozenAction, FrozenPlan, FrozenStep, Movement, Sealer, Surroundings};
pub use judge::{Case, Verdict, judge, sort_findings};
pub use managed_fields::without_co_owned;
pub use need_fate::{NeedFate, by_new_names, by_old_names, need_fates};
pub use network::Network;
pub use objection::Objection;
pub use occupancy::{Occupancy, Occupant, occupancy, placed_in};
pub use ownership::{LOST_CLAIM, Ownership};
pub use placement::{ResolvedPlacement, resolve_placement};
pub use prepare::{Autoscaled, Preparation, Prepared, Situation, prepare};
pub use recorded::{Recorded, RecordedObject, UnreadRecord};
pub use redact::{redacted, secret_values};
pub use revision::{RevisionDiff, applied_content, revision_diff};
pub use simulate::{Cause, Simulation, simulate, simulate_removal};
pub use survey::{Survey, applied, survey};
pub use teardown::plan_down;
pub use waiting::{Until, Waiting, WaitingError, duration, waiting};
