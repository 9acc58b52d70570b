//! I4: a registry cleaner that knows what runs could delete what a suspended release will need.
//!
//! CI pushes every build under a tag of its own and moves `staging` and `production`. Before go-live both
//! releases are suspended, with no pod; a policy follows the tag that moves; the pins stand in a file.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: what is wrong here fails them"
)]

mod kept;
mod pod;
mod push;
mod reaped;
mod scene;
mod scheduled;
