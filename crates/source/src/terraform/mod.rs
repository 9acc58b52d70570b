//! Terraform and OpenTofu files: the Kubernetes objects that they declare, without running either.
//!
//! ```text
//! .tf, .tf.json ──▶ load ──▶ modules ──▶ engine: expressions to values ──▶ resources ──▶ output
//! .tfvars       ──▶ variables ──────────────╯         functions ─╯
//! ```
//!
//! What runs of Terraform find out, files do not say: data sources, attributes that providers
//! compute, variables without a value, modules from elsewhere. All of these are *unknown*, with the
//! reason, and so is what depends on them. An object of which a part is unknown is an
//! [`UnknownObject`]; none vanishes because something about it could not be found out.
//!
//! Evaluated are variables with their types and defaults, `terraform.tfvars`, `*.auto.tfvars` and
//! files that the caller names; locals; `count`, `for_each` and `dynamic`; modules with a relative
//! `source`, and those that `terraform init` has put below the folder; references between resources
//! to what is written in them; templates and heredocs; and the functions that the table in
//! `functions` lists. Override files are not followed: what they change is unknown.
//!
//! Invariant: files outside the folder are not read, links resolved; nothing of the environment is,
//! but what the caller passes. Sensitive values reach objects and the mask, and nothing else.

mod body;
mod collect;
mod comments;
mod confines;
mod engine;
mod expression;
mod failure;
mod functions;
mod instance;
mod json;
mod load;
mod number;
mod output;
mod read;
mod resources;
mod template;
mod text;
mod traversal;
mod types;
mod value;
mod variables;

use crate::paths;
pub(crate) use load::is_terraform;
pub use read::{
    Configuration, DeclaredObject, Options, Release, UnknownObject, Unread, read, read_text,
};
