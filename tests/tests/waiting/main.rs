//! `up` waits for what it applied, and where that is in vain says why, the cause first.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod causes;
mod patience;
mod secrets;
mod status;
mod workload;
