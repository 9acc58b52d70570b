//! Who may connect to whom: NetworkPolicies of all kinds, evaluated as Kubernetes documents them.
//!
//! ```text
//! World ──▶ read ──▶ policies ─┐
//!      ├──▶ read ──▶ networks ─┤
//!      ╰──▶ inventory: pods ───┴─▶ Engine ──▶ answer   one question, line by line
//!                                       ├──▶ Matrix   everybody to everybody
//!                                       ├──▶ change   what two worlds allow differently
//!                                       ├──▶ selections  what lists name, and what matches nothing
//!                                       ╰──▶ allowances  what rules let pass, to ask elsewhere
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
mod allowances;
mod answer;
mod ask;
mod bits;
mod change;
mod difference;
mod engine;
mod evaluate;
mod exposure;
mod gap;
mod index;
mod ingress;
mod inventory;
mod labels;
mod matching;
mod matrix;
mod networks;
mod overview;
mod party;
mod policy;
mod ports;
mod profile;
mod question;
mod read;
mod reason;
mod resolve;
mod selections;
mod trace;

pub use addresses::AddressRange;
pub use allowances::Allowance;
pub use answer::{Answer, Effect, Flow, Line, Trace, Verdict};
pub use change::{Change, Changes, NeedChange, Renames, allowed_by, changed_needs, changes};
pub use difference::Difference;
pub use engine::Engine;
pub use evaluate::Outcome;
pub use exposure::{Exposed, Exposure, Stranger};
pub use ingress::Entry;
pub use matrix::{Matrix, Member};
pub use policy::{Defect, Direction, Tier};
pub use ports::Connections;
pub use profile::{Options, Profile};
pub use question::{Endpoint, Question, Target};
pub use read::{
    holds_policies, is_network, is_policy, may_limit, takes_part, unread_networks, unread_pods,
    unread_policies,
};
pub use reason::Reason;
pub use selections::{AllowLists, Missing, UnmatchedSelector};
