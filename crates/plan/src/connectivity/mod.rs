//! Needs judged: whether each may be met by a new connection.
//!
//! ```text
//! needs ──questions──▶ connect::Engine ──answers──▶ JudgedNeed: allowed, refused or unknown
//! ```

mod judge;
mod losses;
mod questions;

pub use judge::{JudgedNeed, Judgement, judge_needs};
pub(crate) use losses::{SHOWN_LIMIT, losses, shown, told};
