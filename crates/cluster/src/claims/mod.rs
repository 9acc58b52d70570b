//! Claims in the cluster: ConfigMaps in a namespace of their own.
//!
//! A claim is a *head* ConfigMap of the claim's name and, for large ones, *shards* that the head
//! refers to by the digest of their content. A write puts new shards beside the old ones, then swaps
//! the head by its `resourceVersion`, then removes what the head no longer refers to: whoever reads
//! sees the claim before or after, and a kill in between leaves it as it was.
//!
//! What the newest revisions applied lies beside the claim, in ConfigMaps that its history names. What
//! `down`s took lies there too, in one that outlives the claims.

mod key;
mod revision;
mod store;
mod stored;
mod taken_down;

pub use key::FINGERPRINT_KEY;
pub use revision::{RevisionError, StoredRevision};
pub use store::ClaimStore;
pub(crate) use store::Head;
pub(crate) use stored::shorten;
pub use stored::{StoredError, parse};
pub use taken_down::{TakenDown, parse_taken_down};

#[cfg(test)]
mod tests;
