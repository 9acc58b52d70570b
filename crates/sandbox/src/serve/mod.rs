//! A sandbox over HTTPS on this machine, for kubectl and every other client.
//!
//! ```text
//! TCP ─▶ TLS (a certificate made at the start) ─▶ HTTP/1.1 or 2 ─▶ token → user ─▶ Sandbox
//! ```
//!
//! It listens on the loopback address alone, and takes nobody in without a token that it was
//! started with. Nothing is written to disk: what clients need is in [`Server::kubeconfig`].

mod certificate;
mod connection;
mod error;
mod kubeconfig;
mod server;

pub use certificate::Identity;
pub use error::ServeError;
pub use kubeconfig::context_name;
pub use server::{Access, Options, Server};
