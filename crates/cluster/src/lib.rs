//! Kubernetes over the wire: the one crate that knows the API server.
//!
//! [`Cluster`] connects, discovers, reads a whole [`underpin_model::World`] and makes the few kinds
//! of change that Underpin makes. [`claims`] stores what environments own; [`lock`] lets one run
//! at a time change an environment. [`Watching`] tells what changes, [`Lease`] lets one of several
//! programs that run all the time do its work, and a [`Report`] is an Event about an object.
//!
//! Invariants:
//! - reading never sends anything but GET;
//! - every list is complete or reported as [`underpin_model::Unread`]: unknown is not absent;
//! - every change of an existing object carries a precondition or is a server-side apply;
//! - every request has a time limit, every retry a bound;
//! - no error message holds a value of a Secret.

mod act;
mod apply;
mod cluster;
mod connect;
mod create;
mod delete;
mod discovery;
mod error;
mod evidence;
mod host;
mod identity;
mod lease;
mod limiter;
mod list;
mod objects;
mod owners;
mod path;
mod read;
mod report;
mod status;
mod transport;
mod watch;

pub mod claims;
pub mod lock;

#[cfg(test)]
mod mock;
#[cfg(test)]
mod read_tests;

pub use act::Act;
pub use apply::{Applied, ApplyOptions, Precondition};
pub use cluster::Cluster;
pub use connect::ConnectOptions;
pub use delete::{Deletion, Propagation};
pub use error::{Cause, ClusterError, ConflictKind, FieldConflict};
pub use evidence::LogRequest;
pub use host::{Host, SystemHost};
/// The bodies of requests and answers, for a service that is the API server of
/// [`Cluster::over_service`].
pub use kube::client::Body;

pub use lease::{Lease, LeaseHolder, Tenure};
pub use list::Listed;
pub use read::{Interest, ReadRequest, is_ambient};
pub use report::Report;
pub use watch::{Change, Watching};
