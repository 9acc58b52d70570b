//! Ordinary mistakes, each made on a stack that was deployed well: what the program says, and
//! that whoever does what it says gets on. The outputs are what the book shows in its chapter on
//! mistakes (`docs/mistakes.md`, made of the snapshots by `cargo xtask generate`).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod session;

mod foreign_object;
mod hpa_fight;
mod immutable_selector;
mod missing_secret;
mod no_rights;
mod quota;
mod stuck_finalizer;
mod wrong_context;
mod wrong_image;
mod yaml_typo;
