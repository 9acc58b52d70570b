//! Registries over the wire: what they hold, and what is deleted and put back.
//!
//! ```text
//! credentials ─▶ Client ─▶ lists, tags, manifests ─▶ underpin_image::Registry ─▶ (image::plan)
//!                  │            └─ cache of manifests
//!                  └─▶ probe: what deleting does
//!
//! frozen plan ─▶ reap ─▶ journal ─▶ DELETE ─▶ verified ─▶ restored where something was lost
//! ```
//!
//! What may go is decided in `underpin_image`; here is what it takes to ask and to obey.
//!
//! Invariants:
//! - reading never fails and never guesses: what could not be read is [`underpin_image::Reading::Unread`]
//!   or an [`underpin_image::UnreadPart`] with its place and the reason. Nothing is absent but what the
//!   registry itself says is not there: the 404 of a proxy says nothing;
//! - bytes of a manifest are those of its digest, whoever sent them and wherever they were kept;
//! - every list ends, every answer has a limit, every request a time, and all waiting a sum;
//! - [`read`] sends nothing but GET and HEAD;
//! - nothing is deleted whose bytes are not in the journal, on the disk, and that was not looked at right
//!   before; one run writes at a time; what is lost beside it is put back in the same batch;
//! - what may have been carried out is not sent again, unless it does no more if it is done twice;
//! - credentials go to the registry and to where it has tokens made, if nobody can read along; tokens go
//!   to the registry alone. Neither is in any error or debug form, and of what a registry says in an error
//!   only its codes are.

mod address;
mod answers;
mod auth;
mod cache;
mod challenge;
mod client;
mod credentials;
mod document;
mod gitea;
mod http;
mod link;
mod lists;
mod manifests;
mod pace;
mod probe;
mod read;
mod reap;
mod restore;
mod state;
mod under_way;
mod watch;
mod write;

pub use address::{Address, AddressError};
pub use cache::ManifestCache;
pub use challenge::{Challenge, challenges};
pub use client::{Client, ClientError, ClientOptions, Counts};
pub use credentials::{CredentialError, CredentialStores, Credentials};
pub use document::{DocumentError, is_url, read_document};
pub use link::next_link;
pub use probe::{Capabilities, Deletes, probe};
pub use read::{Api, ReadOptions, Scope, read, read_blobs};
pub use reap::{Cut, Earlier, Gone, ReapOptions, Reaped, Recheck, finish, reap};
pub use restore::{Restored, restore};
pub use state::{Act, AuditEntry, State, StateError, run_time};
