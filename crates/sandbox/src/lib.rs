//! An in-process Kubernetes API server: deterministic, with a virtual clock and fault injection.
//!
//! ```text
//! HTTP ─▶ service ─▶ State::handle ─▶ access ─▶ verbs ─▶ admission (defaults, validation) ─▶ store
//!                        ▲                                                                │
//!                     clock ──▶ controllers (work that falls due) ◀───────────────────────┘
//! ```
//!
//! [`State`] is the whole cluster as a value: cloning it is cheap and forks the cluster, which is
//! how dry runs are carried out and how a test continues from any moment. [`Sandbox`] is a state
//! behind a lock with a clock: a tower service.
//!
//! Invariants:
//! - everything but [`Sandbox`] is synchronous and reads no clock, no randomness, no environment:
//!   the same state and request give the same answer, byte for byte;
//! - no request makes it panic: malformed ones get the API's own Status errors;
//! - nothing here is shared with `plan`'s simulation: each checks the other.

mod access;
mod admission;
mod controllers;
mod handle;
mod kind;
mod kind_table;
mod lifecycle;
mod object;
mod protobuf;
mod request;
mod response;
mod sandbox;
#[cfg(feature = "serve")]
pub mod serve;
mod service;
mod state;
mod status;

pub use kind::Kind;
pub use request::{Request, User};
pub use response::{Reply, ReplyBody};
pub use sandbox::{Call, Fault, Hooks, NoHooks, Sandbox};
pub use service::{AnswerBody, AnswerFuture, As};
pub use state::{Config, State};
pub use status::{Cause, Failure};
