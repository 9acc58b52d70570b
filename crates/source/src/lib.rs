//! Declared objects: the stack file and Kubernetes YAML, with the position of every field.
//!
//! ```text
//! text ──▶ yaml ──▶ stack       the stack file, checked against its schema
//!              ╰──▶ manifests ──▶ substitute ──▶ objects with origin
//! Helm release payload ──▶ helm_release ──▶ objects
//! dump of a cluster   ──▶ dump ──▶ objects with origin
//! needs file          ──▶ needs_file ──▶ needs
//! images file         ──▶ images_file ──▶ what a plan for a registry is made from
//! recorded flows      ──▶ flows ──▶ needs, and connections that were refused
//! Terraform files     ──▶ terraform ──▶ objects with origin, and what is unknown
//! a repository's folder ──▶ tree   ──▶ both, and what would have to be rendered first
//! any files           ──▶ texts ──▶ those that hold certain words
//! a revision of git   ──▶ git ──▶ its files in a folder, for the others to read
//! ```
//!
//! Bad input is data: parsers return what they understood plus [`Diagnostic`]s, and every
//! diagnostic names a file, a line and a column.
//!
//! Invariant: files are read in `stack`, `manifests`, `needs_file`, `images_file`, `flows`, `texts` and `terraform` only, `tree` being several
//! of these, whoever asks; git reads its objects in `git` only; no network, no clock,
//! no environment variables but through the caller. Values of secret variables reach objects and nothing else.

pub mod dump;
pub mod flows;
pub mod git;
pub mod helm_release;
pub mod images_file;
pub mod manifests;
pub mod needs_file;
pub mod paths;
pub mod stack;
pub mod substitute;
pub mod terraform;
pub mod texts;
pub mod tree;
pub mod yaml;

mod diagnostic;
mod schema;

pub use diagnostic::Diagnostic;
