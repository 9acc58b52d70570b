//! Who may connect to whom: NetworkPolicies of all kinds, evaluated as Kubernetes documents them.
//!
//! ```text
//! World ──▶ read ──▶ policies ─┐
//!      ╰──▶ inventory: pods ───┴─▶ Engine ──▶ answer   one question, line by line
//!                                       ├──▶ Matrix   everybody to everybody
//!                                       ╰──▶ change   what two worlds allow differently
//! ```
//!
//! Answers are *allowed*, *refused*, or *unknown* with the reason. What a policy does not tell for
//! certain, because labels, addresses or policies are not known or because Kubernetes leaves it to
//! the network plugin, is unknown and never guessed. A connection is always a new one: plugins
//! differ in whether they cut one that exists.
//!
//! Invariants: pure, without I/O, clock or hash-map order in any answer; `read` alone knows fields
//! of kinds; one evaluator (`evaluate`) serves single questions and the whole matrix.

mod addresses;
mod answer;
mod bits;
mod change;
mod engine;
mod evaluate;
mod gap;
mod index;
mod ingress;
mod inventory;
mod labels;
mod matching;
mod matrix;
mod party;
mod policy;
mod ports;
mod profile;
mod question;
mod read;
mod reason;
mod resolve;
mod trace;

pub use addresses::AddressRange;
pub use answer::{Answer, Effect, Flow, Line, Trace, Verdict};
pub use change::{Change, Changes, NeedChange, Renames, changed_needs, changes};
pub use engine::Engine;
pub use evaluate::Outcome;
pub use ingress::Entry;
pub use matrix::{Matrix, Member};
pub use policy::{Defect, Direction, Tier};
pub use ports::Connections;
pub use profile::{Options, Profile};
pub use question::{Endpoint, Question, Target};
pub use reason::Reason;
