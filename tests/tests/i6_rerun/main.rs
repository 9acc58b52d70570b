//! I6: an interrupted deploy could never be run again.

#![allow(
    clippy::disallowed_methods,
    reason = "drives real processes in real time"
)]

mod deadline;
mod drift;
mod fixtures;
mod half_done;
mod kill_points;
mod neighbours;
mod outage;
mod ownership;
mod partial;
mod removal;
mod two_at_once;

use std::time::Duration;

/// Longest wait for something that happens by itself.
const LIMIT: Duration = Duration::from_mins(1);
