//! The harness tested against the real control plane: what scenarios rely on.

mod control_plane;
mod program;
mod proxy;

use std::time::Duration;

/// Longest wait for something that controllers do.
const LIMIT: Duration = Duration::from_mins(1);
