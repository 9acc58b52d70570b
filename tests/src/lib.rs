//! The harness of the end-to-end tests: a cluster, kubectl, a recording proxy that breaks things
//! on order, and the program under test as a process.
//!
//! ```text
//! test ── Underpin (process) ── Proxy ── kube-apiserver, or a sandbox served by this process
//!   └──── Kubectl ──────────────────────────┘
//! ```
//!
//! * The cluster is a real control plane, or with `UNDERPIN_TEST_CLUSTER=sandbox` a sandbox. No
//!   test knows which: what holds of one must hold of the other.
//! * [`shared`] is one cluster for all tests of a test binary; each test takes a [`Namespace`] or
//!   names of its own. [`fresh`] starts another, for tests that stop or break it.
//! * Nothing survives the test process, however it ends.
//! * A missing component fails the test with the command that builds it; nothing is skipped.
//! * The program is the one that `$UNDERPIN_BIN` names (`cargo xtask test` sets it), else it is
//!   built once per test process by `cargo build --package underpin`.
//! * Calls block. Write plain `#[test]` functions that return [`anyhow::Result`].

#![allow(
    clippy::disallowed_methods,
    reason = "drives real processes in real time"
)]

mod cluster;
mod kubectl;
mod pod;
mod proxy;
mod stack;
mod transcript;
mod underpin;

pub use cluster::{ControlPlane, Namespace, fresh, shared};
pub use kubectl::{Kubectl, Output};
pub use pod::{Container, Pod, service_account};
pub use proxy::{Action, Proxy, Record, RequestInfo};
pub use stack::{SHORT_LEASE, Stack};
pub use transcript::{filters, with_filters};
pub use underpin::{Running, Underpin, program, write_files};
pub use underpin_testenv::kubelet::OUTCOME;
pub use underpin_testenv::{Kubeconfig, caddy, free_ports, kill, terminate};

use std::thread;
use std::time::{Duration, Instant};

/// Pause between two looks of [`eventually`].
const POLL: Duration = Duration::from_millis(100);

/// Calls `probe` until it gives a value. Fails after `limit`, with what was waited for and the
/// last error.
pub fn eventually<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begin = Instant::now();
    loop {
        let seen = probe();
        if let Ok(Some(value)) = seen {
            return Ok(value);
        }
        if begin.elapsed() > limit {
            let message = format!("{what}: not within {} s", limit.as_secs());
            return Err(match seen {
                Err(error) => error.context(message),
                Ok(_) => anyhow::anyhow!(message),
            });
        }
        thread::sleep(POLL);
    }
}
