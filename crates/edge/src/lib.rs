//! The edge: Caddy, held to what the cluster's Services and Ingresses say.
//!
//! ```text
//! watches ─▶ Seen ─▶ route::resolve ─▶ Trials (a Caddy of its own) ─▶ route::round
//!                                                                        │
//!   folder ◀── verified ◀── probes ◀── Caddy ◀── one document ◀──────────┘
//! ```
//!
//! What is to be served is decided in `underpin_route`; here is what it takes to ask and to be asked.
//!
//! Invariants:
//! - what an entry says, and what Caddy says of it, is never logged and in no error;
//! - the Caddy that serves is given whole documents alone, each with the same admin endpoint, none
//!   that was not tried entry by entry, and none without routes that nobody consented to;
//! - what is on the disk is what Caddy ran well, and is for its owner alone;
//! - what cannot be read, tried or verified changes nothing of what is served.

mod address;
mod admin;
mod alike;
mod caddy;
mod certificates;
mod compared;
mod edge;
mod endpoints;
mod exchange;
mod folder;
mod isolated;
mod pace;
mod program;
mod remarks;
mod seen;
mod serve;
mod sources;
mod status;
mod tls;
mod trials;

pub use address::{Address, AddressError};
pub use admin::AdminError;
pub use caddy::{Caddy, Sites, Verification};
pub use certificates::SecretsWait;
pub use edge::{Decided, Edge, EdgeError, EdgeOptions, Observed, Ready, token};
pub use exchange::ExchangeError;
pub use folder::{DOCUMENT_FILE, Folder, FolderError, STATE_FILE};
pub use isolated::IsolatedError;
pub use seen::{ClaimsRead, Seen, Told};
pub use serve::{LeaseOptions, ServeError, ServeOptions, serve};
pub use sources::read_once;
pub use status::Status;
pub use trials::Trials;
