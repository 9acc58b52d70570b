//! Judges every single write, naively: from the objects before and after it, and from who wrote.
//!
//! Shares no code with `plan` or the sandbox's own rules. It knows the truth that the product has
//! to find out: who made which object, and which environment declares what.
//!
//! `ledger` is what is known of the past, `write` judges a write, `end` the end of a run.

mod claims;
mod end;
mod ledger;
mod needs;
mod snapshot;
mod words;
mod write;

pub use claims::{CLAIMS_NAMESPACE, StoredClaim, TAKEN_DOWN, claim, claim_name, claims};
pub use end::judge_end;
pub use ledger::{Ledger, observe_read};
pub use snapshot::{Id, Snapshot, essence, id_of, is_going, snapshot, text, uid};
pub use write::{Write, judge};

/// What protects an object from deletion.
const PROTECT: &str = "underpin.dev/protect";
/// Whose an object is, and by which intent.
const STAMP: &str = "underpin.dev/claim";
