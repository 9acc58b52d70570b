//! I3: routes vanished and monitoring saw HTTP 200. A real Caddy in front of real upstreams, held to
//! what a cluster says by `underpin routes serve`.

#![allow(
    clippy::disallowed_methods,
    reason = "drives real processes in real time"
)]

mod astray;
mod catch_all;
mod certificates;
mod client;
mod down;
mod impostor;
mod load;
mod manifests;
mod outage;
mod refused;
mod restart;
mod rights;
mod secrets;
mod snippets;
mod stage;
mod tls;
mod tls_client;
mod two;
mod upstream;

use std::time::Duration;

/// Longest wait for something that happens by itself, on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);
